package tokens

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"parley"
)

func decode(t *testing.T, token string, part int) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[part])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge signs any header and claims with any method and key.
func forge(t *testing.T, method jwt.SigningMethod, key any, header, claims string) string {
	t.Helper()
	text := encode(header) + "." + encode(claims)
	signature, err := method.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// None of the known ways to pass off a token works.
func TestForgedTokensAreRefused(t *testing.T) {
	b := newBench(t)
	good := b.issue(t, parley.ScopeRead)
	if _, err := b.Verify(t.Context(), good); err != nil {
		t.Fatalf("the token the forgeries are made of is refused: %v", err)
	}
	header, body, signature := decode(t, good, 0), decode(t, good, 1), good[strings.LastIndexByte(good, '.')+1:]
	own, err := b.keys.signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	public := own.private.Public().(ed25519.PublicKey)
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	alg := func(name string) string { return strings.Replace(header, `"EdDSA"`, `"`+name+`"`, 1) }
	// resigned has different claims under our own key: only the check of that claim can refuse it.
	resigned := func(change func(map[string]any)) string {
		var c map[string]any
		if err := json.Unmarshal([]byte(body), &c); err != nil {
			t.Fatal(err)
		}
		change(c)
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return forge(t, jwt.SigningMethodEdDSA, own.private, header, string(text))
	}
	if _, err := b.Verify(t.Context(), resigned(func(map[string]any) {})); err != nil {
		t.Fatalf("a token signed again without change is refused: %v", err)
	}
	kid := func(kid string) string { return strings.Replace(header, own.id, kid, 1) }
	customer, _, err := b.IssueCustomer(t.Context(), b.client.Tenant, parley.AccountID{15: 1}, b.client.ID.String(), "")
	if err != nil {
		t.Fatal(err)
	}

	forgeries := map[string]string{
		"nothing":                   "",
		"no token":                  "abc",
		"two parts":                 good[:strings.LastIndexByte(good, '.')],
		"four parts":                good + ".e30",
		"empty signature":           good[:strings.LastIndexByte(good, '.')+1],
		"padded signature":          good + "==",
		"blank inside":              strings.Replace(good, ".", " .", 1),
		"oversized":                 strings.Repeat("a", maxToken) + good,
		"alg none":                  encode(alg("none")) + "." + encode(body) + ".",
		"alg none, signature kept":  encode(alg("none")) + "." + encode(body) + "." + signature,
		"alg NONE":                  encode(alg("NonE")) + "." + encode(body) + ".",
		"HS256 with the public key": forge(t, jwt.SigningMethodHS256, []byte(public), alg("HS256"), body),
		"HS256 with the PEM":        forge(t, jwt.SigningMethodHS256, publicPEM, alg("HS256"), body),
		"HS256 with an empty key":   forge(t, jwt.SigningMethodHS256, []byte{}, alg("HS256"), body),
		"RS256":                     forge(t, jwt.SigningMethodRS256, rsaKey, alg("RS256"), body),
		"a stranger's key":          forge(t, jwt.SigningMethodEdDSA, stranger, header, body),
		"a stranger's key, inline":  forge(t, jwt.SigningMethodEdDSA, stranger, strings.Replace(header, "{", `{"jwk":{"kty":"OKP","crv":"Ed25519","x":"`+base64.RawURLEncoding.EncodeToString(stranger.Public().(ed25519.PublicKey))+`"},`, 1), body),
		"changed claims":            encode(header) + "." + encode(strings.Replace(body, parley.ScopeRead, parley.ScopeAdmin, 1)) + "." + signature,
		"changed header":            encode(header+" ") + "." + encode(body) + "." + signature,
		"kid as path":               forge(t, jwt.SigningMethodEdDSA, own.private, kid("../../../../dev/null"), body),
		"kid as SQL":                forge(t, jwt.SigningMethodEdDSA, own.private, kid("' OR '1'='1"), body),
		"kid as URL":                forge(t, jwt.SigningMethodEdDSA, own.private, kid("https://evil.example/key"), body),
		"no kid":                    forge(t, jwt.SigningMethodEdDSA, own.private, `{"alg":"EdDSA"}`, body),
		"kid is a number":           forge(t, jwt.SigningMethodEdDSA, own.private, `{"alg":"EdDSA","kid":1}`, body),
		"wrong issuer":              resigned(func(c map[string]any) { c["iss"] = "https://evil.example" }),
		"no issuer":                 resigned(func(c map[string]any) { delete(c, "iss") }),
		"wrong audience":            resigned(func(c map[string]any) { c["aud"] = "elsewhere" }),
		"two audiences":             resigned(func(c map[string]any) { c["aud"] = []string{audienceAPI, audienceCustomer} }),
		"no audience":               resigned(func(c map[string]any) { delete(c, "aud") }),
		"expired":                   resigned(func(c map[string]any) { c["exp"] = b.now.Add(-time.Minute).Unix() }),
		"no expiry":                 resigned(func(c map[string]any) { delete(c, "exp") }),
		"not yet valid":             resigned(func(c map[string]any) { c["nbf"] = b.now.Add(time.Minute).Unix() }),
		"issued tomorrow":           resigned(func(c map[string]any) { c["iat"] = b.now.Add(24 * time.Hour).Unix() }),
		"client of another tenant":  resigned(func(c map[string]any) { c["tenant"] = parley.DefaultTenant.String() }),
		"client that is not there":  resigned(func(c map[string]any) { c["sub"] = parley.APIClientID{15: 99}.String() }),
		"sub is no id":              resigned(func(c map[string]any) { c["sub"] = "crm" }),
		"a claim twice":             forge(t, jwt.SigningMethodEdDSA, own.private, header, strings.Replace(body, "{", `{"tenant":"`+parley.DefaultTenant.String()+`",`, 1)),
		"a customer's token":        customer,
	}
	for name, token := range forgeries {
		t.Run(name, func(t *testing.T) {
			if g, err := b.Verify(t.Context(), token); err == nil || parley.KindOf(err) != parley.Unauthenticated {
				t.Errorf("Verify = %+v, %v; want Unauthenticated", g, err)
			}
			if name == "a customer's token" {
				return
			}
			if g, err := b.VerifySession(t.Context(), token); err == nil {
				t.Errorf("VerifySession = %+v", g)
			}
		})
	}
	for name, verify := range map[string]func() (Grant, error){
		"VerifyCustomer": func() (Grant, error) { return b.VerifyCustomer(t.Context(), good) },
		"VerifyRenewal":  func() (Grant, error) { return b.VerifyRenewal(t.Context(), good) },
	} {
		if g, err := verify(); err == nil {
			t.Errorf("%s takes an access token: %+v", name, g)
		}
	}
}

func TestVisitorIdentity(t *testing.T) {
	b := newBench(t)
	tenant := &parley.Tenant{ID: parley.DefaultTenant, WidgetSecret: "widget"}
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	soon := b.now.Add(time.Hour).Unix()
	v, err := b.VerifyVisitor(tenant, sign(jwt.SigningMethodHS256, []byte("widget"), jwt.MapClaims{"sub": "u1", "name": "Eva", "exp": soon}))
	if err != nil || v != (Visitor{Contact: "u1", Name: "Eva"}) {
		t.Errorf("VerifyVisitor = %+v, %v", v, err)
	}
	for name, identity := range map[string]string{
		"other secret":    sign(jwt.SigningMethodHS256, []byte("other"), jwt.MapClaims{"sub": "u1", "exp": soon}),
		"none":            sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "u1", "exp": soon}),
		"HS512":           sign(jwt.SigningMethodHS512, []byte("widget"), jwt.MapClaims{"sub": "u1", "exp": soon}),
		"no end":          sign(jwt.SigningMethodHS256, []byte("widget"), jwt.MapClaims{"sub": "u1"}),
		"two days":        sign(jwt.SigningMethodHS256, []byte("widget"), jwt.MapClaims{"sub": "u1", "exp": b.now.Add(48 * time.Hour).Unix()}),
		"expired":         sign(jwt.SigningMethodHS256, []byte("widget"), jwt.MapClaims{"sub": "u1", "exp": b.now.Add(-time.Hour).Unix()}),
		"nobody":          sign(jwt.SigningMethodHS256, []byte("widget"), jwt.MapClaims{"exp": soon}),
		"endless subject": sign(jwt.SigningMethodHS256, []byte("widget"), jwt.MapClaims{"sub": strings.Repeat("x", 256), "exp": soon}),
	} {
		_, err := b.VerifyVisitor(tenant, identity)
		wantRefused(t, name, err)
	}
	_, err = b.VerifyVisitor(&parley.Tenant{}, sign(jwt.SigningMethodHS256, []byte{}, jwt.MapClaims{"sub": "u1", "exp": soon}))
	wantRefused(t, "tenant without secret", err)
}

// An outside issuer's token is worth what the client it names may do, and only if it was made for us.
func TestOutsideIssuer(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
	}
	mux.Handle("/.well-known/openid-configuration", answer(map[string]any{"issuer": server.URL, "jwks_uri": server.URL + "/keys",
		"authorization_endpoint": server.URL, "token_endpoint": server.URL, "id_token_signing_alg_values_supported": []string{"RS256"}}))
	mux.Handle("/keys", answer(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}}))

	b := newBench(t)
	b.Tokens = New(Config{Issuer: issuer, Now: func() time.Time { return b.now }, Outside: &OutsideIssuer{URL: server.URL, Audience: "parley", Client: server.Client()}}, b.ledger)
	sign := func(change func(jwt.MapClaims)) string {
		c := jwt.MapClaims{"iss": server.URL, "aud": "parley", "azp": "crm", "exp": b.now.Add(time.Hour).Unix(), "iat": b.now.Unix()}
		if change != nil {
			change(c)
		}
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
		token.Header["kid"] = "k"
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	for name, test := range map[string]struct {
		token  string
		scopes int
	}{
		"no scope named":     {sign(nil), 2},
		"one of ours":        {sign(func(c jwt.MapClaims) { c["scope"] = "openid " + parley.ScopeRead }), 1},
		"as a list":          {sign(func(c jwt.MapClaims) { c["scp"] = []string{parley.ScopeManage, parley.ScopeRead} }), 2},
		"none of ours":       {sign(func(c jwt.MapClaims) { c["scope"] = "openid" }), 0},
		"more than assigned": {sign(func(c jwt.MapClaims) { c["scope"] = parley.ScopeAdmin }), 0},
	} {
		g, err := b.Verify(t.Context(), test.token)
		if err != nil || len(g.Scopes) != test.scopes || g.Client != b.client.ID || g.Tenant != b.client.Tenant {
			t.Errorf("%s: Verify = %+v, %v; want %d scopes of client crm", name, g, err, test.scopes)
		}
	}
	for name, token := range map[string]string{
		"for somebody else": sign(func(c jwt.MapClaims) { c["aud"] = "other" }),
		"expired":           sign(func(c jwt.MapClaims) { c["exp"] = b.now.Add(-time.Hour).Unix() }),
		"unknown client":    sign(func(c jwt.MapClaims) { c["azp"] = "nobody" }),
		"no client":         sign(func(c jwt.MapClaims) { delete(c, "azp") }),
		"signed by us":      forge(t, jwt.SigningMethodHS256, []byte("x"), `{"alg":"HS256","kid":"k"}`, `{"iss":"`+server.URL+`","aud":"parley","azp":"crm","exp":99999999999}`),
	} {
		_, err := b.Verify(t.Context(), token)
		wantRefused(t, name, err)
	}
	if _, err := b.Verify(t.Context(), b.issue(t)); err != nil {
		t.Errorf("our own token is refused beside an outside issuer: %v", err)
	}
}
