package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley"
	"parley/ident"
	"parley/tokens"
)

// CreateClient makes an API client of the given Tenant, Name, Scopes, Application and Roles. The zero Tenant is the
// administrator's own. It returns the client, whose PublicID is the client_id, and its secret, which is kept as a hash only.
func (a *Administration) CreateClient(ctx context.Context, as Administrator, c parley.APIClient) (parley.APIClient, string, error) {
	return a.insertClient(ctx, as, c)
}

// bound checks that a client that is bound to an application can speak as it.
func bound(ctx context.Context, tx parley.Tx, c *parley.APIClient) error {
	if c.Application.IsZero() {
		if len(c.Roles) > 0 {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "roles", Msg: "are those of an application, and applicationId is not there"}
		}
		return nil
	}
	app, err := tx.Applications().Find(ctx, c.Tenant, c.Application)
	if parley.KindOf(err) == parley.NotFound {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "applicationId", Msg: "there is no client application of that id in the environment"}
	}
	if err != nil {
		return err
	}
	var p problems
	for i, role := range c.Roles {
		if _, ok := app.Role(role); !ok {
			p.add(parley.BadReference, fmt.Sprintf("roles[%d]", i), "the client application has no role %s", role)
		}
	}
	return p.err()
}

// Client is the one of that client_id. One that was revoked is NotFound.
func (a *Administration) Client(ctx context.Context, as Administrator, publicID string) (c parley.APIClient, err error) {
	err = a.records.View(ctx, func(tx parley.Tx) (err error) {
		c, err = client(ctx, tx, as, publicID)
		return err
	})
	return c, err
}

func client(ctx context.Context, tx parley.Tx, as Administrator, publicID string) (parley.APIClient, error) {
	c, err := tx.ClientByPublicID(ctx, publicID)
	if err == nil && (as.over(c.Tenant) != nil || !c.Revoked.IsZero() || c.Kind != "") {
		return parley.APIClient{}, &parley.Error{Kind: parley.NotFound, Msg: "client not found"}
	}
	return c, err
}

// Clients is a page of a tenant's OAuth2 clients that are not revoked, in order of creation, and how many there are. The zero
// tenant is the administrator's own.
func (a *Administration) Clients(ctx context.Context, as Administrator, tenant parley.TenantID, offset, limit int) (page []parley.APIClient, count int, err error) {
	return a.clients(ctx, as, parley.ClientQuery{Tenant: tenant, Offset: offset, Limit: limit})
}

func (a *Administration) clients(ctx context.Context, as Administrator, q parley.ClientQuery) (page []parley.APIClient, count int, err error) {
	if q.Tenant.IsZero() {
		q.Tenant = parley.TenantID(as)
	}
	if !as.everywhere() && q.Tenant != parley.TenantID(as) {
		return []parley.APIClient{}, 0, nil // as for an environment that is not there
	}
	err = a.records.View(ctx, func(tx parley.Tx) (err error) {
		page, count, err = tx.Clients(ctx, q)
		return err
	})
	return page, count, err
}

// ChangeClient lets change work on the client's name, scopes, application and roles, and stores what comes out.
func (a *Administration) ChangeClient(ctx context.Context, as Administrator, publicID string, change func(*parley.APIClient)) error {
	var id parley.APIClientID
	err := a.records.Update(ctx, func(tx parley.Tx) error {
		was, err := client(ctx, tx, as, publicID)
		if err != nil {
			return err
		}
		c := was
		change(&c)
		c.ID, c.PublicID, c.Tenant, c.Modified = was.ID, was.PublicID, was.Tenant, a.now()
		id = c.ID
		if err := bound(ctx, tx, &c); err != nil {
			return err
		}
		return tx.ReplaceClient(ctx, c)
	})
	if err != nil {
		return fmt.Errorf("change client: %w", err)
	}
	a.forget(id)
	return nil
}

// RevokeClient ends a client for good: its tokens are refused here at once, and everywhere within seconds.
func (a *Administration) RevokeClient(ctx context.Context, as Administrator, publicID string) error {
	return a.ChangeClient(ctx, as, publicID, func(c *parley.APIClient) { c.Revoked = a.now() })
}

// Bootstrap makes the operator's own client in the default tenant, with every scope, or keeps it and gives it that
// secret. The client_id may be anything that no other client has.
func (a *Administration) Bootstrap(ctx context.Context, publicID, secret string) error {
	var id parley.APIClientID
	err := a.records.Update(ctx, func(tx parley.Tx) error {
		now := a.now()
		c, err := tx.ClientByPublicID(ctx, publicID)
		switch {
		case parley.KindOf(err) == parley.NotFound:
			return tx.InsertClient(ctx, parley.APIClient{ID: ident.New[parley.APIClient](), PublicID: publicID, Tenant: parley.DefaultTenant, Name: "bootstrap",
				SecretHash: tokens.HashSecret(secret), Scopes: parley.Scopes(), Created: now, Modified: now})
		case err != nil:
			return err
		case c.Tenant != parley.DefaultTenant:
			return &parley.Error{Kind: parley.Invalid, Reason: parley.NameTaken, Msg: "a client of another environment has this client_id"}
		}
		id = c.ID
		if tokens.SecretMatches(c.SecretHash, secret) && c.Revoked.IsZero() && slices.Equal(c.Scopes, parley.Scopes()) {
			return nil // several nodes start with the same flag
		}
		c.SecretHash, c.Scopes, c.Revoked, c.Modified = tokens.HashSecret(secret), parley.Scopes(), time.Time{}, now
		return tx.ReplaceClient(ctx, c)
	})
	if err != nil {
		return fmt.Errorf("bootstrap client: %w", err)
	}
	a.forget(id)
	return nil
}
