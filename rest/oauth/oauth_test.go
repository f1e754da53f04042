package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"parley"
	"parley/rest"
)

// An authority with one client, crm with the secret s3c ret%.
type authority struct{ down bool }

func (a authority) Authenticate(_ context.Context, id, secret string) (parley.APIClient, error) {
	if a.down {
		return parley.APIClient{}, errors.New("the store is down")
	}
	if id == "crm" && secret == "s3c ret%" {
		return parley.APIClient{PublicID: id, Scopes: []string{"a", "b"}}, nil
	}
	return parley.APIClient{}, &parley.Error{Kind: parley.Unauthenticated}
}

func (authority) Issue(_ context.Context, c *parley.APIClient, scopes []string) (string, time.Time, error) {
	return c.PublicID + ":" + strings.Join(scopes, "+"), time.Now().Add(time.Hour), nil
}

func (authority) KeySet(context.Context) (jose.JSONWebKeySet, error) {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}, nil
}

func (authority) Issuer() string { return "https://hub.example" }

func call(t *testing.T, a authority, method, path, body string, headers ...string) (int, map[string]any, http.Header) {
	t.Helper()
	router := rest.NewRouter()
	New(a).Register(router)
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	rest.Handler(rest.Config{}, router).ServeHTTP(w, r)
	var answer map[string]any
	if err := json.NewDecoder(w.Body).Decode(&answer); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("the answer is not JSON: %v", err)
	}
	return w.Code, answer, w.Header()
}

const inForm = "&client_id=crm&client_secret=s3c+ret%25"

func TestTokenIsGranted(t *testing.T) {
	for name, test := range map[string]struct{ path, body, authorization, want string }{
		"in the form":        {"/oauth2/token", "grant_type=client_credentials" + inForm, "", "crm:a+b"},
		"other path":         {"/oauth2/v2.0/token", "grant_type=client_credentials" + inForm, "", "crm:a+b"},
		"one scope":          {"/oauth2/token", "grant_type=client_credentials&scope=b" + inForm, "", "crm:b"},
		"resource default":   {"/oauth2/token", "grant_type=client_credentials&scope=https%3A%2F%2Fhub.example%2F.default" + inForm, "", "crm:a+b"},
		"Basic":              {"/oauth2/token", "grant_type=client_credentials", "Basic Y3JtOnMzYyByZXQl", "crm:a+b"},
		"Basic, encoded":     {"/oauth2/token", "grant_type=client_credentials", "basic Y3JtOnMzYytyZXQlMjU=", "crm:a+b"},
		"said twice":         {"/oauth2/token", "grant_type=client_credentials" + inForm, "Basic Y3JtOnMzYyByZXQl", "crm:a+b"},
		"unknown parameters": {"/oauth2/token", "grant_type=client_credentials&resource=x" + inForm, "", "crm:a+b"},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if test.authorization != "" {
				headers = []string{"Authorization", test.authorization}
			}
			status, answer, header := call(t, authority{}, "POST", test.path, test.body, headers...)
			if status != 200 || answer["access_token"] != test.want || answer["token_type"] != "Bearer" || answer["expires_in"] != 3600.0 {
				t.Errorf("answered %d %v, want the token %s", status, answer, test.want)
			}
			if header.Get("Cache-Control") != "no-store" {
				t.Error("the token may be cached")
			}
		})
	}
}

func TestTokenIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		body, headers string
		status        int
		want          string
	}{
		"no grant type":       {inForm, "", 400, "invalid_request"},
		"other grant type":    {"grant_type=password" + inForm, "", 400, "unsupported_grant_type"},
		"no credentials":      {"grant_type=client_credentials", "", 401, "invalid_client"},
		"wrong secret":        {"grant_type=client_credentials&client_id=crm&client_secret=x", "", 401, "invalid_client"},
		"wrong Basic":         {"grant_type=client_credentials", "Authorization: Basic Y3JtOng=", 401, "invalid_client"},
		"no Basic":            {"grant_type=client_credentials", "Authorization: Bearer x", 401, "invalid_client"},
		"garbled Basic":       {"grant_type=client_credentials", "Authorization: Basic !", 401, "invalid_client"},
		"two names":           {"grant_type=client_credentials&client_id=other", "Authorization: Basic Y3JtOnMzYyByZXQl", 400, "invalid_request"},
		"scope not assigned":  {"grant_type=client_credentials&scope=c" + inForm, "", 400, "invalid_scope"},
		"parameter twice":     {"grant_type=client_credentials&scope=a&scope=b" + inForm, "", 400, "invalid_request"},
		"no form":             {"grant_type=client_credentials%zz" + inForm, "", 400, "invalid_request"},
		"JSON":                {`{"grant_type":"client_credentials"}`, "Content-Type: application/json", 400, "invalid_request"},
		"oversized":           {"grant_type=client_credentials&x=" + strings.Repeat("x", maxRequest) + inForm, "", 400, "invalid_request"},
		"nothing":             {"", "", 400, "invalid_request"},
		"secret in the query": {"grant_type=client_credentials", "Query: 1", 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			path, headers := "/oauth2/token", []string(nil)
			if header, value, ok := strings.Cut(test.headers, ": "); ok && header == "Query" {
				path += "?" + inForm[1:]
			} else if ok {
				headers = []string{header, value}
			}
			status, answer, _ := call(t, authority{}, "POST", path, test.body, headers...)
			if status != test.status || answer["error"] != test.want {
				t.Errorf("answered %d %v, want %d %s", status, answer, test.status, test.want)
			}
		})
	}
	if status, answer, _ := call(t, authority{down: true}, "POST", "/oauth2/token", "grant_type=client_credentials"+inForm); status != 500 || answer["error"] != "server_error" {
		t.Errorf("with the store down: %d %v", status, answer)
	}
}

func TestDiscovery(t *testing.T) {
	if status, answer, _ := call(t, authority{}, "GET", "/.well-known/oauth-authorization-server", ""); status != 200 || answer["issuer"] != "https://hub.example" || answer["token_endpoint"] != "https://hub.example/oauth2/token" {
		t.Errorf("metadata: %d %v", status, answer)
	}
	if status, answer, _ := call(t, authority{}, "GET", "/.well-known/jwks.json", ""); status != 200 || answer["keys"] == nil {
		t.Errorf("keys: %d %v", status, answer)
	}
}

// No request makes parse panic, and what it takes is complete.
func FuzzTokenRequest(f *testing.F) {
	f.Add("grant_type=client_credentials"+inForm, "")
	f.Add("grant_type=client_credentials&scope=a%20b", "Basic Y3JtOnMzYyByZXQl")
	f.Fuzz(func(t *testing.T, body, authorization string) {
		request, err := parse(body, authorization)
		if err != nil {
			if _, ok := errors.AsType[*refusal](err); !ok {
				t.Fatalf("an error that OAuth has no word for: %v", err)
			}
			return
		}
		if len(request.credentials) == 0 {
			t.Fatal("a request without credentials was taken")
		}
		for _, c := range request.credentials {
			if c.id == "" && c.secret == "" {
				t.Fatal("empty credentials were taken")
			}
		}
	})
}
