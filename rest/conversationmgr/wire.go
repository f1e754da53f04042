package conversationmgr

import (
	"fmt"

	"parley"
	"parley/rest/api"
)

// Time is the type of the document's timestamps.
type Time = api.Time

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

func toPairs(all []parley.NameValue) *[]Pair {
	return api.SomeList(api.List(all, func(p parley.NameValue) Pair { return Pair{Name: p.Name, Value: p.Value} }))
}

func fromPairs(all *[]Pair) []parley.NameValue {
	return api.List(api.Value(all), func(p Pair) parley.NameValue { return parley.NameValue{Name: p.Name, Value: p.Value} })
}

func toHeaders(all []parley.NameValue) *[]Header {
	return api.SomeList(api.List(all, func(h parley.NameValue) Header { return Header{Name: h.Name, Value: h.Value} }))
}

func fromHeaders(all *[]Header) []parley.NameValue {
	return api.List(api.Value(all), func(h Header) parley.NameValue { return parley.NameValue{Name: h.Name, Value: h.Value} })
}

func fromBase(name string, description *string, active *bool) parley.Base {
	return parley.Base{Name: name, Description: api.Value(description), Active: api.Or(active, true)}
}
