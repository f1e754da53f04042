package insight

import (
	"context"
	"fmt"
	"strings"

	"parley"
)

// The limits of an entity (reference 4.1).
const maxValues = 1000

// Entities has the rules of custom entities. Safe for concurrent use.
type Entities struct{ *Vocabularies }

// Create makes entities, all of them or none. Invalid, with the index if there are several; Invalid/NameTaken.
func (s Entities) Create(ctx context.Context, tenant parley.TenantID, wanted []parley.Entity, bulk bool) ([]parley.Entity, error) {
	made, now := make([]parley.Entity, len(wanted)), s.now()
	for i, e := range wanted {
		e.Tenant, e.Created, e.Modified = tenant, now, now
		if err := formEntity(&e); err != nil {
			return nil, at(err, i, bulk)
		}
		made[i] = e
	}
	if i := repeated(made, func(e *parley.Entity) string { return e.Type + "\x00" + e.SubType }); i >= 0 {
		return nil, at(nameTaken("subType", made[i].SubType), i, bulk)
	}
	err := s.update(ctx, tenant, func(tx parley.Tx) error {
		for i := range made {
			made[i].Number = newNumber()
			if err := tx.Entities().Insert(ctx, &made[i]); err != nil {
				return at(quoted(err, made[i].SubType), i, bulk)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("create entities: %w", err)
	}
	return made, nil
}

// List is all entities of a tenant, oldest first.
func (s Entities) List(ctx context.Context, tenant parley.TenantID) ([]parley.Entity, error) {
	return list(ctx, s.store, tenant, parley.Tx.Entities)
}

// Find is the entity of that number.
func (s Entities) Find(ctx context.Context, tenant parley.TenantID, n parley.Number) (parley.Entity, error) {
	return find(ctx, s.store, tenant, n, parley.Tx.Entities)
}

// Delete removes an entity; what it found stays.
func (s Entities) Delete(ctx context.Context, tenant parley.TenantID, n parley.Number) error {
	return remove(ctx, s.Vocabularies, tenant, n, parley.Tx.Entities)
}

// DeleteSubType removes every entity of that subtype, whatever its type, and returns their numbers; NotFound if there is none.
func (s Entities) DeleteSubType(ctx context.Context, tenant parley.TenantID, subType string) (gone []parley.Number, err error) {
	err = s.update(ctx, tenant, func(tx parley.Tx) error {
		gone = nil
		all, err := tx.Entities().List(ctx, tenant)
		if err != nil {
			return err
		}
		for _, e := range all {
			if e.SubType != subType {
				continue
			}
			if err := tx.Entities().Delete(ctx, tenant, e.Number); err != nil {
				return err
			}
			gone = append(gone, e.Number)
		}
		if len(gone) == 0 {
			return &parley.Error{Kind: parley.NotFound, Msg: "there is no entity of that subType"}
		}
		return nil
	})
	return gone, err
}

// Replace puts an entity in place of the one with its number.
func (s Entities) Replace(ctx context.Context, e parley.Entity) (parley.Entity, error) {
	if err := formEntity(&e); err != nil {
		return e, err
	}
	err := s.update(ctx, e.Tenant, func(tx parley.Tx) error {
		was, err := tx.Entities().Find(ctx, e.Tenant, e.Number)
		if err != nil {
			return err
		}
		e.Created, e.Modified = was.Created, s.now()
		return quoted(tx.Entities().Replace(ctx, &e), e.SubType)
	})
	return e, err
}

func formEntity(e *parley.Entity) error {
	e.Type, e.SubType = strings.TrimSpace(e.Type), strings.TrimSpace(e.SubType)
	if err := checkName("type", e.Type); err != nil {
		return err
	}
	if err := checkName("subType", e.SubType); err != nil {
		return err
	}
	if len(e.Values) == 0 {
		return invalid("values", "%q needs at least one value", "values")
	}
	if len(e.Values) > maxValues {
		return invalid("values", "%q may have %d values, not %d", "values", maxValues, len(e.Values))
	}
	if err := checkValues("values", e.Values); err != nil {
		return err
	}
	e.Values = trimmed(e.Values)
	return nil
}
