package wire

import (
	"fmt"
	"strconv"
	"strings"

	"parley"
)

// A problem is one member that is missing or wrong.
type problem struct {
	reason parley.Reason
	field  string
	msg    string
}

// verdict is the error made of everything noted, nil if nothing was.
func (r *reader) verdict() error {
	if r.syntax != nil {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: r.syntax.Error()}
	}
	return asError(r.problems)
}

// asError makes one error of several problems: what is missing comes first (reference 1.5, check order).
func asError(problems []problem) error {
	if len(problems) == 0 {
		return nil
	}
	first := 0
	for i, p := range problems {
		if p.reason == parley.Missing {
			first = i
			break
		}
	}
	e := &parley.Error{Kind: parley.Invalid, Reason: problems[first].reason, Field: problems[first].field, Msg: problems[first].msg}
	for i, p := range problems {
		if i != first && len(e.Details) < maxDetails {
			e.Details = append(e.Details, parley.Detail{Key: p.field, Value: p.msg})
		}
	}
	return e
}

const maxDetails = 30 // reference 1.4

// note records a problem with the value that was read last.
func (r *reader) note(reason parley.Reason, format string, args ...any) {
	r.noteAt(r.path(), reason, format, args...)
}

func (r *reader) noteAt(field string, reason parley.Reason, format string, args ...any) {
	r.problems = append(r.problems, problem{reason, field, fmt.Sprintf(format, args...)})
}

// missing records that a member below the object at that path is not there, unless it, or what holds it, is known to be
// wrong.
func (r *reader) missing(parent, member string) {
	field := join(parent, member)
	for _, p := range r.problems {
		if p.field == field || strings.HasPrefix(field, p.field+".") {
			return
		}
	}
	r.noteAt(field, parley.Missing, "is required")
}

func (r *reader) missingUnless(have bool, parent, member string) {
	if !have {
		r.missing(parent, member)
	}
}

// noted says whether something is known to be wrong with the member at that path.
func (r *reader) noted(path string) bool {
	for _, p := range r.problems {
		if p.field == path {
			return true
		}
	}
	return false
}

// path is where the value that was read last stands, as in "messages.message[0].sender.type".
func (r *reader) path() string {
	path := r.base
	for token := range r.dec.StackPointer().Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			path += "[" + token + "]"
		} else {
			path = join(path, token)
		}
	}
	return path
}

func join(parent, member string) string {
	if parent == "" {
		return member
	}
	return parent + "." + member
}
