package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"

	"parley"
)

// An OutsideIssuer is an identity provider whose access tokens are accepted. Its discovery document and keys are fetched
// when the first such token comes.
type OutsideIssuer struct {
	URL      string       // iss, exactly
	Audience string       // aud that its tokens for us have; required
	Client   *http.Client // nil means one that waits at most 5 seconds for an answer
}

const outsideTimeout = 5 * time.Second

// An outside verifies tokens of an OutsideIssuer. Its claim client_id, or azp, must be the PublicID of an API client.
type outside struct {
	cfg OutsideIssuer
	now func() time.Time

	flight   singleflight.Group // one discovery at a time
	verifier atomic.Pointer[oidc.IDTokenVerifier]
}

func newOutside(cfg OutsideIssuer, now func() time.Time) *outside {
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: outsideTimeout}
	}
	return &outside{cfg: cfg, now: now}
}

// issued says whether the token claims to be from this issuer. Nothing is checked yet.
func (o *outside) issued(token string) bool {
	var c jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(token, &c)
	return err == nil && c.Issuer == o.cfg.URL
}

// verify is the client id, scope and end of a good token.
func (o *outside) verify(ctx context.Context, token string) (id, scope string, expires time.Time, err error) {
	if err := plausible(token); err != nil {
		return "", "", time.Time{}, refuse(err)
	}
	v, err := o.discover()
	if err != nil {
		return "", "", time.Time{}, err
	}
	good, err := v.Verify(oidc.ClientContext(ctx, o.cfg.Client), token)
	if err != nil {
		return "", "", time.Time{}, refuse(err)
	}
	var c struct {
		ClientID string `json:"client_id"`
		AZP      string `json:"azp"`
		Scope    string `json:"scope"`
		SCP      any    `json:"scp"` // a string, or a list, depending on the provider
	}
	if err := good.Claims(&c); err != nil {
		return "", "", time.Time{}, refuse(err)
	}
	if id = c.ClientID; id == "" {
		id = c.AZP
	}
	scopes := []string{c.Scope}
	switch scp := c.SCP.(type) {
	case string:
		scopes = append(scopes, scp)
	case []any:
		for _, s := range scp {
			scopes = append(scopes, fmt.Sprint(s))
		}
	}
	return id, strings.Join(scopes, " "), good.Expiry, nil
}

// discover fetches the provider's document once it could. The provider keeps its context to fetch keys later, hence not
// the caller's.
func (o *outside) discover() (*oidc.IDTokenVerifier, error) {
	if v := o.verifier.Load(); v != nil {
		return v, nil
	}
	_, err, _ := o.flight.Do("", func() (any, error) {
		p, err := oidc.NewProvider(oidc.ClientContext(context.Background(), o.cfg.Client), o.cfg.URL)
		if err != nil {
			return nil, fmt.Errorf("discover issuer: %w", err)
		}
		o.verifier.Store(p.Verifier(&oidc.Config{ClientID: o.cfg.Audience, Now: o.now}))
		return nil, nil
	})
	return o.verifier.Load(), err
}

// grantOutside is what a client is worth that an outside issuer vouches for. Scopes that are not ours are passed over; a
// token that names none of any kind has all of the client's.
func (t *Tokens) grantOutside(ctx context.Context, publicID, scope string, expires time.Time) (Grant, error) {
	if publicID == "" {
		return Grant{}, refuse(errors.New("neither client_id nor azp"))
	}
	var found parley.APIClient
	err := t.records.View(ctx, func(tx parley.Tx) (err error) {
		found, err = tx.ClientByPublicID(ctx, publicID)
		return err
	})
	switch {
	case parley.KindOf(err) == parley.NotFound:
		return Grant{}, refuse(err)
	case err != nil:
		return Grant{}, fmt.Errorf("look up client: %w", err)
	case found.Ended(t.cfg.Now()):
		return Grant{}, refuse(errors.New("the client is revoked, or has expired"))
	}
	var ours []string
	for s := range strings.FieldsSeq(scope) {
		if granted, err := Granted(&found, s); err == nil {
			ours = append(ours, granted...)
		}
	}
	if strings.TrimSpace(scope) == "" {
		ours = found.Scopes
	}
	return grantOf(&found, ours, expires), nil
}
