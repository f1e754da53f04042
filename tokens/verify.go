package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"parley"
)

const (
	// clientTTL is how long what a client may do is remembered; a revoked one is refused after that at the latest.
	clientTTL = 5 * time.Second
	// maxChecked and maxClients bound the caches. When one is full it starts anew: that costs each token one signature.
	maxChecked = 10_000
	maxClients = 10_000
)

type knownClient struct {
	client parley.APIClient
	until  time.Time
}

type checkedToken struct {
	claims *claims // never changed
}

// Verify says what the bearer of an access token may do: of one of ours, or of the outside issuer if there is one.
func (t *Tokens) Verify(ctx context.Context, token string) (Grant, error) {
	if t.outside != nil && t.outside.issued(token) {
		id, scope, expires, err := t.outside.verify(ctx, token)
		if err != nil {
			return Grant{}, err
		}
		return t.grantOutside(ctx, id, scope, expires)
	}
	c, err := t.check(ctx, token, audienceAPI)
	if err != nil {
		return Grant{}, err
	}
	return t.grant(ctx, c)
}

// Refresh is the client that a refresh token was made for. Unauthenticated if it is not good, or the client may not act any more.
func (t *Tokens) Refresh(ctx context.Context, token string) (parley.APIClient, error) {
	c, err := t.parse(ctx, token, audienceRefresh, leeway)
	if err != nil {
		return parley.APIClient{}, err
	}
	id, err := parley.ParseID[parley.APIClient](c.Subject)
	if err != nil {
		return parley.APIClient{}, refuse(err)
	}
	client, err := t.client(ctx, id)
	if err == nil && client.Tenant != c.Tenant {
		err = refuse(errors.New("the client belongs to another tenant"))
	}
	return client, err
}

// VerifyCustomer says as whom the bearer of a customer's token may chat.
func (t *Tokens) VerifyCustomer(ctx context.Context, token string) (Grant, error) {
	c, err := t.check(ctx, token, audienceCustomer)
	if err != nil {
		return Grant{}, err
	}
	return t.grant(ctx, c)
}

// VerifySession takes tokens of both kinds, for sessions, where clients and customers connect in the same way.
func (t *Tokens) VerifySession(ctx context.Context, token string) (Grant, error) {
	if audienceOf(token) == audienceCustomer {
		return t.VerifyCustomer(ctx, token)
	}
	return t.Verify(ctx, token)
}

// VerifyRenewal is VerifyCustomer for a token that may have ended up to 30 days ago: it no longer lets anyone chat, but
// still proves who comes back.
func (t *Tokens) VerifyRenewal(ctx context.Context, token string) (Grant, error) {
	c, err := t.parse(ctx, token, audienceCustomer, renewable)
	if err != nil {
		return Grant{}, err
	}
	return t.grant(ctx, c)
}

// check verifies signature, issuer, audience and times. A signature that was good once is not computed again.
func (t *Tokens) check(ctx context.Context, token, audience string) (*claims, error) {
	key := sha256.Sum256([]byte(token))
	t.mu.Lock()
	known, ok := t.checked[key]
	t.mu.Unlock()
	if ok && slices.Contains(known.claims.Audience, audience) {
		if !t.cfg.Now().Before(known.claims.ExpiresAt.Add(leeway)) {
			return nil, refuse(jwt.ErrTokenExpired)
		}
		return known.claims, nil
	}
	c, err := t.parse(ctx, token, audience, leeway)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.checked) >= maxChecked {
		clear(t.checked)
	}
	t.checked[key] = checkedToken{c}
	return c, nil
}

// parse verifies a token of ours from scratch.
func (t *Tokens) parse(ctx context.Context, token, audience string, leeway time.Duration) (*claims, error) {
	if err := plausible(token); err != nil {
		return nil, refuse(err)
	}
	c := new(claims)
	var failed error // of the store, which is not the bearer's fault
	_, err := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(t.cfg.Issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(t.cfg.Now),
		jwt.WithStrictDecoding(),
	).ParseWithClaims(token, c, func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		key, ok, err := t.keys.find(ctx, kid)
		if err != nil {
			failed = err
			return nil, err
		}
		if !ok {
			return nil, errors.New("no key of that id")
		}
		return key.private.Public(), nil
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, refuse(err)
	case len(c.Audience) != 1:
		return nil, refuse(errors.New("more than one audience"))
	}
	return c, nil
}

// plausible refuses what need not be parsed: too long, or with a claim twice, which two readers could read differently.
func plausible(token string) error {
	if len(token) > maxToken {
		return errors.New("too long")
	}
	for i, part := range strings.Split(token, ".") {
		if i == 2 {
			break
		}
		text, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || !jsontext.Value(text).IsValid() {
			return errors.New("not JSON in base64url, or a claim is there twice")
		}
	}
	return nil
}

// audienceOf reads the audience without checking anything; it decides only which check is made.
func audienceOf(token string) string {
	var c jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &c); err != nil || len(c.Audience) != 1 {
		return ""
	}
	return c.Audience[0]
}

// grant is what good claims are worth.
func (t *Tokens) grant(ctx context.Context, c *claims) (Grant, error) {
	if c.Audience[0] == audienceCustomer {
		return Grant{Tenant: c.Tenant, Name: c.Name, Expires: c.ExpiresAt.Time, Speaker: parley.Speaker{
			Tenant: c.Tenant, Application: parley.WidgetApplication, Roles: []parley.Role{parley.Customer}, Contact: c.Subject, Account: c.Account}}, nil
	}
	id, err := parley.ParseID[parley.APIClient](c.Subject)
	if err != nil {
		return Grant{}, refuse(err)
	}
	client, err := t.client(ctx, id)
	if err != nil {
		return Grant{}, err
	}
	if client.Tenant != c.Tenant {
		return Grant{}, refuse(errors.New("the client belongs to another tenant"))
	}
	var scopes []string
	for s := range strings.FieldsSeq(c.Scope) {
		if slices.Contains(client.Scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return grantOf(&client, scopes, c.ExpiresAt.Time), nil
}

func grantOf(client *parley.APIClient, scopes []string, expires time.Time) Grant {
	return Grant{Tenant: client.Tenant, Client: client.ID, Scopes: scopes, Expires: expires,
		Speaker: parley.Speaker{Tenant: client.Tenant, Application: client.Application, Roles: client.Roles}}
}

// client is the record of a client that may still act, at most clientTTL old.
func (t *Tokens) client(ctx context.Context, id parley.APIClientID) (parley.APIClient, error) {
	now := t.cfg.Now()
	t.mu.Lock()
	known, ok := t.clients[id]
	t.mu.Unlock()
	if !ok || !now.Before(known.until) {
		found, err, _ := t.flight.Do(string(id[:]), func() (any, error) {
			var c parley.APIClient
			// One read serves several callers, so it does not end with the first one's request.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clientTTL)
			defer cancel()
			err := t.records.View(ctx, func(tx parley.Tx) (err error) {
				c, err = tx.Client(ctx, id)
				return err
			})
			return c, err
		})
		switch {
		case parley.KindOf(err) == parley.NotFound:
			return parley.APIClient{}, refuse(err)
		case err != nil:
			return parley.APIClient{}, fmt.Errorf("look up client %s: %w", id, err)
		}
		known = knownClient{found.(parley.APIClient), now.Add(clientTTL)}
		t.mu.Lock()
		if len(t.clients) >= maxClients {
			clear(t.clients)
		}
		t.clients[id] = known
		t.mu.Unlock()
	}
	if known.client.Ended(now) {
		return parley.APIClient{}, refuse(errors.New("the client is revoked, or has expired"))
	}
	return known.client, nil
}

// Authenticate is the client of that client_id and secret. Unauthenticated for an unknown, revoked or expired client and for a
// wrong secret alike.
func (t *Tokens) Authenticate(ctx context.Context, publicID, secret string) (parley.APIClient, error) {
	var c parley.APIClient
	err := t.records.View(ctx, func(tx parley.Tx) (err error) {
		c, err = tx.ClientByPublicID(ctx, publicID)
		return err
	})
	wrong := &parley.Error{Kind: parley.Unauthenticated, Msg: "the client is unknown, or its secret is wrong"}
	switch {
	case parley.KindOf(err) == parley.NotFound:
		SecretMatches(make([]byte, 32), secret) // so that an unknown id takes as long as a known one
		return parley.APIClient{}, wrong
	case err != nil:
		return parley.APIClient{}, fmt.Errorf("look up client: %w", err)
	case !SecretMatches(c.SecretHash, secret) || c.Ended(t.cfg.Now()):
		return parley.APIClient{}, wrong
	}
	return c, nil
}

// Forget drops what is remembered of a client, so that a change made on this node holds at once.
func (t *Tokens) Forget(id parley.APIClientID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.clients, id)
}
