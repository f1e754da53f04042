package widget_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley"
	"parley/directory"
	"parley/rest"
	"parley/rest/resttest"
	"parley/rest/widget"
	"parley/store"
	"parley/store/storetest"
	"parley/tokens"
)

// A deaf hub hears of configuration and does nothing.
type deaf struct{}

func (deaf) ConfigChanged(context.Context, parley.TenantID) {}
func (deaf) EndAccount(context.Context, parley.TenantID, parley.AccountID) error {
	return nil
}

type stage struct {
	*resttest.Caller
	t      *testing.T
	store  *store.Store
	tokens *tokens.Tokens
	server string
}

// newStage serves the widget of three accounts: "open" to anyone, "signed" to visitors with an identity, and "sms", which
// has no widget.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, store: storetest.Open(t)}
	s.tokens = tokens.New(tokens.Config{Issuer: "https://hub.example"}, s.store)
	d := directory.New(directory.Config{}, s.store, deaf{})
	ctx := t.Context()
	agents, err := d.Orchestrations.Create(ctx, parley.DefaultTenant, parley.Orchestration{Base: parley.Base{Name: "agents", Active: true},
		Agents: []parley.AgentReference{{Application: parley.ConsoleApplication}}, Customer: parley.WidgetApplication})
	if err != nil {
		t.Fatal(err)
	}
	sms, err := d.Channels.Create(ctx, parley.DefaultTenant, parley.Channel{Base: parley.Base{Active: true}, Type: "sms"})
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]parley.Account{
		"open":   {Channel: parley.WebChatChannel, Options: []parley.NameValue{{Name: parley.OptionAnonymous, Value: "true"}, {Name: parley.OptionAllowedOrigins, Value: "https://shop.example https://www.shop.example/"}}},
		"signed": {Channel: parley.WebChatChannel},
		"sms":    {Channel: sms, Options: []parley.NameValue{{Name: parley.OptionAnonymous, Value: "true"}}},
	} {
		a.Base, a.Address, a.Orchestration = parley.Base{Name: name, Active: true}, name, agents
		if _, err := d.Accounts.Create(ctx, parley.DefaultTenant, a); err != nil {
			t.Fatal(err)
		}
	}
	router := rest.NewRouter()
	widget.New(directory.NewVisitors("https://chat.example", s.store, s.tokens)).Register(router)
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	t.Cleanup(server.Close)
	s.server = server.URL
	s.Caller = resttest.NewCaller(t, server.URL, widget.BasePath, widget.Document)
	return s
}

// identity signs who the visitor is, with the default tenant's secret.
func (s *stage) identity(claims jwt.MapClaims) string {
	s.t.Helper()
	var tenant parley.Tenant
	err := s.store.View(s.t.Context(), func(tx parley.Tx) (err error) {
		tenant, err = tx.Tenant(s.t.Context(), parley.DefaultTenant)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if claims["exp"] == nil {
		claims["exp"] = time.Now().Add(time.Hour).Unix()
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(tenant.WidgetSecret))
	if err != nil {
		s.t.Fatal(err)
	}
	return signed
}

func (s *stage) grant(token string) tokens.Grant {
	s.t.Helper()
	g, err := s.tokens.VerifyCustomer(s.t.Context(), token)
	if err != nil {
		s.t.Fatalf("the token is refused: %v", err)
	}
	return g
}

func TestSessions(t *testing.T) {
	s := newStage(t)
	vars := map[string]string{"$eva": s.identity(jwt.MapClaims{"sub": "user-1", "name": "Eva"}), "$nameless": s.identity(jwt.MapClaims{"sub": "user-2"}),
		"$old": s.identity(jwt.MapClaims{"sub": "user-1", "exp": time.Now().Add(-time.Hour).Unix()}), "$nobody": "0190f3c8-7e2a-7c31-8f00-00000000dead"}
	s.Play(`
POST /sessions
{"account":{"channel":{"type":"web_chat"},"address":"open"},"customer":{"name":"Ann"}}
-> 201 {"token":"$anonymous","expires":"$_"}

POST /sessions
{"renew":"$anonymous"}
-> 201 {"token":"$again"}

POST /sessions
{"account":{"channel":{"type":"web_chat"},"address":"signed"},"identity":"$eva","customer":{"name":"Mallory"}}
-> 201 {"token":"$signed"}

POST /sessions
{"account":{"channel":{"type":"web_chat"},"address":"signed"},"identity":"$nameless","customer":{"name":"Bob"}}
-> 201 {"token":"$bob"}

# Refusals.
POST /sessions
{"account":{"channel":{"type":"web_chat"},"address":"signed"}}
-> 403 {"code":"403-112","details":[{"key":"identity"}]}

POST /sessions
{"account":{"channel":{"type":"web_chat"},"address":"open"},"identity":"$old"}
-> 401 {"code":"401-101"}

POST /sessions
{"account":{"channel":{"type":"web_chat"},"address":"nowhere"}}
-> 400 {"code":"400-604"}

POST /sessions
{"account":{"channel":{"type":"sms"},"address":"sms"}}
-> 400 {"code":"400-604"}

POST /sessions
{"environmentId":"$nobody","account":{"channel":{"type":"web_chat"},"address":"open"}}
-> 400 {"code":"400-604"}

POST /sessions
{"renew":"$eva"}
-> 401 {"code":"401-101"}

POST /sessions
{}
-> 400 {"code":"400-143","details":[{"key":"account"}]}

POST /sessions
{"account":{"channel":{}}}
-> 400 {"code":"400-143","details":[{"key":"account.address"},{"key":"account.channel.type","value":"is required"}]}

POST /sessions
{"account"
-> 400 {"code":"400-152"}

GET /sessions
-> 405 {"code":"405-100"}
`, vars)
	first, again := s.grant(vars["$anonymous"]), s.grant(vars["$again"])
	if first.Name != "Ann" || !strings.HasPrefix(first.Speaker.Contact, "anonymous:") || again.Speaker.Contact != first.Speaker.Contact || again.Name != "Ann" {
		t.Errorf("anonymous %+v, renewed %+v; want the same contact", first, again)
	}
	if g := s.grant(vars["$signed"]); g.Name != "Eva" || g.Speaker.Contact != "user-1" {
		t.Errorf("signed %+v, want what the site says", g)
	}
	if g := s.grant(vars["$bob"]); g.Name != "Bob" || g.Speaker.Contact != "user-2" {
		t.Errorf("signed without a name %+v", g)
	}
}

// A visitor of an account that was switched off is not admitted again.
func TestNoRenewalOnAccountThatIsOff(t *testing.T) {
	s := newStage(t)
	vars := map[string]string{}
	s.Play("POST /sessions\n{\"account\":{\"channel\":{\"type\":\"web_chat\"},\"address\":\"open\"}}\n-> 201 {\"token\":\"$token\"}", vars)
	g := s.grant(vars["$token"])
	d := directory.New(directory.Config{}, s.store, deaf{})
	a, err := d.Accounts.Find(t.Context(), parley.DefaultTenant, g.Speaker.Account)
	if err != nil {
		t.Fatal(err)
	}
	a.Active = false
	if err := d.Accounts.Replace(t.Context(), parley.DefaultTenant, a.ID, a); err != nil {
		t.Fatal(err)
	}
	s.Play("POST /sessions\n{\"renew\":\"$token\"}\n-> 400 {\"code\":\"400-604\"}", vars)
}

func TestOrigins(t *testing.T) {
	s := newStage(t)
	const body = `{"account":{"channel":{"type":"web_chat"},"address":"open"}}`
	for origin, allowed := range map[string]bool{
		"https://shop.example": true, "https://www.shop.example": true, "https://SHOP.example": true, s.server: true, "https://chat.example": true,
		"https://evil.example": false, "http://shop.example": false, "https://shop.example.evil.example": false, "null": false, "https://shop.example:8443": false,
	} {
		res, answer := s.Do("POST", "/sessions", body, "Origin", origin)
		if (res.StatusCode == 201) != allowed || (res.Header.Get("Access-Control-Allow-Origin") == origin) != allowed {
			t.Errorf("from %s: %d %s, Access-Control-Allow-Origin %q", origin, res.StatusCode, answer, res.Header.Get("Access-Control-Allow-Origin"))
		}
	}
	res, _ := s.Do("OPTIONS", "/sessions", "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST")
	if res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Methods") != "POST" || res.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", res.StatusCode, res.Header)
	}
}

func TestChangedContractHasNewVersion(t *testing.T) {
	resttest.Golden(t, widget.Document, "testdata/contract.sum")
}
