package dispatch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley"
	"parley/egress"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// An issuer is a token URL that counts its calls.
type issuer struct {
	*httptest.Server
	calls atomic.Int32
}

func newIssuer(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, body string)) *issuer {
	i := &issuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		answer(w, r, string(body))
	}))
	t.Cleanup(i.Close)
	return i
}

func tokensOf(s parley.Store) *tokens {
	return newTokens(newClients(&egress.Guard{Allow: loopback}), s, func(string) {})
}

// The recipe is followed to the letter (reference section 2).
func TestTokenRecipeIsFollowed(t *testing.T) {
	const payload = ` {"clientId": "ä&=", "clientSecret":"b"}`
	for name, test := range map[string]struct {
		recipe       parley.TokenRecipe
		answer, want string
		sends        map[string]string // headers
	}{
		"POST":            {parley.TokenRecipe{Method: "POST", Payload: payload, TokenPath: "$.accessToken"}, `{"accessToken":"t"}`, "Bearer t", map[string]string{"Content-Type": "application/json"}},
		"PUT":             {parley.TokenRecipe{Method: "PUT", Payload: "a=b&c=d", TokenPath: "$.accessToken"}, `{"accessToken":"t"}`, "Bearer t", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		"GET":             {parley.TokenRecipe{Method: "GET", TokenPath: "$.t", URL: "/?client=a&secret=b%20c"}, `{"t":"t"}`, "Bearer t", map[string]string{"Content-Type": ""}},
		"GET with a body": {parley.TokenRecipe{Method: "GET", Payload: payload, TokenPath: "$.t"}, `{"t":"t"}`, "Bearer t", nil},
		"headers": {parley.TokenRecipe{Method: "POST", Payload: payload, TokenPath: "$.t", Headers: []parley.NameValue{{Name: "content-type", Value: "text/plain"},
			{Name: "Authorization", Value: "Basic x"}, {Name: "Accept", Value: "*/*"}}}, `{"t":"t"}`, "Bearer t", map[string]string{"Content-Type": "text/plain", "Authorization": "Basic x", "Accept": "*/*"}},
		"deep":             {parley.TokenRecipe{Method: "POST", TokenPath: "$.data[1]['access token'].v-1"}, `{"data":[0,{"access token":{"v-1":"t"}}]}`, "Bearer t", nil},
		"double quotes":    {parley.TokenRecipe{Method: "POST", TokenPath: `$["a.b"][0]`}, `{"a.b":["t"]}`, "Bearer t", nil},
		"the answer is it": {parley.TokenRecipe{Method: "POST", TokenPath: "$"}, `"t"`, "Bearer t", nil},
		"own scheme":       {parley.TokenRecipe{Method: "POST", TokenPath: "$.t"}, `{"t":"ApiKey abc"}`, "ApiKey abc", nil},
		"no scheme":        {parley.TokenRecipe{Method: "POST", TokenPath: "$.t"}, `{"t":"a=b c"}`, "Bearer a=b c", nil},
		"blanks around":    {parley.TokenRecipe{Method: "POST", TokenPath: "$.t"}, `{"t":" t\n"}`, "Bearer t", nil},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, func(w http.ResponseWriter, r *http.Request, body string) {
				if want := test.recipe.Payload; r.Method != test.recipe.Method || body != want {
					t.Errorf("token call %s %q, want %s %q", r.Method, body, test.recipe.Method, want)
				}
				for name, want := range test.sends {
					if got := r.Header.Get(name); got != want {
						t.Errorf("%s = %q, want %q", name, got, want)
					}
				}
				if strings.Contains(test.recipe.URL, "secret") && r.URL.Query().Get("secret") != "b c" {
					t.Errorf("query %q", r.URL.RawQuery)
				}
				w.WriteHeader(http.StatusCreated) // any 2xx will do
				_, _ = io.WriteString(w, test.answer)
			})
			recipe := test.recipe
			recipe.URL = i.URL + recipe.URL
			got, err := tokensOf(nil).authorization(t.Context(), &parley.Authentication{OAuth2: &recipe}, "")
			if err != nil || got != test.want {
				t.Errorf("authorization = %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// Errors of token calls say what was wrong, with what was answered, and hold none of the recipe's secrets, nor a token that
// is elsewhere than the recipe says.
func TestTokenErrorsExplainThemselves(t *testing.T) {
	recipe := parley.TokenRecipe{Method: "POST", TokenPath: "$.token", Payload: `{"clientSecret":"planted\"payload/1","nested":[{"x":"planted-deep"}]}`,
		Headers: []parley.NameValue{{Name: "Authorization", Value: "Basic aWQ6cGxhbnRlZC1iYXNpYw=="}, {Name: "X-Key", Value: "planted-header"}}}
	for name, test := range map[string]struct {
		status                  int
		answer, problem, reason string
	}{
		"status":       {403, `{"error":"invalid_client","error_description":"unsupported_grant_type"}`, "answered 403", `{"error":"invalid_client","error_description":"unsupported_grant_type"}`},
		"echo":         {400, `no such client: planted-deep`, "answered 400", "no such client: [cut]"},
		"echo escaped": {400, `{"sent":"{\"clientSecret\":\"planted\\\"payload/1\"}","form":"planted%22payload%2F1"}`, "answered 400", `"form":"[cut]"`},
		"echo basic":   {401, `wrong password planted-basic of aWQ6cGxhbnRlZC1iYXNpYw== or planted-header or planted-query`, "answered 401", "wrong password [cut] of [cut] or [cut] or [cut]"},
		"redirect":     {302, ``, "answered 302", ""},
		"no JSON":      {200, `access_token=planted-token-long&x=1`, "answer is no JSON", "[cut]&x=1"},
		"a page":       {200, `<html>Log in</html>`, "answer is no JSON", "<html>Log in</html>"},
		"empty":        {200, ``, "answer is empty", ""},
		"elsewhere":    {200, `{"access_token":"planted-token","expires_in":3600,"more":["planted"]}`, "accessTokenPath finds nothing in the token URL's answer: $ has no .token", `{"access_token":"[cut]","expires_in":3600,"more":["[cut]"]}`},
		"number":       {200, `{"token":12}`, "no string", `{"token":12}`},
		"null":         {200, `{"token":null}`, "no string", `{"token":null}`},
		"blank":        {200, `{"token":" "}`, "an empty string", `{"token":"[cut]"}`},
		"too long":     {200, `{"token":"` + strings.Repeat("x", maxToken+1) + `"}`, "longer than 8 KiB", `{"token":"[cut]"}`},
		"no header":    {200, `{"token":"planted\r\nX: y"}`, "no header can carry", `{"token":"[cut]"}`},
		"endless":      {200, `"` + strings.Repeat("planted ", maxTokenAnswer), "longer than 64 KiB", ""},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.answer)
			})
			r := recipe
			r.URL = i.URL + "/token?key=planted-query"
			via := newClients(&egress.Guard{Allow: loopback})
			s := &sender{clients: via, clock: time.Now, tracer: New(Config{}).sender.tracer, tokens: newTokens(via, nil, func(string) {})}
			res := s.attempt(t.Context(), target{role: parley.ApplicationRole{Callback: "http://127.0.0.1:1/"}, authentication: &parley.Authentication{OAuth2: &r}},
				request{id: "x", body: []byte("{}")}, func() bool { return true })
			if res.outcome != Retry || !strings.HasPrefix(res.problem, "fetch access token: ") || !strings.Contains(res.problem, test.problem) || !strings.Contains(res.answer, test.reason) {
				t.Errorf("result %+v; want the problem %q and the answer %q", res, test.problem, test.reason)
			}
			if strings.Contains(res.problem, "planted") || name != "endless" && strings.Contains(res.answer, "planted") || len(res.answer) > keptAnswer {
				t.Errorf("the result tells too much: %+v", res)
			}
		})
	}
}

// An answer that is cut off in the middle of a secret keeps no part of it.
func TestExcerptEndsBeforeASecret(t *testing.T) {
	var s secrets
	s.add("planted-secret")
	if got := s.excerpt([]byte("answer: planted-sec")); got != "answer: [cut]" {
		t.Errorf("excerpt = %q", got)
	}
	long := strings.Repeat("planted-secret ", 300) + "planted-se"
	if got := s.excerpt([]byte(long)); strings.Contains(got, "plant") || len(got) > keptAnswer {
		t.Errorf("excerpt of many echoes = %q", got)
	}
}

// However many ask at the same time, one token is fetched, and after a 401 one more.
func TestTokensAreFetchedOneAtATime(t *testing.T) {
	release := make(chan struct{})
	var n atomic.Int32
	i := newIssuer(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		<-release
		fmt.Fprintf(w, `{"t":"token-%d"}`, n.Add(1))
	})
	a := &parley.Authentication{OAuth2: &parley.TokenRecipe{URL: i.URL, Method: "POST", TokenPath: "$.t"}}
	tokens := tokensOf(nil)
	all := func(refuse, want string) {
		t.Helper()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got, err := tokens.authorization(t.Context(), a, refuse); err != nil || got != want {
					t.Errorf("authorization = %q, %v; want %q", got, err, want)
				}
			})
		}
		wg.Wait()
	}
	// One who goes away takes nobody's token along.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tokens.authorization(gone, a, ""); err == nil {
		t.Error("a caller who went away got a token")
	}
	close(release)
	all("", "Bearer token-1")
	all("Bearer token-1", "Bearer token-2")
	all("Bearer token-1", "Bearer token-2") // late news of the old one
	if calls := i.calls.Load(); calls != 2 {
		t.Errorf("%d token calls, want 2", calls)
	}
}

// A token outlives the process, sealed: a restart and another node need no new one. In memory it is not in the clear either.
// A PUT drops it.
func TestTokensAreKeptSealed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app := open(t), ident.New[parley.ClientApplication]()
		i := newIssuer(t, nil)
		var n int
		i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			i.calls.Add(1)
			n++
			fmt.Fprintf(w, `{"t":"planted-%d"}`, n)
		})
		a := &parley.Authentication{OAuth2: &parley.TokenRecipe{URL: i.URL, Method: "POST", TokenPath: "$.t"}}
		application(t, s, app, "https://bot.example/", a)
		a.Modified = a.Modified.Truncate(time.Millisecond) // as it is read
		get := func(who *tokens, refuse, want string, calls int32) {
			t.Helper()
			got, err := who.authorization(t.Context(), a, refuse)
			if err != nil || got != want || i.calls.Load() != calls {
				t.Errorf("authorization = %q, %v after %d calls; want %q after %d", got, err, i.calls.Load(), want, calls)
			}
		}
		one, two := tokensOf(s), tokensOf(s)
		get(one, "", "Bearer planted-1", 1)
		get(two, "", "Bearer planted-1", 1)                 // another node, or after a restart
		get(one, "Bearer planted-1", "Bearer planted-2", 2) // 401
		get(two, "Bearer planted-1", "Bearer planted-2", 2) // 401 there too: somebody has renewed it
		for _, sealed := range one.cached {
			if bytes.Contains(sealed, []byte("planted")) {
				t.Errorf("memory holds %q", sealed)
			}
		}
		if len(one.cached) != 1 {
			t.Errorf("%d tokens in memory, want one", len(one.cached))
		}
		kept := func() (kept parley.Authentication) {
			if err := s.View(t.Context(), func(tx parley.Tx) (err error) {
				kept, err = tx.Authentications().Find(t.Context(), a.Tenant, a.ID)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return kept
		}
		if k := kept(); k.Token != "Bearer planted-2" || !k.Modified.Equal(a.Modified) {
			t.Errorf("record = %+v, want the token and modified as it was", k)
		}
		// A token that comes after a PUT belongs to the recipe before it.
		old := tokenKey{a.Tenant, a.ID, a.Modified}
		a.Modified, a.Token = a.Modified.Add(time.Second), ""
		if err := s.Update(t.Context(), func(tx parley.Tx) error { return tx.Authentications().Replace(t.Context(), a, nil) }); err != nil {
			t.Fatal(err)
		}
		one.record(t.Context(), old, "Bearer late")
		if k := kept(); k.Token != "" {
			t.Errorf("after a PUT the record has the token %q", k.Token)
		}
		get(one, "", "Bearer planted-3", 3)
	})
}

// A bug in the way to a token costs one attempt, which counts against nobody, and not the process. Who waits for the same token hears of it.
func TestPanicOnTheWayToATokenIsOurs(t *testing.T) {
	var c clock
	s, app := storetest.Open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	i := newIssuer(t, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, `{"t":"t"}`) })
	application(t, s, app, r.URL, &parley.Authentication{OAuth2: &parley.TokenRecipe{URL: i.URL, Method: http.MethodPost, TokenPath: "$.t"}})
	d := New(Config{Store: s, Allow: loopback, Clock: c.now, Logger: slog.New(slog.DiscardHandler)})
	working := d.sender.clients.common.Transport
	d.sender.clients.common.Transport = roundTripper(func(*http.Request) (*http.Response, error) { panic("planted") })
	steps, wake := says(t, s, 1, app)
	for sent := range 2 {
		at := time.Duration(sent) * 2 * ourFault
		c.set(at)
		lanes, err := s.Claim(t.Context(), wake, lease)
		if err != nil || len(lanes) != 1 || lanes[0].Attempts != 0 {
			t.Fatalf("Claim = %+v, %v; want the lane, without failed attempts", lanes, err)
		}
		d.work(t.Context(), lanes[0], nil)
		if n := attempts(t, s, steps[0].Conversation.ID); n != sent || len(r.got()) != sent {
			t.Errorf("after %v %d attempts in the record and %d requests, want %d", at, n, len(r.got()), sent)
		}
		d.sender.clients.common.Transport = working
	}
	if n := testutil.ToFloat64(d.metrics.faults.WithLabelValues("request")); n != 1 {
		t.Errorf("operators see %v faults, want 1", n)
	}
	if all, err := s.Healths(t.Context(), parley.DefaultTenant); err != nil || len(all) != 1 || !all[0].Failing.IsZero() {
		t.Errorf("health = %+v, %v", all, err)
	}
}
