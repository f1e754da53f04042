package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	k.Scopes, k.Roles = k.Kind.Scopes(), nil
	if k.Kind != parley.KeyAgent {
		k.Application = parley.ApplicationID{}
	} else if k.Application.IsZero() {
		return k, "", &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "botId", Msg: "is required for a key of kind agent"}
	}
	return a.insertClient(ctx, as, k)
}

// A key of one string is the id and the secret, joined by keyMark: so that it is found by the one and proven by the other.
const keyMark = "."

// WholeKey is the key as one string.
func WholeKey(k *parley.APIClient, secret string) string { return k.PublicID + keyMark + secret }

// Open is the key of that kind that a string is. Unauthenticated for what is none, has expired or was revoked.
func (a *Administration) Open(ctx context.Context, kind parley.KeyKind, whole string) (k parley.APIClient, err error) {
	wrong := &parley.Error{Kind: parley.Unauthenticated, Msg: "the key is unknown, has expired or was revoked"}
	id, secret, ok := strings.Cut(whole, keyMark)
	if !ok {
		return k, wrong
	}
	err = a.records.View(ctx, func(tx parley.Tx) (err error) {
		k, err = tx.ClientByPublicID(ctx, id)
		return err
	})
	switch {
	case parley.KindOf(err) == parley.NotFound:
		tokens.SecretMatches(make([]byte, 32), secret) // so that an unknown id takes as long as a known one
		return parley.APIClient{}, wrong
	case err != nil:
		return parley.APIClient{}, fmt.Errorf("look up key: %w", err)
	case !tokens.SecretMatches(k.SecretHash, secret) || k.Kind != kind || k.Ended(a.now()):
		return parley.APIClient{}, wrong
	}
	return k, nil
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
	if c.Kind == parley.KeyBroker {
		c.Shown = WholeKey(&c, secret)
	}
	err := a.records.Update(ctx, func(tx parley.Tx) error {
		if _, err := tx.Tenant(ctx, c.Tenant); parley.KindOf(err) == parley.NotFound || as.over(c.Tenant) != nil {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "environmentId", Msg: "there is no environment of that id"}
		} else if err != nil {
			return err
		}
		if c.Kind == parley.KeyAgent {
			if _, _, err := find(ctx, tx, c.Tenant, c.Application); parley.KindOf(err) == parley.NotFound {
				return &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "botId", Msg: "there is no bot of that id in the environment"}
			} else if err != nil {
				return err
			}
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
