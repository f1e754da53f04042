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

// CreateKey makes a key of the given Tenant, Kind, Name and Expires. The zero Tenant is the administrator's own. It returns the key,
// whose PublicID is the id, and its secret, which is kept as a hash only.
func (a *Administration) CreateKey(ctx context.Context, as Administrator, k parley.APIClient) (parley.APIClient, string, error) {
	if !slices.Contains(parley.KeyKinds(), k.Kind) {
		return k, "", &parley.Error{Kind: parley.Invalid, Reason: parley.OutsideEnum, Field: "kind", Msg: "there is no such kind of key"}
	}
	if err := a.checkExpiry(&k); err != nil {
		return k, "", err
	}
	k.Scopes, k.Application, k.Roles = k.Kind.Scopes(), parley.ApplicationID{}, nil
	return a.insertClient(ctx, as, k)
}

func (a *Administration) checkExpiry(k *parley.APIClient) error {
	if !k.Expires.IsZero() && !k.Expires.After(a.now()) {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "expiresAt", Msg: "must be in the future"}
	}
	return nil
}

// Key is the one of that id. One that was revoked is NotFound.
func (a *Administration) Key(ctx context.Context, as Administrator, publicID string) (k parley.APIClient, err error) {
	err = a.records.View(ctx, func(tx parley.Tx) (err error) {
		k, err = key(ctx, tx, as, publicID)
		return err
	})
	return k, err
}

func key(ctx context.Context, tx parley.Tx, as Administrator, publicID string) (parley.APIClient, error) {
	k, err := tx.ClientByPublicID(ctx, publicID)
	if parley.KindOf(err) == parley.NotFound || err == nil && (as.over(k.Tenant) != nil || !k.Revoked.IsZero() || k.Kind == "") {
		return parley.APIClient{}, &parley.Error{Kind: parley.NotFound, Msg: "key not found"}
	}
	return k, err
}

// Keys is a page of a tenant's keys that are not revoked, in order of creation, and how many there are; with a kind only those of
// it. The zero tenant is the administrator's own.
func (a *Administration) Keys(ctx context.Context, as Administrator, q parley.ClientQuery) (page []parley.APIClient, count int, err error) {
	if len(q.Kinds) == 0 {
		q.Kinds = parley.KeyKinds()
	}
	return a.clients(ctx, as, q)
}

// ChangeKey names a key anew, or changes when it ends; nil = as it is, and the zero time = never.
func (a *Administration) ChangeKey(ctx context.Context, as Administrator, publicID string, name *string, expires *time.Time) error {
	return a.changeKey(ctx, as, publicID, func(k *parley.APIClient) error {
		if name != nil {
			k.Name = *name
		}
		if expires == nil {
			return nil
		}
		k.Expires = *expires
		return a.checkExpiry(k)
	})
}

// RevokeKey ends a key for good, and the tokens that were given for it.
func (a *Administration) RevokeKey(ctx context.Context, as Administrator, publicID string) error {
	return a.changeKey(ctx, as, publicID, func(k *parley.APIClient) error {
		k.Revoked = a.now()
		return nil
	})
}

func (a *Administration) changeKey(ctx context.Context, as Administrator, publicID string, change func(*parley.APIClient) error) error {
	var id parley.APIClientID
	err := a.records.Update(ctx, func(tx parley.Tx) error {
		k, err := key(ctx, tx, as, publicID)
		if err != nil {
			return err
		}
		if err := change(&k); err != nil {
			return err
		}
		id, k.Modified = k.ID, a.now()
		return tx.ReplaceClient(ctx, k)
	})
	if err != nil {
		return fmt.Errorf("change key: %w", err)
	}
	a.forget(id)
	return nil
}

// insertClient stores a new client or key under a new ID, and returns it with its secret.
func (a *Administration) insertClient(ctx context.Context, as Administrator, c parley.APIClient) (parley.APIClient, string, error) {
	if c.Tenant.IsZero() {
		c.Tenant = parley.TenantID(as)
	}
	secret := tokens.NewSecret()
	c.ID, c.SecretHash, c.Created = ident.New[parley.APIClient](), tokens.HashSecret(secret), a.now()
	c.PublicID, c.Modified = c.ID.String(), c.Created
	err := a.records.Update(ctx, func(tx parley.Tx) error {
		if _, err := tx.Tenant(ctx, c.Tenant); parley.KindOf(err) == parley.NotFound || as.over(c.Tenant) != nil {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "environmentId", Msg: "there is no environment of that id"}
		} else if err != nil {
			return err
		}
		if err := bound(ctx, tx, &c); err != nil {
			return err
		}
		return tx.InsertClient(ctx, c)
	})
	if err != nil {
		return parley.APIClient{}, "", fmt.Errorf("create client: %w", err)
	}
	return c, secret, nil
}
