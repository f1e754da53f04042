package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

// Trackers, entities and groups share one table, and this one implementation of [parley.Vocabulary].

// A vocabulary implements [parley.Vocabulary] inside a transaction.
type vocabulary[T any] struct {
	t *tx
	vocabularyKind[T]
}

// A vocabularyKind says how one kind is stored.
type vocabularyKind[T any] struct {
	kind   string
	number func(*T) *parley.Number
	tenant func(*T) *parley.TenantID
	times  func(*T) (created, modified *time.Time)
	unique func(*T) (value, field string) // what no two of a tenant share, and its member on the wire
}

var (
	trackerKind = vocabularyKind[parley.Tracker]{
		kind:   "tracker",
		number: func(x *parley.Tracker) *parley.Number { return &x.Number },
		tenant: func(x *parley.Tracker) *parley.TenantID { return &x.Tenant },
		times:  func(x *parley.Tracker) (created, modified *time.Time) { return &x.Created, &x.Modified },
		unique: func(x *parley.Tracker) (value, field string) { return x.Name, "name" },
	}
	entityKind = vocabularyKind[parley.Entity]{
		kind:   "entity",
		number: func(x *parley.Entity) *parley.Number { return &x.Number },
		tenant: func(x *parley.Entity) *parley.TenantID { return &x.Tenant },
		times:  func(x *parley.Entity) (created, modified *time.Time) { return &x.Created, &x.Modified },
		unique: func(x *parley.Entity) (value, field string) {
			name, _ := json.Marshal([]string{x.Type, x.SubType}) // so that no two pairs run together
			return string(name), "subType"
		},
	}
	groupKind = vocabularyKind[parley.Group]{
		kind:   "group",
		number: func(x *parley.Group) *parley.Number { return &x.Number },
		tenant: func(x *parley.Group) *parley.TenantID { return &x.Tenant },
		times:  func(x *parley.Group) (created, modified *time.Time) { return &x.Created, &x.Modified },
		unique: func(x *parley.Group) (value, field string) { return x.Name, "name" },
	}
)

// Trackers implements [parley.Understanding], as do the two below.
func (t *tx) Trackers() parley.Vocabulary[parley.Tracker] {
	return vocabulary[parley.Tracker]{t, trackerKind}
}

func (t *tx) Entities() parley.Vocabulary[parley.Entity] {
	return vocabulary[parley.Entity]{t, entityKind}
}

func (t *tx) Groups() parley.Vocabulary[parley.Group] {
	return vocabulary[parley.Group]{t, groupKind}
}

// A vocabularyRow is what is written of one of a vocabulary.
type vocabularyRow struct {
	tenant                    int64
	name, field, body         string // field is the name's member on the wire
	number, created, modified int64
}

// row notes the change and says what is written.
func (v vocabulary[T]) row(ctx context.Context, one *T) (r vocabularyRow, err error) {
	if r.tenant, err = v.t.s.tenantKey(ctx, v.t.db, *v.tenant(one)); err != nil {
		return r, err
	}
	if err := v.t.changed(ctx, r.tenant); err != nil {
		return r, err
	}
	body, err := json.Marshal(one)
	if err != nil {
		return r, fmt.Errorf("write %s: %w", v.kind, err)
	}
	created, modified := v.times(one)
	r.name, r.field = v.unique(one)
	r.body, r.number, r.created, r.modified = string(body), int64(*v.number(one)), created.UnixMilli(), modified.UnixMilli()
	return r, nil
}

// Insert implements [parley.Vocabulary].
func (v vocabulary[T]) Insert(ctx context.Context, one *T) error {
	r, err := v.row(ctx, one)
	if err != nil {
		return err
	}
	var taken int
	if err := v.t.db.NewRaw("SELECT count(*) FROM vocabularies WHERE tenant = ? AND kind = ? AND name = ?", r.tenant, v.kind, r.name).Scan(ctx, &taken); err != nil {
		return err
	}
	if taken > 0 {
		return nameTaken(r.field, nil)
	}
	// Another process may have made the same number in the same quarter of a microsecond; the next one serves as well.
	if err := v.t.db.NewRaw(`INSERT INTO vocabularies (number, tenant, kind, name, body, created, modified)
		SELECT COALESCE((SELECT max(number) + 1 FROM vocabularies WHERE tenant = ? AND number BETWEEN ? AND ? + 1000), ?), ?, ?, ?, ?, ?, ? RETURNING number`,
		r.tenant, r.number, r.number, r.number, r.tenant, v.kind, r.name, r.body, r.created, r.created).Scan(ctx, v.number(one)); err != nil {
		if isUnique(err) {
			return nameTaken(r.field, err)
		}
		return fmt.Errorf("insert %s: %w", v.kind, err)
	}
	return nil
}

// Replace implements [parley.Vocabulary].
func (v vocabulary[T]) Replace(ctx context.Context, one *T) error {
	r, err := v.row(ctx, one)
	if err != nil {
		return err
	}
	err = v.t.one(ctx, v.kind, "UPDATE vocabularies SET name = ?, body = ?, modified = ? WHERE tenant = ? AND kind = ? AND number = ?",
		r.name, r.body, r.modified, r.tenant, v.kind, r.number)
	if isUnique(err) {
		return nameTaken(r.field, err)
	}
	return err
}

// Find implements [parley.Vocabulary].
func (v vocabulary[T]) Find(ctx context.Context, tenant parley.TenantID, number parley.Number) (T, error) {
	all, err := v.find(ctx, tenant, " AND v.number = ?", number)
	if err == nil && len(all) == 0 {
		err = &parley.Error{Kind: parley.NotFound, Msg: v.kind + " not found"}
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// List implements [parley.Vocabulary].
func (v vocabulary[T]) List(ctx context.Context, tenant parley.TenantID) ([]T, error) {
	return v.find(ctx, tenant, " ORDER BY v.number")
}

// Delete implements [parley.Vocabulary].
func (v vocabulary[T]) Delete(ctx context.Context, tenant parley.TenantID, number parley.Number) error {
	key, err := v.t.s.tenantKey(ctx, v.t.db, tenant)
	if err != nil {
		return err
	}
	if err := v.t.changed(ctx, key); err != nil {
		return err
	}
	return v.t.one(ctx, v.kind, "DELETE FROM vocabularies WHERE tenant = ? AND kind = ? AND number = ?", key, v.kind, number)
}

func (v vocabulary[T]) find(ctx context.Context, tenant parley.TenantID, rest string, args ...any) ([]T, error) {
	rows, err := v.t.db.QueryContext(ctx, `SELECT v.number, v.created, v.modified, v.body FROM vocabularies AS v JOIN tenants AS tn ON tn.key = v.tenant
		WHERE tn.id = ? AND v.kind = ?`+rest, append([]any{tenant[:], v.kind}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		var one T
		var number, created, modified int64
		var body []byte
		if err := rows.Scan(&number, &created, &modified, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &one); err != nil {
			return nil, fmt.Errorf("read %s %d: %w", v.kind, number, err)
		}
		c, m := v.times(&one)
		*v.number(&one), *v.tenant(&one), *c, *m = parley.Number(number), tenant, moment(&created), moment(&modified)
		all = append(all, one)
	}
	return all, rows.Err()
}

func nameTaken(field string, err error) error {
	return &parley.Error{Kind: parley.Invalid, Reason: parley.NameTaken, Field: field, Msg: "is already in use", Err: err}
}

// changed notes that the vocabularies or settings of a tenant change. It also puts such changes of one tenant one after the other.
func (t *tx) changed(ctx context.Context, tenant int64) error {
	return t.run(ctx, `INSERT INTO generations (tenant, generation) VALUES (?, 1)
		ON CONFLICT (tenant) DO UPDATE SET generation = generations.generation + 1`, tenant)
}

// Generation implements [parley.Understanding].
func (t *tx) Generation(ctx context.Context, tenant parley.TenantID) (generation int64, err error) {
	err = t.db.NewRaw("SELECT COALESCE((SELECT g.generation FROM generations AS g JOIN tenants AS tn ON tn.key = g.tenant WHERE tn.id = ?), 0)",
		tenant[:]).Scan(ctx, &generation)
	return generation, err
}

// UserSettings implements [parley.Understanding].
func (t *tx) UserSettings(ctx context.Context, tenant parley.TenantID) (parley.UserSettings, error) {
	s := parley.UserSettings{Tenant: tenant}
	err := t.db.NewRaw("SELECT u.number, u.document FROM user_settings AS u JOIN tenants AS tn ON tn.key = u.tenant WHERE tn.id = ?", tenant[:]).
		Scan(ctx, &s.Number, &s.Document)
	if parley.KindOf(notFound(err, "")) == parley.NotFound {
		return s, nil
	}
	return s, err
}

// PutUserSettings implements [parley.Understanding].
func (t *tx) PutUserSettings(ctx context.Context, s parley.UserSettings) error {
	tenant, err := t.s.tenantKey(ctx, t.db, s.Tenant)
	if err != nil {
		return err
	}
	if err := t.changed(ctx, tenant); err != nil {
		return err
	}
	return t.run(ctx, `INSERT INTO user_settings (tenant, number, document) VALUES (?, ?, ?)
		ON CONFLICT (tenant) DO UPDATE SET document = excluded.document`, tenant, s.Number, string(s.Document))
}
