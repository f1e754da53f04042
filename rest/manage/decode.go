package manage

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decode reads JSON. Members that are not known are passed over, and null is as good as absent (reference 1); a member that is there
// twice, or of the wrong type, is not. Nothing of what was sent is repeated but names of members.
func decode(raw []byte, v any) error {
	err := json.Unmarshal(raw, v)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*refusal](err); ok { // of one of our own types
		return e
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok && e.GoType != nil {
		item, member := place(e.JSONPointer)
		if member == "" {
			return refuse(http.StatusBadRequest, "%sthe value must be %s", item, wanted(e.GoType))
		}
		return refuse(http.StatusBadRequest, "%s%q must be %s", item, member, wanted(e.GoType))
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return refuse(http.StatusBadRequest, "the body has a member twice")
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return refuse(http.StatusBadRequest, "the body is not valid JSON, at byte %d", e.ByteOffset)
	}
	return refuse(http.StatusBadRequest, "the body is not valid JSON")
}

// place is where a pointer points to, as messages[0].payload, and which item of a bulk it is in.
func place(p jsontext.Pointer) (item, member string) {
	first := true
	for token := range p.Tokens() {
		switch _, err := strconv.Atoi(token); {
		case err == nil && first:
			item = "item " + token + ": "
		case err == nil:
			member += "[" + token + "]"
		case member == "":
			member = token
		default:
			member += "." + token
		}
		first = false
	}
	return item, member
}

// wanted says in words what a type takes.
func wanted(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Bool:
		return "a boolean"
	}
	return "a number"
}

// An identifier is an id: decimal digits in a string, or a bare number, which an old sample has (reference 1).
type identifier string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (id *identifier) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return scalar(d, "a string of decimal digits", func(text string, kind jsontext.Kind) bool {
		*id = identifier(text)
		return kind == '"' || kind == '0'
	})
}

// A flag is a boolean, which samples write as text, too (reference 7.1).
type flag bool

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (f *flag) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return scalar(d, "a boolean", func(text string, kind jsontext.Kind) bool {
		on, err := strconv.ParseBool(strings.ToLower(text))
		*f = flag(on)
		return err == nil && kind != '0'
	})
}

// A figure is a number, or its text: NaN and Inf, which Go reads as well, are none.
type figure float64

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (f *figure) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return scalar(d, "a number", func(text string, kind jsontext.Kind) bool {
		n, err := strconv.ParseFloat(text, 64)
		*f = figure(n)
		return err == nil && (kind == '0' || kind == '"') && !math.IsNaN(n) && !math.IsInf(n, 0)
	})
}

// An instant is a time in ISO 8601.
type instant time.Time

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (i *instant) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return scalar(d, "a time such as 2026-02-03T10:00:04.000Z", func(text string, kind jsontext.Kind) bool {
		at, err := parseTime(text)
		*i = instant(at)
		return err == nil && kind == '"'
	})
}

// parseTime reads a time. One without a zone is UTC, and one without hours its midnight.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("no time: %q", text)
}

// metadata are strings by name. One that is null is none, though the decoder takes it for an empty one; all of them may be absent.
type metadata map[string]string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (m *metadata) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	item, member := place(d.StackPointer())
	var all map[string]*string
	if err := json.UnmarshalDecode(d, &all); err != nil {
		return err
	}
	if *m = nil; all != nil {
		*m = metadata{}
	}
	for name, text := range all {
		if text == nil {
			return refuse(http.StatusBadRequest, "%s%q must be a string", item, member+"."+name)
		}
		(*m)[name] = *text
	}
	return nil
}

// scalar reads a value that is no object or array; take says whether it is as wanted.
func scalar(d *jsontext.Decoder, want string, take func(text string, kind jsontext.Kind) bool) error {
	item, member := place(d.StackPointer())
	if kind := d.PeekKind(); kind == '{' || kind == '[' {
		return refuse(http.StatusBadRequest, "%s%q must be %s", item, member, want)
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	item, member = place(d.StackPointer())
	if !take(token.String(), token.Kind()) {
		return refuse(http.StatusBadRequest, "%s%q must be %s", item, member, want)
	}
	return nil
}
