package tokens

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley"
)

// A Link is what the holder of a signed URL may do: one method on one file, until it ends.
type Link struct {
	Tenant  parley.TenantID
	Asset   parley.AssetID
	Method  string // POST to upload, GET to download
	Expires time.Time
}

// audienceLink keeps links apart from tokens, should their keys ever be confused.
const audienceLink = "parley:link"

type linkClaims struct {
	jwt.RegisteredClaims
	Method string          `json:"method"`
	Tenant parley.TenantID `json:"tenant"`
}

// SignLink is the signature of a link: a JWT (HS256), as in the vendor's signed URLs (reference section 8).
func (t *Tokens) SignLink(ctx context.Context, l Link) (string, error) {
	key, err := t.keys.signer(ctx)
	if err != nil {
		return "", err
	}
	secret, err := key.linkSecret()
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, linkClaims{Method: l.Method, Tenant: l.Tenant, RegisteredClaims: jwt.RegisteredClaims{
		Subject: l.Asset.String(), Audience: jwt.ClaimStrings{audienceLink}, ExpiresAt: jwt.NewNumericDate(l.Expires)}})
	token.Header["kid"] = key.id
	signed, err := token.SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign link: %w", err)
	}
	return signed, nil
}

// VerifyLink reads a signature that must be good for that method. Forbidden/BadSignature if it is forged, has ended, or
// is for something else.
func (t *Tokens) VerifyLink(ctx context.Context, signature, method string) (Link, error) {
	var c linkClaims
	var failed error
	err := plausible(signature)
	if err == nil {
		_, err = jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(audienceLink), jwt.WithExpirationRequired(),
			jwt.WithTimeFunc(t.cfg.Now), jwt.WithStrictDecoding(),
		).ParseWithClaims(signature, &c, func(token *jwt.Token) (any, error) {
			kid, _ := token.Header["kid"].(string)
			key, ok, err := t.keys.find(ctx, kid)
			if err != nil {
				failed = err
				return nil, err
			}
			if !ok {
				return nil, errors.New("no key of that id")
			}
			return key.linkSecret()
		})
	}
	if failed != nil {
		return Link{}, failed
	}
	if err == nil && c.Method != method {
		err = fmt.Errorf("the link is for %s", c.Method)
	}
	asset, idErr := parley.ParseID[parley.Asset](c.Subject)
	if err = errors.Join(err, idErr); err != nil {
		return Link{}, &parley.Error{Kind: parley.Forbidden, Reason: parley.BadSignature, Field: "signature", Msg: "is not valid, or has expired", Err: err}
	}
	return Link{Tenant: c.Tenant, Asset: asset, Method: c.Method, Expires: c.ExpiresAt.Time}, nil
}

// linkSecret is an HMAC key of its own, derived from the signing key, so that links live and end with the same keys as
// tokens and there is no further secret to keep.
func (k *signingKey) linkSecret() ([]byte, error) {
	secret, err := hkdf.Key(sha256.New, k.private.Seed(), nil, audienceLink, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive link secret: %w", err)
	}
	return secret, nil
}
