package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// DeleteTenant implements [parley.Administration].
func (t *tx) DeleteTenant(ctx context.Context, id parley.TenantID) error {
	key, err := t.s.tenantKey(ctx, t.db, id)
	if err != nil {
		return err
	}
	for _, use := range []struct{ what, count string }{
		{"API clients", "SELECT count(*) FROM clients WHERE tenant = ? AND revoked IS NULL"},
		{"configuration", "SELECT count(*) FROM objects WHERE tenant = ? AND built_in = 0"},
		{"trackers, entities or groups", "SELECT count(*) FROM vocabularies WHERE tenant = ?"},
		{"conversations", "SELECT count(*) FROM conversations WHERE tenant = ?"},
		{"assets", "SELECT count(*) FROM assets WHERE tenant = ?"},
	} {
		var n int
		if err := t.db.NewRaw(use.count, key).Scan(ctx, &n); err != nil {
			return err
		}
		if n > 0 {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.InUse, Msg: "the environment still has " + use.what}
		}
	}
	const dimensions = "(SELECT key FROM visit_dimensions WHERE tenant = ?)"
	for _, text := range []string{ // what refers comes before what is referred to
		"DELETE FROM clients WHERE tenant = ?", "DELETE FROM objects WHERE tenant = ?", "DELETE FROM availability WHERE tenant = ?",
		"DELETE FROM owed_notices WHERE receiver IN (SELECT key FROM receivers WHERE tenant = ?)", "DELETE FROM receivers WHERE tenant = ?", "DELETE FROM user_settings WHERE tenant = ?", "DELETE FROM generations WHERE tenant = ?",
		"DELETE FROM jobs WHERE tenant = ?", "DELETE FROM flows WHERE tenant = ?",
		"DELETE FROM notifications WHERE subscription IN (SELECT key FROM subscriptions WHERE tenant = ?)", "DELETE FROM subscriptions WHERE tenant = ?",
		"DELETE FROM event_attributes WHERE tenant = ?", "DELETE FROM tracked_events WHERE tenant = ?", "DELETE FROM event_definitions WHERE tenant = ?",
		"DELETE FROM agent_users WHERE tenant = ?", "DELETE FROM agent_states WHERE tenant = ?", "DELETE FROM erasures WHERE tenant = ?",
		"DELETE FROM visits WHERE dimension IN " + dimensions, "DELETE FROM visit_hours WHERE dimension IN " + dimensions,
		"DELETE FROM visit_hour_totals WHERE dimension IN " + dimensions, "DELETE FROM visit_day_totals WHERE dimension IN " + dimensions,
		"DELETE FROM visit_days WHERE series IN " + dimensions, "DELETE FROM visit_dimensions WHERE tenant = ?", "DELETE FROM figure_settings WHERE tenant = ?",
		"DELETE FROM retentions WHERE tenant = ?", "DELETE FROM retention_removed WHERE tenant = ?", "DELETE FROM audit WHERE tenant = ?",
		"DELETE FROM tenants WHERE key = ?",
	} {
		if _, err := t.db.NewRaw(text, key).Exec(ctx); err != nil {
			return err
		}
	}
	t.s.mu.Lock() // should the transaction fail after this, the key is read again
	delete(t.s.tenants, id)
	t.s.mu.Unlock()
	return nil
}

const clientColumns = `c.id, c.public_id, tn.id, c.name, c.secret_hash, c.scopes, c.application, c.roles, c.kind, c.expires, c.shown, c.revoked, c.created, c.modified
	FROM clients AS c JOIN tenants AS tn ON tn.key = c.tenant `

// InsertClient implements [parley.Administration].
func (t *tx) InsertClient(ctx context.Context, c parley.APIClient) error {
	tenant, err := t.s.tenantKey(ctx, t.db, c.Tenant)
	if err != nil {
		return err
	}
	scopes, roles, err := clientLists(c)
	if err != nil {
		return err
	}
	var shown []byte
	if c.Shown != "" {
		if shown, err = t.s.config.Seal.Encrypt([]byte(c.Shown), shownKeyContext(c.ID)); err != nil {
			return fmt.Errorf("seal key: %w", err)
		}
	}
	_, err = t.db.NewRaw(`INSERT INTO clients (id, public_id, tenant, name, secret_hash, scopes, application, roles, kind, expires, shown, revoked, created, modified)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, c.ID[:], c.PublicID, tenant, c.Name, c.SecretHash, scopes, optionalID(c.Application), roles,
		c.Kind, optionalTime(c.Expires), shown, optionalTime(c.Revoked), c.Created.UnixMilli(), c.Modified.UnixMilli()).Exec(ctx)
	if isUnique(err) {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.NameTaken, Field: "id", Msg: "is already in use", Err: err}
	}
	return err
}

// Client implements [parley.Administration].
func (t *tx) Client(ctx context.Context, id parley.APIClientID) (parley.APIClient, error) {
	return t.oneClient(ctx, "WHERE c.id = ?", id[:])
}

// ClientByPublicID implements [parley.Administration].
func (t *tx) ClientByPublicID(ctx context.Context, publicID string) (parley.APIClient, error) {
	if !findable(publicID) {
		return parley.APIClient{}, errNoClient
	}
	return t.oneClient(ctx, "WHERE c.public_id = ?", publicID)
}

// Clients implements [parley.Administration].
func (t *tx) Clients(ctx context.Context, q parley.ClientQuery) ([]parley.APIClient, int, error) {
	kinds := q.Kinds
	if len(kinds) == 0 {
		kinds = []parley.KeyKind{""}
	}
	const which = "WHERE tn.id = ? AND c.kind IN (?) AND c.revoked IS NULL"
	var count int
	if err := t.db.NewRaw("SELECT count(*) FROM clients AS c JOIN tenants AS tn ON tn.key = c.tenant "+which, q.Tenant[:], bun.List(kinds)).Scan(ctx, &count); err != nil {
		return nil, 0, err
	}
	page, err := t.selectClients(ctx, which+" ORDER BY c.created, c.id LIMIT ? OFFSET ?", q.Tenant[:], bun.List(kinds), q.Limit, q.Offset)
	return page, count, err
}

// ReplaceClient implements [parley.Administration]. PublicID, tenant, kind and creation stay.
func (t *tx) ReplaceClient(ctx context.Context, c parley.APIClient) error {
	scopes, roles, err := clientLists(c)
	if err != nil {
		return err
	}
	return t.one(ctx, "client", `UPDATE clients SET name = ?, secret_hash = ?, scopes = ?, application = ?, roles = ?, expires = ?, revoked = ?, modified = ? WHERE id = ?`,
		c.Name, c.SecretHash, scopes, optionalID(c.Application), roles, optionalTime(c.Expires), optionalTime(c.Revoked), c.Modified.UnixMilli(), c.ID[:])
}

var errNoClient = &parley.Error{Kind: parley.NotFound, Msg: "client not found"}

func (t *tx) oneClient(ctx context.Context, rest string, args ...any) (parley.APIClient, error) {
	all, err := t.selectClients(ctx, rest, args...)
	if err != nil {
		return parley.APIClient{}, err
	}
	if len(all) == 0 {
		return parley.APIClient{}, errNoClient
	}
	return all[0], nil
}

func (t *tx) selectClients(ctx context.Context, rest string, args ...any) ([]parley.APIClient, error) {
	rows, err := t.db.QueryContext(ctx, "SELECT "+clientColumns+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []parley.APIClient{}
	for rows.Next() {
		var c parley.APIClient
		var id, tenant, application, shown []byte
		var scopes, roles string
		var expires, revoked *int64
		var created, modified int64
		if err := rows.Scan(&id, &c.PublicID, &tenant, &c.Name, &c.SecretHash, &scopes, &application, &roles, &c.Kind, &expires, &shown, &revoked, &created, &modified); err != nil {
			return nil, err
		}
		c.ID, c.Tenant = parley.APIClientID(id), parley.TenantID(tenant)
		if application != nil {
			c.Application = parley.ApplicationID(application)
		}
		if shown != nil {
			secret, err := t.s.config.Seal.Decrypt(shown, shownKeyContext(c.ID))
			if err != nil {
				return nil, fmt.Errorf("open key %s: %w", c.ID, err)
			}
			c.Shown = string(secret)
		}
		c.Expires, c.Revoked, c.Created, c.Modified = moment(expires), moment(revoked), moment(&created), moment(&modified)
		if err := json.Unmarshal([]byte(scopes), &c.Scopes); err != nil {
			return nil, fmt.Errorf("read scopes of client %s: %w", c.ID, err)
		}
		if err := json.Unmarshal([]byte(roles), &c.Roles); err != nil {
			return nil, fmt.Errorf("read roles of client %s: %w", c.ID, err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// shownKeyContext binds a sealed key to its row.
func shownKeyContext(id parley.APIClientID) []byte { return []byte("key " + id.String()) }

func clientLists(c parley.APIClient) (scopes, roles string, err error) {
	s, err := json.Marshal(c.Scopes)
	if err != nil {
		return "", "", err
	}
	r, err := json.Marshal(c.Roles)
	return string(s), string(r), err
}

// optionalID is the value of a column that is NULL for the zero ID.
func optionalID[T any](id parley.ID[T]) []byte {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

// optionalTime is the value of a column that is NULL for the zero time.
func optionalTime(at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	ms := at.UnixMilli()
	return &ms
}

// signingKeyContext binds a sealed private key to its row.
func signingKeyContext(id string) []byte { return []byte("signing_keys.private:" + id) }

// SigningKeys implements [parley.Administration].
func (t *tx) SigningKeys(ctx context.Context) ([]parley.SigningKey, error) {
	rows, err := t.db.QueryContext(ctx, "SELECT id, private, created FROM signing_keys ORDER BY created, id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []parley.SigningKey
	for rows.Next() {
		var k parley.SigningKey
		var sealed []byte
		var created int64
		if err := rows.Scan(&k.ID, &sealed, &created); err != nil {
			return nil, err
		}
		if k.Private, err = t.s.config.Seal.Decrypt(sealed, signingKeyContext(k.ID)); err != nil {
			return nil, fmt.Errorf("open signing key %s (is this the keyset it was sealed with?): %w", k.ID, err)
		}
		k.Created = moment(&created)
		all = append(all, k)
	}
	return all, rows.Err()
}

// InsertSigningKey implements [parley.Administration].
func (t *tx) InsertSigningKey(ctx context.Context, k parley.SigningKey) error {
	sealed, err := t.s.config.Seal.Encrypt(k.Private, signingKeyContext(k.ID))
	if err != nil {
		return fmt.Errorf("seal signing key: %w", err)
	}
	_, err = t.db.NewRaw("INSERT INTO signing_keys (id, private, created) VALUES (?, ?, ?)", k.ID, sealed, k.Created.UnixMilli()).Exec(ctx)
	return err
}

// DeleteSigningKey implements [parley.Administration].
func (t *tx) DeleteSigningKey(ctx context.Context, id string) error {
	_, err := t.db.NewRaw("DELETE FROM signing_keys WHERE id = ?", id).Exec(ctx)
	return err
}
