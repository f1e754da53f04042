package tokens

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley"
	"parley/ident"
)

// The audiences. A token has exactly one, so that one kind never passes for the other.
const (
	audienceAPI      = "parley:api"
	audienceCustomer = "parley:customer"
	audienceRefresh  = "parley:refresh"
)

// claims of both kinds of token; RFC 9068 names those it knows.
type claims struct {
	jwt.RegisteredClaims
	Tenant parley.TenantID `json:"tenant"`
	Scope  string          `json:"scope,omitempty"` // blank-separated

	// Of an API client, for people who look into a token: what counts is the record.
	ClientID    string               `json:"client_id,omitempty"`
	Application parley.ApplicationID `json:"app,omitzero"`
	Roles       []parley.Role        `json:"roles,omitempty"`

	// Of a customer; Subject is the contact's address.
	Account parley.AccountID `json:"account,omitzero"`
	Name    string           `json:"name,omitempty"`
}

// Issue makes an access token for a client with those of its scopes that were granted; see [Granted].
func (t *Tokens) Issue(ctx context.Context, client *parley.APIClient, scopes []string) (token string, expires time.Time, err error) {
	return t.IssueFor(ctx, client, scopes, t.cfg.Lifetime)
}

// MaxLifetime is how long an access token holds at most: those of the manage surface do so (reference/manage.md 1).
const MaxLifetime = 24 * time.Hour

// IssueFor is Issue of a token that holds so long, at most [MaxLifetime], and no longer than its client.
func (t *Tokens) IssueFor(ctx context.Context, client *parley.APIClient, scopes []string, life time.Duration) (token string, expires time.Time, err error) {
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: client.ID.String(), Audience: jwt.ClaimStrings{audienceAPI}},
		Tenant:           client.Tenant, Scope: strings.Join(scopes, " "),
		ClientID: client.PublicID, Application: client.Application, Roles: client.Roles,
	}
	life = min(life, MaxLifetime)
	if !client.Expires.IsZero() {
		life = min(life, client.Expires.Sub(t.cfg.Now()))
	}
	return t.sign(ctx, &c, life, "at+jwt")
}

// IssueRefresh makes a token that is good for nothing but [Tokens.Refresh], and no longer than its client.
func (t *Tokens) IssueRefresh(ctx context.Context, client *parley.APIClient, life time.Duration) (token string, expires time.Time, err error) {
	c := claims{RegisteredClaims: jwt.RegisteredClaims{Subject: client.ID.String(), Audience: jwt.ClaimStrings{audienceRefresh}}, Tenant: client.Tenant, ClientID: client.PublicID}
	life = min(life, MaxLifetime)
	if !client.Expires.IsZero() {
		life = min(life, client.Expires.Sub(t.cfg.Now()))
	}
	return t.sign(ctx, &c, life, "refresh+jwt")
}

// IssueCustomer makes a token by which one customer, known by the address of a contact, may chat on one account.
func (t *Tokens) IssueCustomer(ctx context.Context, tenant parley.TenantID, account parley.AccountID, contact, name string) (token string, expires time.Time, err error) {
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: contact, Audience: jwt.ClaimStrings{audienceCustomer}},
		Tenant:           tenant, Account: account, Name: name,
	}
	return t.sign(ctx, &c, t.cfg.Customer, "customer+jwt")
}

func (t *Tokens) sign(ctx context.Context, c *claims, life time.Duration, typ string) (string, time.Time, error) {
	key, err := t.keys.signer(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	now := t.cfg.Now().UTC().Truncate(time.Second)
	expires := now.Add(life)
	c.ID = ident.New[claims]().String()
	c.RegisteredClaims.Issuer = t.cfg.Issuer
	c.IssuedAt, c.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(expires)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, c)
	token.Header["kid"], token.Header["typ"] = key.id, typ
	signed, err := token.SignedString(key.private)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign token: %w", err)
	}
	return signed, expires, nil
}

// defaultScope ends a scope that means everything assigned to the client (reference 1.3), whatever resource precedes it.
const defaultScope = "/.default"

// Granted is what a client gets of the scopes it asks for, blank-separated: all of its own for an empty request or one
// ending in "/.default". Invalid if it asks for one by name that it does not have.
func Granted(client *parley.APIClient, requested string) ([]string, error) {
	var granted []string
	for s := range strings.FieldsSeq(requested) {
		switch {
		case strings.HasSuffix(s, defaultScope):
			return client.Scopes, nil
		case !slices.Contains(client.Scopes, s):
			return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.OutsideEnum, Field: "scope", Msg: "the client does not have a requested scope"}
		case !slices.Contains(granted, s):
			granted = append(granted, s)
		}
	}
	if granted == nil {
		return client.Scopes, nil
	}
	return granted, nil
}
