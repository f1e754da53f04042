package broker_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"parley"
	"parley/rest/broker"
)

// Tokens for connectors, in the three ways they ask.
func TestTokens(t *testing.T) {
	s := newStage(t)
	c, secret, err := s.admin.CreateClient(t.Context(), administrator, parley.APIClient{Scopes: []string{parley.ScopeBroker}})
	if err != nil {
		t.Fatal(err)
	}
	var organisation string
	if err := s.store.View(t.Context(), func(tx parley.Tx) error {
		all, err := tx.Organisations(t.Context())
		organisation = all[0].Name
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ask := func(realm string, form url.Values) (int, map[string]any) {
		t.Helper()
		res, text := s.Do("POST", "/auth/realms/"+url.PathEscape(realm)+"/protocol/openid-connect/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		if res.StatusCode == 200 && res.Header.Get("Cache-Control") != "no-store" { // RFC 6749 section 5.1
			t.Errorf("a token may be cached: %q", res.Header.Get("Cache-Control"))
		}
		var out map[string]any
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, out
	}
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.PublicID}, "client_secret": {secret}}
	status, first := ask(organisation, good)
	if status != 200 || first["token_type"] != "Bearer" || first["expires_in"] != 900.0 || first["refresh_expires_in"] != 1800.0 {
		t.Fatalf("answered %d %v", status, first)
	}
	if _, err := s.tokens.Verify(t.Context(), first["access_token"].(string)); err != nil {
		t.Errorf("the token: %v", err)
	}
	if _, err := s.tokens.Verify(t.Context(), first["refresh_token"].(string)); err == nil {
		t.Error("the refresh token passes for an access token")
	}
	if res, text := s.Do("POST", broker.Prefix+"/auth/realms/"+url.PathEscape(organisation)+"/protocol/openid-connect/token", good.Encode(), "Content-Type", "application/x-www-form-urlencoded"); res.StatusCode != 200 {
		t.Errorf("below the vendor's prefix answered %d %s", res.StatusCode, text)
	}
	const percent = "50% off"
	if _, err := s.admin.CreateOrganisation(t.Context(), administrator, percent); err != nil {
		t.Fatal(err)
	}
	if status, out := ask(percent, good); status != 200 {
		t.Errorf("the realm %q answered %d %v", percent, status, out)
	}
	for name, form := range map[string]url.Values{
		"refresh":  {"grant_type": {"refresh_token"}, "refresh_token": {first["refresh_token"].(string)}},
		"password": {"grant_type": {"password"}, "client_id": {"eva-cockpit"}, "username": {c.PublicID}, "password": {secret}},
	} {
		if status, out := ask(parley.DefaultOrganisation.String(), form); status != 200 || out["access_token"] == nil {
			t.Errorf("%s answered %d %v", name, status, out)
		}
	}
	for name, test := range map[string]struct {
		realm  string
		form   url.Values
		status int
		code   string
	}{
		"unknown realm":  {"nobody", good, 404, "invalid_request"},
		"wrong secret":   {organisation, url.Values{"grant_type": {"client_credentials"}, "client_id": {c.PublicID}, "client_secret": {"x"}}, 401, "invalid_client"},
		"other grant":    {organisation, url.Values{"grant_type": {"magic"}}, 400, "unsupported_grant_type"},
		"bad refresh":    {organisation, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, 400, "invalid_grant"},
		"access refresh": {organisation, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first["access_token"].(string)}}, 400, "invalid_grant"},
	} {
		if status, out := ask(test.realm, test.form); status != test.status || out["error"] != test.code || out["error_description"] == "" {
			t.Errorf("%s answered %d %v", name, status, out)
		}
	}
}
