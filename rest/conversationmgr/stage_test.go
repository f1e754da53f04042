package conversationmgr_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"

	"parley"
	"parley/assets"
	"parley/directory"
	"parley/hub"
	"parley/ident"
	"parley/rest"
	"parley/rest/conversationmgr"
	"parley/rest/resttest"
	"parley/store"
	"parley/store/blob"
	"parley/store/storetest"
	"parley/tokens"
)

// A stage is the surface on real parts, over real HTTP: store, directory, files, tokens and hub. Callbacks are not sent.
type stage struct {
	t      *testing.T
	store  *store.Store
	tokens *tokens.Tokens
	*resttest.Caller
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, store: storetest.Open(t)}
	s.tokens = tokens.New(tokens.Config{Issuer: "https://hub.example"}, s.store)
	h := hub.New(hub.Config{Store: s.store, Logger: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("hub: %v", err)
		}
	})
	bucket, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })

	router := rest.NewRouter()
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	t.Cleanup(server.Close)
	files := assets.New(assets.Config{URL: server.URL + conversationmgr.BasePath + "/assets"}, s.store, bucket, s.tokens)
	conversationmgr.New(conversationmgr.Deps{
		Hub: h, Directory: directory.New(directory.Config{}, s.store, h), Assets: files, Verifier: s.tokens,
	}).Register(router)
	s.Caller = resttest.NewCaller(t, server.URL, conversationmgr.BasePath, conversationmgr.Document)
	return s
}

// token makes a client with the scopes and returns a token of it.
func (s *stage) token(tenant parley.TenantID, scopes ...string) string {
	s.t.Helper()
	c := parley.APIClient{ID: ident.New[parley.APIClient](), Tenant: tenant, Scopes: scopes, SecretHash: tokens.HashSecret(tokens.NewSecret())}
	c.PublicID = c.ID.String()
	if err := s.store.Update(s.t.Context(), func(tx parley.Tx) error { return tx.InsertClient(s.t.Context(), c) }); err != nil {
		s.t.Fatal(err)
	}
	token, _, err := s.tokens.Issue(s.t.Context(), &c, scopes)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func allScopes() []string {
	return []string{parley.ScopeRead, parley.ScopeManage, parley.ScopeInteractionRead, parley.ScopeInteractionManage}
}

// tenant makes another tenant.
func (s *stage) tenant() parley.TenantID {
	s.t.Helper()
	n := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "other"}
	if err := s.store.Update(s.t.Context(), func(tx parley.Tx) error { return tx.InsertTenant(s.t.Context(), n) }); err != nil {
		s.t.Fatal(err)
	}
	return n.ID
}
