package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"parley"
)

// A reader walks one JSON text and collects what is wrong with it. After a syntax error every method does nothing, so
// callers need not look; other problems are noted with their path and reading goes on.
type reader struct {
	dec      *jsontext.Decoder
	buf      bytes.Buffer
	base     string // path of the text itself in the request
	syntax   error
	problems []problem
}

var readers = sync.Pool{New: func() any { return &reader{dec: jsontext.NewDecoder(strings.NewReader(""))} }}

// read walks raw with fn and returns what was wrong.
func read(raw []byte, base string, fn func(*reader)) error {
	r := readers.Get().(*reader)
	defer func() {
		r.buf = bytes.Buffer{} // raw belongs to the caller
		r.problems = nil       // may live on in an error
		readers.Put(r)
	}()
	r.base, r.syntax = base, nil
	r.buf = *bytes.NewBuffer(raw)
	r.dec.Reset(&r.buf)
	fn(r)
	if r.syntax == nil {
		if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
			r.broken(errors.New("something follows the value"))
		}
	}
	return r.verdict()
}

// broken notes that the text is no JSON. The position is told, the text is not: it may hold anything.
func (r *reader) broken(err error) {
	if r.syntax != nil {
		return
	}
	r.syntax = fmt.Errorf("not valid JSON at byte %d", r.dec.InputOffset())
	if errors.Is(err, jsontext.ErrDuplicateName) {
		r.syntax = fmt.Errorf("a member is there twice, at byte %d", r.dec.InputOffset())
	}
}

// skip passes over the next value.
func (r *reader) skip() {
	if r.syntax == nil {
		if err := r.dec.SkipValue(); err != nil {
			r.broken(err)
		}
	}
}

// open begins an object or array; false if the value is something else, which was then dealt with.
func (r *reader) open(kind jsontext.Kind, what string) bool {
	if r.syntax != nil {
		return false
	}
	switch got := r.dec.PeekKind(); got {
	case kind:
		if _, err := r.dec.ReadToken(); err != nil {
			r.broken(err)
			return false
		}
		return true
	case 'n':
		r.skip()
	case '"':
		token, err := r.dec.ReadToken()
		if err != nil {
			r.broken(err)
		} else if token.String() != "" {
			r.note(parley.BadValue, "must be %s", what)
		}
	default:
		if r.skip(); r.syntax == nil {
			r.note(parley.BadValue, "must be %s", what)
		}
	}
	return false
}

// object calls member for each member of the next value, which must read exactly that member's value. It says whether
// there was an object.
func (r *reader) object(member func(name string)) bool {
	if !r.open('{', "an object") {
		return false
	}
	for r.syntax == nil {
		token, err := r.dec.ReadToken()
		if err != nil {
			r.broken(err)
			return false
		}
		if token.Kind() == '}' {
			return true
		}
		member(token.String())
	}
	return false
}

// array calls item for each element of the next value, of which there may be max.
func (r *reader) array(max int, item func()) {
	if !r.open('[', "an array") {
		return
	}
	n := 0
	for r.syntax == nil {
		if r.dec.PeekKind() == ']' {
			if _, err := r.dec.ReadToken(); err != nil {
				r.broken(err)
			}
			break
		}
		if n < max {
			item()
		} else {
			r.skip() // counted, so that one problem tells the whole story
		}
		n++
	}
	if n > max && r.syntax == nil {
		r.note(parley.BadValue, "has %d elements, at most %d are allowed", n, max)
	}
}

// text reads a string of at most max code points; 0 = any length, for what is kept inside of JSON only. Others may become
// columns, and PostgreSQL keeps no U+0000 in a text. null is "".
func (r *reader) text(max int) string {
	if r.syntax != nil {
		return ""
	}
	switch r.dec.PeekKind() {
	case '"':
		token, err := r.dec.ReadToken()
		if err != nil {
			r.broken(err)
			return ""
		}
		s := token.String()
		if max > 0 && len(s) > max && utf8.RuneCountInString(s) > max {
			r.note(parley.BadValue, "is longer than %d characters", max)
		}
		if max > 0 && strings.IndexByte(s, 0) >= 0 {
			r.note(parley.BadValue, "must not hold the character U+0000")
		}
		return s
	case 'n':
		r.skip()
	default:
		if r.skip(); r.syntax == nil {
			r.note(parley.BadValue, "must be a string")
		}
	}
	return ""
}

// webURL reads an absolute http or https URL of at most max characters.
func (r *reader) webURL(max int) string {
	s := r.text(max)
	if s != "" && !isWebURL(s) {
		r.note(parley.BadValue, "must be an absolute http or https URL")
	}
	return s
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// boolean reads true or false; null is false.
func (r *reader) boolean() bool {
	if r.syntax != nil {
		return false
	}
	switch r.dec.PeekKind() {
	case 't', 'f':
		token, err := r.dec.ReadToken()
		if err != nil {
			r.broken(err)
			return false
		}
		return token.Bool()
	case 'n':
		r.skip()
	default:
		if r.skip(); r.syntax == nil {
			r.note(parley.BadValue, "must be true or false")
		}
	}
	return false
}

// size reads a number of bytes, given as a number or as a string of digits (real clients do both). Absent is 0.
func (r *reader) size() int64 {
	if r.syntax != nil {
		return 0
	}
	switch r.dec.PeekKind() {
	case '"', '0':
		token, err := r.dec.ReadToken()
		if err != nil {
			r.broken(err)
			return 0
		}
		s := token.String()
		if s == "" {
			return 0
		}
		n, err := strconv.ParseUint(s, 10, 53) // as far as every JSON reader counts exactly
		if err != nil {
			r.note(parley.BadValue, "must be a whole number of bytes")
		}
		return int64(n)
	case 'n':
		r.skip()
	default:
		if r.skip(); r.syntax == nil {
			r.note(parley.BadValue, "must be a whole number of bytes")
		}
	}
	return 0
}

// raw reads any value and returns a copy without blanks, nil for null.
func (r *reader) raw() jsontext.Value {
	if r.syntax != nil {
		return nil
	}
	v, err := r.dec.ReadValue()
	if err != nil {
		r.broken(err)
		return nil
	}
	if v.Kind() == 'n' {
		return nil
	}
	v = v.Clone()
	if err := v.Compact(); err != nil {
		r.broken(err)
		return nil
	}
	if parley.TooDeep(v) {
		r.note(parley.BadValue, "%s", parley.DepthProblem)
		return nil
	}
	return v
}

// readID reads an id of 36 characters; absent is the zero ID.
func readID[T any](r *reader) parley.ID[T] {
	s := r.text(0)
	if s == "" {
		return parley.ID[T]{}
	}
	id, err := parley.ParseID[T](s)
	if err != nil {
		r.note(parley.BadValue, "must be an id: a UUID of 36 characters")
	}
	return id
}

// oneOf reads a string that must be one of the allowed ones; absent is "".
func oneOf[S ~string](r *reader, allowed []S) S {
	s := S(r.text(0))
	if s == "" {
		return ""
	}
	for _, a := range allowed {
		if s == a {
			return s
		}
	}
	if r.syntax == nil {
		r.note(parley.OutsideEnum, "must be one of %s", list(allowed))
	}
	return ""
}

func list[S ~string](all []S) string {
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	return b.String()
}
