package insight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"parley"
	"parley/insight/criteria"
)

// maxDescription is the length of a group's description, in characters (reference 5.1).
const maxDescription = 512

// Groups has the rules of conversation groups. Safe for concurrent use.
type Groups struct{ *Vocabularies }

// Create makes groups, all of them or none. Invalid, with the index if there are several; Invalid/NameTaken.
func (s Groups) Create(ctx context.Context, tenant parley.TenantID, wanted []parley.Group, bulk bool) ([]parley.Group, error) {
	made, now := make([]parley.Group, len(wanted)), s.now()
	for i, g := range wanted {
		g.Tenant, g.Created, g.Modified = tenant, now, now
		if err := formGroup(&g); err != nil {
			return nil, at(err, i, bulk)
		}
		made[i] = g
	}
	if i := repeated(made, func(g *parley.Group) string { return g.Name }); i >= 0 {
		return nil, at(nameTaken("name", made[i].Name), i, bulk)
	}
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		for i := range made {
			made[i].Number = newNumber()
			if err := tx.Groups().Insert(ctx, &made[i]); err != nil {
				return at(quoted(err, made[i].Name), i, bulk)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("create groups: %w", err)
	}
	return made, nil
}

// List is all groups of a tenant, oldest first.
func (s Groups) List(ctx context.Context, tenant parley.TenantID) ([]parley.Group, error) {
	return list(ctx, s.store, tenant, parley.Tx.Groups)
}

// Find is the group of that number.
func (s Groups) Find(ctx context.Context, tenant parley.TenantID, n parley.Number) (parley.Group, error) {
	return find(ctx, s.store, tenant, n, parley.Tx.Groups)
}

// Delete removes a group; its conversations stay as they are.
func (s Groups) Delete(ctx context.Context, tenant parley.TenantID, n parley.Number) error {
	return remove(ctx, s.Vocabularies, tenant, n, parley.Tx.Groups)
}

// Replace puts a group in place of the one with its number.
func (s Groups) Replace(ctx context.Context, g parley.Group) (parley.Group, error) {
	if err := formGroup(&g); err != nil {
		return g, err
	}
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		was, err := tx.Groups().Find(ctx, g.Tenant, g.Number)
		if err != nil {
			return err
		}
		g.Created, g.Modified = was.Created, s.now()
		return quoted(tx.Groups().Replace(ctx, &g), g.Name)
	})
	return g, err
}

func formGroup(g *parley.Group) error {
	g.Name = strings.TrimSpace(g.Name)
	if err := checkName("name", g.Name); err != nil {
		return err
	}
	if i := strings.IndexFunc(g.Name, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && !strings.ContainsRune(` -_"”'`, r)
	}); i >= 0 {
		return invalid("name", "%q may have letters, digits, spaces, hyphens, underscores and quotation marks, not %q", "name", []rune(g.Name[i:])[0])
	}
	if len([]rune(g.Description)) > maxDescription {
		return invalid("description", "%q may have %d characters", "description", maxDescription)
	}
	if err := checkText("description", g.Description); err != nil {
		return err
	}
	if g.Criteria == "" {
		return invalid("criteria", "%q is not allowed to be empty", "criteria")
	}
	if _, err := criteria.Parse(g.Criteria); err != nil {
		return named("criteria", err)
	}
	return nil
}

// named puts the member that something came in before what is wrong with it.
func named(field string, err error) error {
	e, ok := errors.AsType[*parley.Error](err)
	if !ok {
		return err
	}
	located := *e
	located.Field, located.Msg = cmp.Or(e.Field, field), fmt.Sprintf("%q: %s", field, e.Msg)
	return &located
}
