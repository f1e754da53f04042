package directory

import (
	"fmt"

	"golang.org/x/net/http/httpguts"

	"parley"
)

// formHeaders says which of the configured headers cannot be sent: each attempt would fail for it, and a line break in a value may be meant to
// make a header of the caller's own.
func formHeaders(p *problems, field string, headers []parley.NameValue) {
	for i, h := range headers {
		if !httpguts.ValidHeaderFieldName(h.Name) {
			p.add(parley.BadValue, fmt.Sprintf("%s[%d].name", field, i), "must be letters, digits and !#$%%&'*+-.^_`|~ alone")
		}
		if !httpguts.ValidHeaderFieldValue(h.Value) {
			p.add(parley.BadValue, fmt.Sprintf("%s[%d].value", field, i), "must not hold line breaks or other control characters")
		}
	}
}
