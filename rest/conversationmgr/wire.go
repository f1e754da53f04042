package conversationmgr

import (
	"encoding/json"
	"fmt"
	"time"

	"parley"
	"parley/wire"
)

// Time is written in UTC with milliseconds (reference 1.1).
type Time time.Time

// MarshalJSON writes the one form.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format(wire.TimeFormat))
}

// UnmarshalJSON reads any RFC 3339 form; times in requests are information only.
func (t *Time) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, (*time.Time)(t)) }

// refID is an ID in a body: one that no object can have refers to nothing.
func refID[T any](id ID, field string) (parley.ID[T], error) {
	parsed, err := parley.ParseID[T](id)
	if err != nil {
		return parsed, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: field, Msg: "there is no object of that id"}
	}
	return parsed, nil
}

// refs collects the ids of a body, so that the code that reads them is not half error handling. err is the first failure.
type refs struct{ err error }

// id reads the ID in a member whose path is given as a format.
func id[T any](r *refs, id ID, field string, args ...any) parley.ID[T] {
	parsed, err := refID[T](id, fmt.Sprintf(field, args...))
	if r.err == nil {
		r.err = err
	}
	return parsed
}

func reference[T any](id parley.ID[T]) Reference { return Reference{Id: id.String()} }

// some is a pointer to v, none if v is the zero value, which answers leave out.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// or is what p points to, otherwise if it is nil.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// value is what p points to, the zero value if it is nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// list maps a slice; nil stays nil, so that what was absent is absent.
func list[A, B any](all []A, one func(A) B) []B {
	if all == nil {
		return nil
	}
	mapped := make([]B, len(all))
	for i, a := range all {
		mapped[i] = one(a)
	}
	return mapped
}

// someList is a pointer to a list, nil if the list is.
func someList[T any](all []T) *[]T {
	if all == nil {
		return nil
	}
	return &all
}

func toPairs(all []parley.NameValue) *[]Pair {
	return someList(list(all, func(p parley.NameValue) Pair { return Pair{Name: p.Name, Value: p.Value} }))
}

func fromPairs(all *[]Pair) []parley.NameValue {
	return list(value(all), func(p Pair) parley.NameValue { return parley.NameValue{Name: p.Name, Value: p.Value} })
}

func toHeaders(all []parley.NameValue) *[]Header {
	return someList(list(all, func(h parley.NameValue) Header { return Header{Name: h.Name, Value: h.Value} }))
}

func fromHeaders(all *[]Header) []parley.NameValue {
	return list(value(all), func(h Header) parley.NameValue { return parley.NameValue{Name: h.Name, Value: h.Value} })
}

func fromBase(name string, description *string, active *bool) parley.Base {
	return parley.Base{Name: name, Description: value(description), Active: or(active, true)}
}
