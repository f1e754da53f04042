package tokens

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley"
)

// maxIdentity is how far ahead a visitor identity may end: it is made for one visit, by a server that can make another.
const maxIdentity = 24 * time.Hour

// A Visitor is who a site says its visitor is.
type Visitor struct {
	Contact string // stable address of the visitor, the sub of the statement; at most 255 bytes
	Name    string // as shown; "" if not told
}

// VerifyVisitor reads a visitor identity: a JWT (HS256) that the site's server signed with the tenant's widget secret.
// It needs a sub, and an exp at most 24 hours ahead. Unauthenticated if anything is wrong with it.
func (t *Tokens) VerifyVisitor(tenant *parley.Tenant, identity string) (Visitor, error) {
	if tenant.WidgetSecret == "" {
		return Visitor{}, refuse(errors.New("the tenant has no widget secret"))
	}
	if err := plausible(identity); err != nil {
		return Visitor{}, refuse(err)
	}
	var c struct {
		jwt.RegisteredClaims
		Name string `json:"name"`
	}
	_, err := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway), jwt.WithTimeFunc(t.cfg.Now), jwt.WithStrictDecoding(),
	).ParseWithClaims(identity, &c, func(*jwt.Token) (any, error) { return []byte(tenant.WidgetSecret), nil })
	switch {
	case err != nil:
		return Visitor{}, refuse(err)
	case c.ExpiresAt.Sub(t.cfg.Now()) > maxIdentity+leeway:
		return Visitor{}, refuse(errors.New("exp is more than 24 hours ahead"))
	case c.Subject == "" || len(c.Subject) > 255 || len(c.Name) > 255:
		return Visitor{}, refuse(errors.New("sub is missing, or sub or name is longer than 255 bytes"))
	}
	return Visitor{Contact: c.Subject, Name: c.Name}, nil
}
