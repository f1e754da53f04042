package api

import (
	"encoding/json"
	"time"

	"parley/wire"
)

// What the generated types of surfaces need to become domain types and back.

// Time is written in UTC with milliseconds (reference 1.1).
type Time time.Time

// MarshalJSON writes the one form.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format(wire.TimeFormat))
}

// UnmarshalJSON reads any RFC 3339 form; times in requests are information only.
func (t *Time) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, (*time.Time)(t)) }

// Some is a pointer to v, nil if v is the zero value, which answers leave out.
func Some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Or is what p points to, otherwise if it is nil.
func Or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// Value is what p points to, the zero value if it is nil.
func Value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// List maps a slice; nil stays nil, so that what was absent is absent.
func List[A, B any](all []A, one func(A) B) []B {
	if all == nil {
		return nil
	}
	mapped := make([]B, len(all))
	for i, a := range all {
		mapped[i] = one(a)
	}
	return mapped
}

// SomeList is a pointer to a list, nil if the list is.
func SomeList[T any](all []T) *[]T {
	if all == nil {
		return nil
	}
	return &all
}
