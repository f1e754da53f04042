package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"golang.org/x/text/cases"

	"parley"
)

// EraseFile implements [parley.Erasures].
func (t *tx) EraseFile(ctx context.Context, tenant parley.TenantID, id parley.AssetID) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	return t.run(ctx, "DELETE FROM assets WHERE tenant = ? AND id = ?", owner, id[:])
}

// EraseUsers implements [parley.Erasures].
func (t *tx) EraseUsers(ctx context.Context, tenant parley.TenantID, address string) (int, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, err
	}
	nobody, err := json.Marshal(&parley.AgentUser{Anonymised: true})
	if err != nil {
		return 0, err
	}
	folded := cases.Fold().String(address)
	n, err := t.affected(ctx, `UPDATE agent_users SET email = '', phone = '', foreign_id = '', search = '', profile = ? WHERE tenant = ?
		AND (email = ? OR phone = ? OR lower(phone) = ? OR foreign_id = ? OR lower(foreign_id) = ?)`, string(nobody), owner, folded, address, folded, address, folded)
	if err != nil {
		return 0, fmt.Errorf("erase users: %w", err)
	}
	return int(n), nil
}

// InsertErasure implements [parley.Erasures].
func (t *tx) InsertErasure(ctx context.Context, e parley.Erasure) error {
	owner, err := t.s.tenantKey(ctx, t.db, e.Tenant)
	if err != nil {
		return err
	}
	removed, err := json.Marshal(&e.Removed)
	if err != nil {
		return err
	}
	return t.run(ctx, "INSERT INTO erasures (id, tenant, person, conversations, agent_users, removed, at) VALUES (?, ?, ?, ?, ?, ?, ?)", e.ID[:], owner, e.Person, e.Conversations, e.Users, string(removed), e.At.UnixMilli())
}

// Erasures implements [parley.Erasures].
func (t *tx) Erasures(ctx context.Context, tenant parley.TenantID, person []byte, offset, limit int) (page []parley.Erasure, count int, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, 0, err
	}
	where, args := "WHERE tenant = ?", []any{owner}
	if person != nil {
		where, args = where+" AND person = ?", append(args, person)
	}
	if err := t.db.NewRaw("SELECT COUNT(*) FROM erasures "+where, args...).Scan(ctx, &count); err != nil {
		return nil, 0, err
	}
	err = query(ctx, t.db, "SELECT id, person, conversations, agent_users, removed, at FROM erasures "+where+" ORDER BY at DESC, id DESC LIMIT ? OFFSET ?", append(args, limit, offset), func(rows *sql.Rows) error {
		e := parley.Erasure{Tenant: tenant}
		var id, removed []byte
		var at int64
		if err := rows.Scan(&id, &e.Person, &e.Conversations, &e.Users, &removed, &at); err != nil {
			return err
		}
		e.ID, e.At = parley.ErasureID(id), moment(&at)
		page = append(page, e)
		return json.Unmarshal(removed, &page[len(page)-1].Removed)
	})
	return page, count, err
}
