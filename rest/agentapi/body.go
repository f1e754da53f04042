package agentapi

import (
	stdjson "encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"parley"
)

// The lengths of texts in characters. Those of title and context are the vendor's (reference 4.2), the others ours.
const (
	maxTitle   = 255
	maxContext = 256_000
	maxMessage = 100_000
	maxShort   = 255 // names, addresses and the like
	maxLong    = 10_000
)

// A body is an object that was sent, with everything that is wrong with it. What it does not ask for is ignored.
type body struct {
	findings
	members map[string]jsontext.Value
}

// read reads the body of a request, which must be an object. Clients repeat members and send bytes that are no UTF-8.
func read(r *request) (*body, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, bad("body", "is too large, or ended before its time")
	}
	b := &body{}
	if err := json.Unmarshal(raw, &b.members, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil || b.members == nil {
		return nil, bad("body", "must be a JSON object")
	}
	return b, nil
}

// raw is a member; null is as good as absent.
func (b *body) raw(name string) (jsontext.Value, bool) {
	v, ok := b.members[name]
	return v, ok && v.Kind() != 'n'
}

// isNull says whether a member is there, and null.
func (b *body) isNull(name string) bool {
	v, ok := b.members[name]
	return ok && v.Kind() == 'n'
}

// text reads an optional text; ok is false if it is absent.
func (b *body) text(name string, most int) (text string, ok bool) {
	v, ok := b.raw(name)
	if !ok {
		return "", false
	}
	if v.Kind() != '"' || json.Unmarshal(v, &text, jsontext.AllowInvalidUTF8(true)) != nil {
		b.refuse(name, "must be a string")
		return "", false
	}
	switch {
	case utf8.RuneCountInString(text) > most:
		b.refuse(name, "is too long")
	case strings.ContainsRune(text, 0):
		b.refuse(name, "holds what is no character")
	}
	return text, true
}

// optional is a text, "" if it is absent.
func (b *body) optional(name string, most int) string {
	text, _ := b.text(name, most)
	return text
}

// required is a text that must be there and not be blank.
func (b *body) required(name string, most int) string {
	if _, there := b.raw(name); !there {
		b.refuse(name, "is required")
		return ""
	}
	text, ok := b.text(name, most)
	if ok && strings.TrimSpace(text) == "" {
		b.refuse(name, "must not be blank")
	}
	return text
}

// choice is a text out of a few; "" if it is absent.
func (b *body) choice(name string, of ...string) string {
	text, ok := b.text(name, maxShort)
	if !ok {
		return ""
	}
	for _, one := range of {
		if text == one {
			return text
		}
	}
	b.refuse(name, "must be one of "+strings.Join(of, ", "))
	return ""
}

// requiredChoice is a text out of a few that must be there.
func (b *body) requiredChoice(name string, of ...string) string {
	if _, there := b.raw(name); !there {
		b.refuse(name, "is required")
	}
	return b.choice(name, of...)
}

// flag is a boolean, false if it is absent.
func (b *body) flag(name string) (on bool) {
	if v, ok := b.raw(name); ok && json.Unmarshal(v, &on) != nil {
		b.refuse(name, "must be true or false")
	}
	return on
}

// asWritten keeps numbers as they were written: ids of other systems are larger than a float is exact.
var asWritten = json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error {
	if d.PeekKind() == '0' {
		*v = jsontext.Value(nil)
	}
	return errors.ErrUnsupported // as it would be read otherwise
}))

// object is an object as it was sent; nil if it is absent.
func (b *body) object(name string) stdjson.RawMessage {
	v, ok := b.raw(name)
	if !ok {
		return nil
	}
	var members map[string]any
	if v.Kind() != '{' || json.Unmarshal(v, &members, asWritten, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		b.refuse(name, "must be an object")
		return nil
	}
	if parley.TooDeep(v) {
		b.refuse(name, parley.DepthProblem)
		return nil
	}
	same, err := json.Marshal(members, json.Deterministic(true)) // as everybody reads it
	if err != nil {
		b.refuse(name, "cannot be read")
	}
	return same
}

// objects are the objects of a list; none if it is absent.
func (b *body) objects(name string) (all []map[string]jsontext.Value) {
	if v, ok := b.raw(name); ok && json.Unmarshal(v, &all, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		b.refuse(name, "must be a list of objects")
		return nil // not those before the one that is none
	}
	return all
}

// id is an id, zero if it is absent. An empty text is none: where null removes what is there, a caller's slip must not.
func id[T any](b *body, name string) (id parley.ID[T]) {
	text, ok := b.text(name, maxShort)
	if !ok {
		return id
	}
	id, err := parley.ParseID[T](strings.ToLower(text))
	if err != nil {
		b.refuse(name, "must be a UUID")
	}
	return id
}

// requiredID is an id that must be there.
func requiredID[T any](b *body, name string) parley.ID[T] {
	if text := b.required(name, maxShort); strings.TrimSpace(text) == "" {
		return parley.ID[T]{}
	}
	return id[T](b, name)
}

// parseTime reads a time with or without fraction, in UTC or another offset.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err
}
