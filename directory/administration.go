package directory

import (
	"context"
	"fmt"
	"slices"

	"parley"
	"parley/ident"
	"parley/tokens"
)

// Administration has the rules of organisations, environments and API clients. Every call says as whom it is made: an
// administrator of the default tenant may do everything, one of another tenant only what concerns that tenant, and
// hears of nothing else. It is safe for concurrent use.
type Administration struct {
	shared
	forget func(parley.APIClientID)
}

// NewAdministration returns the administration of the given records. forget is called when a client changed, so that this
// node does not remember it; other nodes forget by themselves within seconds.
func NewAdministration(cfg Config, records Records, forget func(parley.APIClientID)) *Administration {
	return &Administration{shared: newShared(cfg, records, nil), forget: forget}
}

// An Administrator is who acts, known by its tenant.
type Administrator parley.TenantID

// everywhere says whether the administrator is one of the default tenant.
func (a Administrator) everywhere() bool { return parley.TenantID(a) == parley.DefaultTenant }

// over is nil if the administrator may look after the tenant. Others hear that it does not exist.
func (a Administrator) over(tenant parley.TenantID) error {
	if a.everywhere() || parley.TenantID(a) == tenant {
		return nil
	}
	return errNoEnvironment
}

// overAll is nil for administrators of everything.
func (a Administrator) overAll() error {
	if a.everywhere() {
		return nil
	}
	return &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "only administrators of the default environment may do this"}
}

var (
	errNoEnvironment  = &parley.Error{Kind: parley.NotFound, Msg: "environment not found"}
	errNoOrganisation = &parley.Error{Kind: parley.NotFound, Msg: "organisation not found"}
)

// CreateOrganisation makes an organisation and returns its ID.
func (a *Administration) CreateOrganisation(ctx context.Context, as Administrator, name string) (parley.OrganisationID, error) {
	if err := as.overAll(); err != nil {
		return parley.OrganisationID{}, err
	}
	o := parley.Organisation{ID: ident.New[parley.Organisation](), Name: name, Created: a.now()}
	if err := a.records.Update(ctx, func(tx parley.Tx) error { return tx.InsertOrganisation(ctx, o) }); err != nil {
		return parley.OrganisationID{}, fmt.Errorf("create organisation: %w", err)
	}
	return o.ID, nil
}

// Organisations lists all, in order of creation.
func (a *Administration) Organisations(ctx context.Context, as Administrator) (all []parley.Organisation, err error) {
	if err := as.overAll(); err != nil {
		return nil, err
	}
	err = a.records.View(ctx, func(tx parley.Tx) (err error) {
		all, err = tx.Organisations(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list organisations: %w", err)
	}
	return all, nil
}

// Organisation is the one of that ID.
func (a *Administration) Organisation(ctx context.Context, as Administrator, id parley.OrganisationID) (parley.Organisation, error) {
	all, err := a.Organisations(ctx, as)
	if err != nil {
		return parley.Organisation{}, err
	}
	i := slices.IndexFunc(all, func(o parley.Organisation) bool { return o.ID == id })
	if i < 0 {
		return parley.Organisation{}, errNoOrganisation
	}
	return all[i], nil
}

// RenameOrganisation changes its name.
func (a *Administration) RenameOrganisation(ctx context.Context, as Administrator, id parley.OrganisationID, name string) error {
	if err := as.overAll(); err != nil {
		return err
	}
	return a.records.Update(ctx, func(tx parley.Tx) error {
		return tx.ReplaceOrganisation(ctx, parley.Organisation{ID: id, Name: name})
	})
}

// DeleteOrganisation removes it. Invalid/InUse while it has environments.
func (a *Administration) DeleteOrganisation(ctx context.Context, as Administrator, id parley.OrganisationID) error {
	if err := as.overAll(); err != nil {
		return err
	}
	return a.records.Update(ctx, func(tx parley.Tx) error { return tx.DeleteOrganisation(ctx, id) })
}

// CreateEnvironment makes a tenant of the given Organisation, Name and RequireBearer, with what is built in. The result
// has its secrets, which are not told again.
func (a *Administration) CreateEnvironment(ctx context.Context, as Administrator, t parley.Tenant) (parley.Tenant, error) {
	if err := as.overAll(); err != nil {
		return parley.Tenant{}, err
	}
	t.ID, t.WidgetSecret, t.Created = ident.New[parley.Tenant](), tokens.NewSecret(), a.now()
	t.Modified = t.Created
	if err := a.formOperations(&t, ""); err != nil {
		return parley.Tenant{}, err
	}
	err := a.records.Update(ctx, func(tx parley.Tx) error {
		all, err := tx.Organisations(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(o parley.Organisation) bool { return o.ID == t.Organisation }) {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "organisationId", Msg: "there is no organisation of that id"}
		}
		return tx.InsertTenant(ctx, t)
	})
	if err != nil {
		return parley.Tenant{}, fmt.Errorf("create environment: %w", err)
	}
	return t, nil
}

// Environments lists those the administrator looks after, in order of creation.
func (a *Administration) Environments(ctx context.Context, as Administrator) (all []parley.Tenant, err error) {
	err = a.records.View(ctx, func(tx parley.Tx) (err error) {
		all, err = tx.Tenants(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	return slices.DeleteFunc(all, func(t parley.Tenant) bool { return as.over(t.ID) != nil }), nil
}

// Environment is the one of that ID, with its widget secret: surfaces do not show that.
func (a *Administration) Environment(ctx context.Context, as Administrator, id parley.TenantID) (t parley.Tenant, err error) {
	if err := as.over(id); err != nil {
		return t, err
	}
	err = a.records.View(ctx, func(tx parley.Tx) (err error) {
		t, err = tx.Tenant(ctx, id)
		return err
	})
	return t, err
}

// ChangeEnvironment lets change work on the tenant and stores what comes out. IDs and times are not for change.
func (a *Administration) ChangeEnvironment(ctx context.Context, as Administrator, id parley.TenantID, change func(*parley.Tenant)) error {
	if err := as.over(id); err != nil {
		return err
	}
	return a.records.Update(ctx, func(tx parley.Tx) error {
		t, err := tx.Tenant(ctx, id)
		if err != nil {
			return err
		}
		before := t.OperationsURL
		change(&t)
		t.ID, t.Modified = id, a.now()
		if err := a.formOperations(&t, before); err != nil {
			return err
		}
		return tx.ReplaceTenant(ctx, t)
	})
}

// RenewWidgetSecret makes a new one, and returns it; identities signed with the old one are refused from now on.
func (a *Administration) RenewWidgetSecret(ctx context.Context, as Administrator, id parley.TenantID) (string, error) {
	secret := tokens.NewSecret()
	return secret, a.ChangeEnvironment(ctx, as, id, func(t *parley.Tenant) { t.WidgetSecret = secret })
}

// RenewOperationsSecret makes a new one, and returns it; notices are signed with it from now on.
func (a *Administration) RenewOperationsSecret(ctx context.Context, as Administrator, id parley.TenantID) (string, error) {
	secret := newSigningSecret()
	return secret, a.ChangeEnvironment(ctx, as, id, func(t *parley.Tenant) { t.OperationsSecret = secret })
}

// formOperations checks where a tenant wants to hear of failures, and makes the secret that signs it if there is none.
// What was good before stays.
func (a *Administration) formOperations(t *parley.Tenant, before string) error {
	if t.OperationsURL == "" || t.OperationsURL == before {
		return nil
	}
	if wrong := webAddress(t.OperationsURL, a.cfg.PlainHTTP, a.guard()); wrong != "" {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "operationsUrl", Msg: "operationsUrl " + wrong}
	}
	if t.OperationsSecret == "" {
		t.OperationsSecret = newSigningSecret()
	}
	return nil
}

// DeleteEnvironment removes a tenant. Invalid/InUse while it holds anything that was not built in.
func (a *Administration) DeleteEnvironment(ctx context.Context, as Administrator, id parley.TenantID) error {
	if err := as.overAll(); err != nil {
		return err
	}
	if id == parley.DefaultTenant {
		return &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "the default environment stays"}
	}
	return a.records.Update(ctx, func(tx parley.Tx) error { return tx.DeleteTenant(ctx, id) })
}
