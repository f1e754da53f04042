package contract

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"parley"
)

// validate checks a body against its schema and returns it as it is to be decoded: without members that are null, which
// count as absent. The error has the code of the first failure, required members before wrong ones, and the others as
// its details (reference 1.5).
func validate(schema *openapi3.Schema, raw []byte) ([]byte, error) {
	var body any
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, malformed(err)
	}
	if _, ok := body.(map[string]any); !ok {
		return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: "must be an object"}
	}
	dropped := dropNulls(body)
	var found []failure
	collect(&found, schema.VisitJSON(body, openapi3.MultiErrors()))
	findNUL(&found, body, "")
	if len(found) > 0 {
		return nil, refusal(found)
	}
	if !dropped {
		return raw, nil
	}
	clean, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return clean, nil
}

func malformed(err error) error {
	return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: "is not JSON", Err: err}
}

// dropNulls removes members that are null, however deep, and says whether there were any.
func dropNulls(v any) (dropped bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
				dropped = true
			} else if dropNulls(member) {
				dropped = true
			}
		}
	case []any:
		for _, element := range v {
			dropped = dropNulls(element) || dropped
		}
	}
	return dropped
}

// A failure is one member that the schema refuses.
type failure struct {
	reason parley.Reason
	field  string
	msg    string
}

// refusal is the error of several failures.
func refusal(found []failure) error {
	slices.SortStableFunc(found, func(a, b failure) int {
		if missing := isMissing(b) - isMissing(a); missing != 0 {
			return missing
		}
		return strings.Compare(a.field, b.field)
	})
	e := &parley.Error{Kind: parley.Invalid, Reason: found[0].reason, Field: found[0].field, Msg: found[0].msg}
	for _, f := range found[1:] {
		e.Details = append(e.Details, parley.Detail{Key: f.field, Value: f.msg})
	}
	return e
}

func isMissing(f failure) int {
	if f.reason == parley.Missing {
		return 1
	}
	return 0
}

// collect flattens what the validator says.
func collect(found *[]failure, err error) {
	if err == nil {
		return
	}
	if many, ok := errors.AsType[openapi3.MultiError](err); ok {
		for _, one := range many {
			collect(found, one)
		}
		return
	}
	one, ok := errors.AsType[*openapi3.SchemaError](err)
	if !ok {
		*found = append(*found, failure{parley.BadValue, "body", "is not as documented"})
		return
	}
	f := failure{parley.BadValue, member(one.JSONPointer()), one.Reason}
	switch one.SchemaField {
	case "required":
		f.reason, f.msg = parley.Missing, "is required"
	case "enum":
		f.reason, f.msg = parley.OutsideEnum, "must be one of "+allowed(one.Schema)
	case "pattern":
		f.msg = "does not have the form that is required" // the reason would show an expression
	case "format":
		f.msg = "must be a " + one.Schema.Format
	}
	*found = append(*found, f)
}

func allowed(s *openapi3.Schema) string {
	var all []string
	for _, v := range s.Enum {
		if text, ok := v.(string); ok {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}

// member is a JSON pointer in the words of error bodies: roles[0].callback.
func member(pointer []string) string {
	var b strings.Builder
	for _, token := range pointer {
		if _, err := strconv.ParseUint(token, 10, 31); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}

// findNUL refuses the character U+0000, which PostgreSQL cannot keep in a text.
func findNUL(found *[]failure, v any, path string) {
	switch v := v.(type) {
	case string:
		if strings.IndexByte(v, 0) >= 0 {
			*found = append(*found, failure{parley.BadValue, path, "must not hold the character U+0000"})
		}
	case map[string]any:
		for name, inner := range v {
			at := name
			if path != "" {
				at = path + "." + name
			}
			findNUL(found, inner, at)
		}
	case []any:
		for i, inner := range v {
			findNUL(found, inner, path+"["+strconv.Itoa(i)+"]")
		}
	}
}
