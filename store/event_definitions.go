package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"parley"
)

// EventDefinitions implements [parley.Events].
func (t *tx) EventDefinitions(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, after parley.NamePlace, limit int) (all []parley.EventDefinition, err error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	where, args := "tenant = ?", []any{key}
	if !bot.IsZero() {
		where, args = where+" AND bot = ?", append(args, bot[:])
	}
	err = query(ctx, t.db, "SELECT bot, name, defined, created, modified, body FROM event_definitions WHERE "+where+" AND (name > ? OR name = ? AND bot > ?) ORDER BY name, bot LIMIT ?",
		append(args, after.Name, after.Name, after.Bot[:], limit), func(rows *sql.Rows) error {
			d := parley.EventDefinition{Tenant: tenant}
			var owner, body []byte
			var defined, created, modified int64
			if err := rows.Scan(&owner, &d.Name, &defined, &created, &modified, &body); err != nil {
				return err
			}
			d.Bot, d.Defined, d.Created, d.Modified = parley.ApplicationID(owner), defined != 0, moment(&created), moment(&modified)
			err := json.Unmarshal(body, &d)
			all = append(all, d)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read definitions of events: %w", err)
	}
	return all, nil
}

// DefineEvent implements [parley.Events].
func (t *tx) DefineEvent(ctx context.Context, d *parley.EventDefinition) error {
	tenant, err := t.s.tenantKey(ctx, t.db, d.Tenant)
	if err != nil {
		return err
	}
	d.Defined = true
	d.Created = d.Modified
	if err := t.nameEvent(ctx, tenant, d); err != nil {
		return err
	}
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	var created int64
	err = t.db.NewRaw("UPDATE event_definitions SET defined = 1, modified = ?, body = ? WHERE tenant = ? AND name = ? AND bot = ? RETURNING created",
		d.Modified.UnixMilli(), string(body), tenant, d.Name, d.Bot[:]).Scan(ctx, &created)
	if err != nil {
		return fmt.Errorf("define event: %w", err)
	}
	d.Created = moment(&created)
	return nil
}

// nameEvent sees to it that a name is among a bot's.
func (t *tx) nameEvent(ctx context.Context, tenant int64, d *parley.EventDefinition) error {
	var there, names int
	if err := t.db.NewRaw("SELECT count(*) FROM event_definitions WHERE tenant = ? AND bot = ? AND name = ?", tenant, d.Bot[:], d.Name).Scan(ctx, &there); err != nil || there > 0 {
		return err
	}
	if err := t.db.NewRaw("SELECT count(*) FROM event_definitions WHERE tenant = ? AND bot = ?", tenant, d.Bot[:]).Scan(ctx, &names); err != nil {
		return err
	}
	if names >= parley.MaxEventNames {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "event",
			Msg: fmt.Sprintf("the events of this bot have %d different names already, and another one is not taken", names)}
	}
	return t.run(ctx, "INSERT INTO event_definitions (tenant, bot, name, defined, created, modified, body) VALUES (?, ?, ?, 0, ?, ?, '{}') ON CONFLICT DO NOTHING",
		tenant, d.Bot[:], d.Name, d.Created.UnixMilli(), d.Modified.UnixMilli())
}

// EventValues implements [parley.Events].
func (t *tx) EventValues(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, attribute, has string, limit int) (values []string, err error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(has)) + "%"
	err = t.db.NewRaw(`SELECT DISTINCT value FROM event_attributes WHERE tenant = ? AND bot = ? AND name = ? AND folded LIKE ? ESCAPE '\' ORDER BY value LIMIT ?`,
		key, bot[:], attribute, like, limit).Scan(ctx, &values)
	if err != nil {
		return nil, fmt.Errorf("read values of an attribute: %w", err)
	}
	return values, nil
}
