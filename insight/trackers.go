package insight

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"parley"
	"parley/ident"
)

// The limits of a tracker (reference 3.2).
const (
	maxTrackers = 500
	maxPhrases  = 1000
	maxName     = 128 // characters
)

// Trackers has the rules of trackers. Safe for concurrent use.
type Trackers struct{ *Vocabularies }

// Create makes trackers, all of them or none. Invalid, with the index of the tracker if there are several; Invalid/NameTaken.
func (s Trackers) Create(ctx context.Context, tenant parley.TenantID, wanted []parley.Tracker, bulk bool) ([]parley.Tracker, error) {
	made, now := make([]parley.Tracker, len(wanted)), s.now()
	for i, t := range wanted {
		t.Tenant, t.Created, t.Modified = tenant, now, now
		if err := formTracker(&t); err != nil {
			return nil, at(err, i, bulk)
		}
		made[i] = t
	}
	if i := repeated(made, func(t *parley.Tracker) string { return t.Name }); i >= 0 {
		return nil, at(nameTaken("name", made[i].Name), i, bulk)
	}
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		have, err := tx.Trackers().List(ctx, tenant)
		if err != nil {
			return err
		}
		if len(have)+len(made) > maxTrackers {
			return invalid("", "an account may have %d trackers; there are %d already", maxTrackers, len(have))
		}
		for i := range made {
			made[i].Number = newNumber()
			if err := tx.Trackers().Insert(ctx, &made[i]); err != nil {
				return at(quoted(err, made[i].Name), i, bulk)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("create trackers: %w", err)
	}
	return made, nil
}

// List is all trackers of a tenant, oldest first; with a name only the one that has it.
func (s Trackers) List(ctx context.Context, tenant parley.TenantID, name *string) ([]parley.Tracker, error) {
	all, err := list(ctx, s.store, tenant, parley.Tx.Trackers)
	if name != nil {
		all = slices.DeleteFunc(all, func(t parley.Tracker) bool { return t.Name != *name })
	}
	return all, err
}

// Find is the tracker of that number.
func (s Trackers) Find(ctx context.Context, tenant parley.TenantID, n parley.Number) (parley.Tracker, error) {
	return find(ctx, s.store, tenant, n, parley.Tx.Trackers)
}

// Delete removes a tracker; what it found stays.
func (s Trackers) Delete(ctx context.Context, tenant parley.TenantID, n parley.Number) error {
	return remove(ctx, s.Vocabularies, tenant, n, parley.Tx.Trackers)
}

// A TrackerChange is what a PUT says; nil = not told.
type TrackerChange struct {
	Name, Description                          *string
	Categories, Languages, Vocabulary, Exclude []string
}

// Merge applies a change: what is told replaces what was there, phrases apart, which are put before those that are there
// (reference 3.3).
func (s Trackers) Merge(ctx context.Context, tenant parley.TenantID, n parley.Number, c TrackerChange) (parley.Tracker, error) {
	return s.change(ctx, tenant, n, func(_ parley.Tx, t *parley.Tracker) error {
		if c.Name != nil {
			t.Name = *c.Name
		}
		if c.Description != nil {
			t.Description = *c.Description
		}
		for _, l := range []struct{ to, from *[]string }{{&t.Categories, &c.Categories}, {&t.Languages, &c.Languages}, {&t.Exclude, &c.Exclude}} {
			if *l.from != nil {
				*l.to = *l.from
			}
		}
		if c.Vocabulary != nil {
			if len(c.Vocabulary) == 0 {
				return errNoPhrase
			}
			if err := checkPhrases("vocabulary", c.Vocabulary); err != nil {
				return err
			}
			t.Vocabulary = united(c.Vocabulary, t.Vocabulary)
		}
		return nil
	})
}

// Act lets change work on what a hit does besides being recorded. Invalid/BadReference if To is no client application.
func (s Trackers) Act(ctx context.Context, tenant parley.TenantID, n parley.Number, change func(*parley.TrackerAction)) (parley.Tracker, error) {
	return s.change(ctx, tenant, n, func(tx parley.Tx, t *parley.Tracker) error {
		if change(&t.Action); t.Action.To.IsZero() {
			return nil
		}
		_, err := tx.Applications().Find(ctx, tenant, t.Action.To)
		if parley.KindOf(err) == parley.NotFound {
			err = &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "toApplicationId", Msg: "there is no client application of that id in the environment"}
		}
		return err
	})
}

// change lets fn work on a tracker, in one transaction.
func (s Trackers) change(ctx context.Context, tenant parley.TenantID, n parley.Number, fn func(parley.Tx, *parley.Tracker) error) (t parley.Tracker, err error) {
	err = s.store.Update(ctx, func(tx parley.Tx) (err error) {
		if t, err = tx.Trackers().Find(ctx, tenant, n); err != nil {
			return err
		}
		if err := fn(tx, &t); err != nil {
			return err
		}
		if err := formTracker(&t); err != nil {
			return err
		}
		t.Modified = s.now()
		return quoted(tx.Trackers().Replace(ctx, &t), t.Name)
	})
	if err != nil {
		return t, fmt.Errorf("change tracker %d: %w", n, err)
	}
	return t, nil
}

var errNoPhrase = invalid("vocabulary", "%q needs at least one phrase", "vocabulary")

// formTracker checks a tracker and fills in what was left out.
func formTracker(t *parley.Tracker) error {
	t.Name = strings.TrimSpace(t.Name)
	if err := checkName("name", t.Name); err != nil {
		return err
	}
	if err := checkText("description", t.Description); err != nil {
		return err
	}
	if len(t.Vocabulary) == 0 {
		return errNoPhrase
	}
	if t.Categories == nil {
		t.Categories = []string{}
	}
	if len(t.Languages) == 0 {
		t.Languages = []string{"en-US"}
	}
	for i, l := range t.Languages {
		if _, err := language.Parse(l); err != nil {
			return invalid("languages", "%q is not a language code such as en-US: %q", fmt.Sprintf("languages[%d]", i), l)
		}
	}
	for i, c := range t.Categories {
		if strings.TrimSpace(c) == "" {
			return invalid("categories", "%q is not allowed to be empty", fmt.Sprintf("categories[%d]", i))
		}
		if err := checkText(fmt.Sprintf("categories[%d]", i), c); err != nil {
			return err
		}
	}
	t.Vocabulary, t.Exclude = trimmed(t.Vocabulary), trimmed(t.Exclude)
	if err := checkPhrases("vocabulary", t.Vocabulary); err != nil {
		return err
	}
	return checkPhrases("excludeVocabulary", t.Exclude)
}

// checkPhrases checks a list of phrases.
func checkPhrases(field string, phrases []string) error {
	if len(phrases) > maxPhrases {
		return invalid(field, "%q may have %d phrases, not %d", field, maxPhrases, len(phrases))
	}
	for i, p := range phrases {
		if strings.ContainsAny(p, "()[]") {
			return invalid(field, "%q must be without brackets ( ) [ ]: %q", fmt.Sprintf("%s[%d]", field, i), p)
		}
	}
	return checkValues(field, phrases)
}

// checkValues wants every value to be there, and none twice, however it is written.
func checkValues(field string, values []string) error {
	seen := make(map[string]bool, len(values))
	for i, v := range values {
		if strings.TrimSpace(v) == "" {
			return invalid(field, "%q is not allowed to be empty", fmt.Sprintf("%s[%d]", field, i))
		}
		if err := checkText(fmt.Sprintf("%s[%d]", field, i), v); err != nil {
			return err
		}
		if seen[folded(v)] {
			return invalid(field, "%q has %q twice", field, strings.TrimSpace(v))
		}
		seen[folded(v)] = true
	}
	return nil
}

// united is the first list with those of the second that are not in it.
func united(first, second []string) []string {
	seen, all := map[string]bool{}, []string{}
	for _, p := range slices.Concat(first, second) {
		if !seen[folded(p)] {
			seen[folded(p)] = true
			all = append(all, p)
		}
	}
	return all
}

func trimmed(list []string) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = strings.TrimSpace(list[i])
	}
	return out
}

// A PatchOperation is one of a JSON Patch (RFC 6902). Value is nil if it is absent.
type PatchOperation struct {
	Op, Path string
	Value    json.RawMessage
}

func newNumber() parley.Number { return parley.NumberOf(ident.New[parley.Tracker]()) }
