package store

import (
	"context"
	"encoding/json"
	"fmt"

	"parley"
)

// InsertOrganisation implements [parley.Administration].
func (t *tx) InsertOrganisation(ctx context.Context, o parley.Organisation) error {
	_, err := t.db.NewRaw("INSERT INTO organisations (id, name, created) VALUES (?, ?, ?)", o.ID[:], o.Name, o.Created.UnixMilli()).Exec(ctx)
	return err
}

// Organisations implements [parley.Administration].
func (t *tx) Organisations(ctx context.Context) ([]parley.Organisation, error) {
	rows, err := t.db.QueryContext(ctx, "SELECT id, name, created FROM organisations ORDER BY created, id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []parley.Organisation
	for rows.Next() {
		var o parley.Organisation
		var id []byte
		var created int64
		if err := rows.Scan(&id, &o.Name, &created); err != nil {
			return nil, err
		}
		o.ID, o.Created = parley.OrganisationID(id), moment(&created)
		all = append(all, o)
	}
	return all, rows.Err()
}

// ReplaceOrganisation implements [parley.Administration].
func (t *tx) ReplaceOrganisation(ctx context.Context, o parley.Organisation) error {
	return t.one(ctx, "organisation", "UPDATE organisations SET name = ? WHERE id = ?", o.Name, o.ID[:])
}

// DeleteOrganisation implements [parley.Administration].
func (t *tx) DeleteOrganisation(ctx context.Context, id parley.OrganisationID) error {
	var users int
	if err := t.db.NewRaw("SELECT count(*) FROM tenants WHERE organisation = ?", id[:]).Scan(ctx, &users); err != nil {
		return err
	}
	if users > 0 {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.InUse, Msg: "the organisation has environments"}
	}
	return t.one(ctx, "organisation", "DELETE FROM organisations WHERE id = ?", id[:])
}

// widgetSecretContext binds a sealed widget secret to its column and tenant, so that it cannot be moved elsewhere.
func widgetSecretContext(id parley.TenantID) []byte {
	return append([]byte("tenants.widget_secret:"), id[:]...)
}

// operationsContext does the same for where a tenant hears of failures.
func operationsContext(id parley.TenantID) []byte {
	return append([]byte("tenants.operations:"), id[:]...)
}

// operations is where a tenant hears of failures, as it is sealed.
type operations struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// sealTenant is what of a tenant is stored sealed.
func (t *tx) sealTenant(n *parley.Tenant) (widget, heard []byte, err error) {
	if widget, err = t.s.config.Seal.Encrypt([]byte(n.WidgetSecret), widgetSecretContext(n.ID)); err != nil {
		return nil, nil, fmt.Errorf("seal widget secret: %w", err)
	}
	if n.OperationsURL == "" && n.OperationsSecret == "" {
		return widget, nil, nil
	}
	text, err := json.Marshal(operations{n.OperationsURL, n.OperationsSecret})
	if err != nil {
		return nil, nil, err
	}
	if heard, err = t.s.config.Seal.Encrypt(text, operationsContext(n.ID)); err != nil {
		return nil, nil, fmt.Errorf("seal operations: %w", err)
	}
	return widget, heard, nil
}

// InsertTenant implements [parley.Administration].
func (t *tx) InsertTenant(ctx context.Context, n parley.Tenant) error {
	widget, heard, err := t.sealTenant(&n)
	if err != nil {
		return err
	}
	if _, err := t.db.NewRaw(`INSERT INTO tenants (id, organisation, name, require_bearer, widget_secret, created, modified, operations)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, n.ID[:], n.Organisation[:], n.Name, flag(n.RequireBearer), widget,
		n.Created.UnixMilli(), n.Modified.UnixMilli(), heard).Exec(ctx); err != nil {
		return err
	}
	return t.seedTenant(ctx, n)
}

// Tenant implements [parley.Administration].
func (t *tx) Tenant(ctx context.Context, id parley.TenantID) (parley.Tenant, error) {
	all, err := t.selectTenants(ctx, "WHERE id = ?", id[:])
	if err != nil {
		return parley.Tenant{}, err
	}
	if len(all) == 0 {
		return parley.Tenant{}, &parley.Error{Kind: parley.NotFound, Msg: "tenant not found"}
	}
	return all[0], nil
}

// Tenants implements [parley.Administration].
func (t *tx) Tenants(ctx context.Context) ([]parley.Tenant, error) {
	return t.selectTenants(ctx, "ORDER BY created, id")
}

func (t *tx) selectTenants(ctx context.Context, rest string, args ...any) ([]parley.Tenant, error) {
	rows, err := t.db.QueryContext(ctx, "SELECT id, organisation, name, require_bearer, widget_secret, created, modified, operations FROM tenants "+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []parley.Tenant
	for rows.Next() {
		var n parley.Tenant
		var id, organisation, sealed, heard []byte
		var bearer, created, modified int64
		if err := rows.Scan(&id, &organisation, &n.Name, &bearer, &sealed, &created, &modified, &heard); err != nil {
			return nil, err
		}
		n.ID, n.Organisation, n.RequireBearer = parley.TenantID(id), parley.OrganisationID(organisation), bearer != 0
		n.Created, n.Modified = moment(&created), moment(&modified)
		secret, err := t.s.config.Seal.Decrypt(sealed, widgetSecretContext(n.ID))
		if err != nil {
			return nil, fmt.Errorf("open widget secret of tenant %s (is this the keyset it was sealed with?): %w", n.ID, err)
		}
		n.WidgetSecret = string(secret)
		if heard != nil {
			text, err := t.s.config.Seal.Decrypt(heard, operationsContext(n.ID))
			if err != nil {
				return nil, fmt.Errorf("open operations of tenant %s: %w", n.ID, err)
			}
			var o operations
			if err := json.Unmarshal(text, &o); err != nil {
				return nil, fmt.Errorf("read operations of tenant %s: %w", n.ID, err)
			}
			n.OperationsURL, n.OperationsSecret = o.URL, o.Secret
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// ReplaceTenant implements [parley.Administration]; the secrets are replaced too.
func (t *tx) ReplaceTenant(ctx context.Context, n parley.Tenant) error {
	widget, heard, err := t.sealTenant(&n)
	if err != nil {
		return err
	}
	return t.one(ctx, "tenant", "UPDATE tenants SET name = ?, require_bearer = ?, widget_secret = ?, modified = ?, operations = ? WHERE id = ?",
		n.Name, flag(n.RequireBearer), widget, n.Modified.UnixMilli(), heard, n.ID[:])
}

// one runs a statement that must change exactly one row; NotFound if it changed none.
func (t *tx) one(ctx context.Context, what, text string, args ...any) error {
	result, err := t.db.NewRaw(text, args...).Exec(ctx)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return &parley.Error{Kind: parley.NotFound, Msg: what + " not found"}
	}
	return nil
}

// flag is how booleans are stored in both databases.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
