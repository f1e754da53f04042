package insight

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/cases"

	"parley"
)

// A Record is the store as this package needs it.
type Record interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
	Submit(step *parley.Step, done func(parley.Committed, error)) error
}

// Vocabularies is what [Trackers], [Entities], [Groups] and [Settings] share.
type Vocabularies struct {
	store   Record
	now     func() time.Time
	changed func(ctx context.Context, tenant parley.TenantID)
	engines *engines // of who wants to try a sentence
	allow   []netip.Prefix
}

// NewVocabularies returns the rules over a record. changed is called after settings or entities of a tenant changed, on which
// redaction depends; nil = nobody wants to know. allow are private addresses that a webhook of a text may have: what dispatch may
// reach, so that whoever names another one hears of it at once. meaning is as in [Config].
func NewVocabularies(record Record, changed func(ctx context.Context, tenant parley.TenantID), meaning *Meaning, allow ...netip.Prefix) *Vocabularies {
	if changed == nil {
		changed = func(context.Context, parley.TenantID) {}
	}
	return &Vocabularies{store: record, changed: changed, engines: newEngines(record, meaning), allow: allow, now: func() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }}
}

// update is an Update of what redaction depends on.
func (v *Vocabularies) update(ctx context.Context, tenant parley.TenantID, fn func(parley.Tx) error) error {
	err := v.store.Update(ctx, fn)
	if err == nil {
		v.changed(ctx, tenant)
	}
	return err
}

func list[T any](ctx context.Context, store Record, tenant parley.TenantID, of func(parley.Tx) parley.Vocabulary[T]) (all []T, err error) {
	err = store.View(ctx, func(tx parley.Tx) (err error) {
		all, err = of(tx).List(ctx, tenant)
		return err
	})
	return all, err
}

func find[T any](ctx context.Context, store Record, tenant parley.TenantID, n parley.Number, of func(parley.Tx) parley.Vocabulary[T]) (one T, err error) {
	err = store.View(ctx, func(tx parley.Tx) (err error) {
		one, err = of(tx).Find(ctx, tenant, n)
		return err
	})
	return one, err
}

func remove[T any](ctx context.Context, v *Vocabularies, tenant parley.TenantID, n parley.Number, of func(parley.Tx) parley.Vocabulary[T]) error {
	return v.update(ctx, tenant, func(tx parley.Tx) error { return of(tx).Delete(ctx, tenant, n) })
}

// invalid is an error about a member, whose quoted name the text has (reference 1.1).
func invalid(field, format string, args ...any) error {
	return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: field, Msg: fmt.Sprintf(format, args...)}
}

func nameTaken(field, name string) error {
	return &parley.Error{Kind: parley.Invalid, Reason: parley.NameTaken, Field: field, Msg: fmt.Sprintf("%q %q is already in use", field, name)}
}

// quoted puts the name that is taken into the store's error.
func quoted(err error, name string) error {
	if e, ok := errors.AsType[*parley.Error](err); ok && e.Reason == parley.NameTaken {
		return nameTaken(e.Field, name)
	}
	return err
}

// at says of which item of a bulk an error is.
func at(err error, i int, bulk bool) error {
	e, ok := errors.AsType[*parley.Error](err)
	if !bulk || !ok || e.Kind != parley.Invalid {
		return err
	}
	located := *e
	located.Msg = fmt.Sprintf("item %d: %s", i, e.Msg)
	return &located
}

// repeated is the index of the first item whose name one before it has; -1 if there is none.
func repeated[T any](items []T, name func(*T) string) int {
	seen := map[string]bool{}
	for i := range items {
		if seen[name(&items[i])] {
			return i
		}
		seen[name(&items[i])] = true
	}
	return -1
}

// checkName wants a name that is there and not too long.
func checkName(field, name string) error {
	n := utf8.RuneCountInString(name)
	switch {
	case n == 0:
		return invalid(field, "%q is not allowed to be empty", field)
	case n > maxName:
		return invalid(field, "%q may have %d characters, not %d", field, maxName, n)
	}
	return checkText(field, name)
}

// folded is how phrases and values are compared: trimmed, and without a difference of case.
func folded(s string) string { return cases.Fold().String(strings.TrimSpace(s)) }
