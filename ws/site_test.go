package ws_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/hub"
	"parley/ident"
	"parley/rest/api"
	"parley/store"
	"parley/store/storetest"
	"parley/tokens"
	"parley/ws"
)

// A site is a hub with one account on the web chat: agents answer in the console.
type site struct {
	t      testing.TB
	file   string // of the store, if it is SQLite
	store  *store.Store
	hub    *hub.Hub
	server *ws.Server
	http   *httptest.Server

	away    atomic.Bool  // the store does not answer the hub's reads
	writes  sync.RWMutex // held = it writes nothing but messages
	account parley.Account
	mu      sync.Mutex
	grants  map[string]tokens.Grant
}

// An unsteady store is sometimes away.
type unsteady struct {
	parley.Store
	away   *atomic.Bool
	writes *sync.RWMutex
}

func (u unsteady) Update(ctx context.Context, fn func(parley.Tx) error) error {
	u.writes.RLock()
	defer u.writes.RUnlock()
	return u.Store.Update(ctx, fn)
}

func (u unsteady) View(ctx context.Context, fn func(parley.Tx) error) error {
	if u.away.Load() {
		return errors.New("the database is away")
	}
	return u.Store.View(ctx, fn)
}

// VerifySession implements ws.Authenticator.
func (s *site) VerifySession(_ context.Context, token string) (tokens.Grant, error) {
	s.mu.Lock()
	g, ok := s.grants[token]
	s.mu.Unlock()
	if !ok {
		return g, &parley.Error{Kind: parley.Unauthenticated}
	}
	return g, nil
}

// code is how errors are told.
func code(err error) (string, string) {
	b := api.BodyOf(err)
	return b.Code, b.DeveloperMessage
}

// grant makes a token good; revoke makes it no good any more.
func (s *site) grant(token string, g tokens.Grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants[token] = g
}

func (s *site) revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.grants, token)
}

// unavailable changes the account's rule for when no agent is there.
func (s *site) unavailable(rule parley.Unavailability) {
	s.t.Helper()
	ctx := s.t.Context()
	s.account.Unavailable = rule
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		return tx.Accounts().Replace(ctx, &s.account, []parley.Reference{{Kind: parley.KindChannel, ID: parley.WebChatChannel}})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.hub.ConfigChanged(ctx, parley.DefaultTenant)
}

// forget takes messages out of the record, as retention does: those between two seqs, of every conversation.
func (s *site) forget(after, before int64) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), "DELETE FROM messages WHERE seq > ? AND seq < ?", after, before); err != nil {
		s.t.Fatal(err)
	}
}

func newSite(t testing.TB, change func(*ws.Config)) *site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "parley.db")
	s := newSiteOn(t, storetest.OpenURL(t, file), change)
	s.file = file
	return s
}

// newSiteOn makes a site on a store of any kind.
func newSiteOn(t testing.TB, on *store.Store, change func(*ws.Config)) *site {
	t.Helper()
	s := &site{t: t, store: on}
	ctx, now := t.Context(), time.Now().UTC()
	base := parley.Base{Tenant: parley.DefaultTenant, Name: "site", Active: true, Created: now, Modified: now}
	orchestration := parley.Orchestration{ID: ident.New[parley.Orchestration](), Base: base, Agents: []parley.AgentReference{{Application: parley.ConsoleApplication}}}
	account := parley.Account{ID: ident.New[parley.Account](), Base: base, Address: "site", Channel: parley.WebChatChannel, Orchestration: orchestration.ID,
		TimeoutMinutes: 30, DefaultLanguage: "en-US", Unavailable: parley.OffHours,
		Options: []parley.NameValue{{Name: parley.OptionAllowedOrigins, Value: "https://shop.example.org"}}}
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		if err := tx.Orchestrations().Insert(ctx, &orchestration, nil); err != nil {
			return err
		}
		return tx.Accounts().Insert(ctx, &account, []parley.Reference{{Kind: parley.KindChannel, ID: parley.WebChatChannel}})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.account = account
	expires := now.Add(time.Hour)
	customer := func(contact string) tokens.Grant {
		return tokens.Grant{Tenant: parley.DefaultTenant, Name: contact, Expires: expires,
			Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Account: account.ID, Contact: contact}}
	}
	s.grants = map[string]tokens.Grant{"anna": customer("anna"), "bert": customer("bert"),
		"dana": {Tenant: parley.DefaultTenant, Expires: expires, Speaker: parley.Speaker{Tenant: parley.DefaultTenant,
			Application: parley.ConsoleApplication, Roles: []parley.Role{parley.CustomAgent}}},
		"unbound": {Tenant: parley.DefaultTenant, Expires: expires, Speaker: parley.Speaker{Tenant: parley.DefaultTenant}},
		"brief":   {Tenant: parley.DefaultTenant, Expires: now.Add(300 * time.Millisecond), Speaker: customer("anna").Speaker},
	}
	quiet := slog.New(slog.DiscardHandler)
	s.hub = hub.New(hub.Config{Store: unsteady{s.store, &s.away, &s.writes}, Logger: quiet, TypingFor: 300 * time.Millisecond})
	c := ws.Config{Rate: 1e6, Burst: 1e6, Hub: s.hub, Tokens: s, Logger: quiet, Code: code}
	if change != nil {
		change(&c)
	}
	s.server = ws.New(c)
	s.http = httptest.NewServer(s.server)
	running, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.hub.Run(running)
	}()
	t.Cleanup(func() {
		drain, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		s.server.Drain(drain)
		s.http.Close()
		cancel()
		<-done
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func (s *site) dial(header http.Header) *client {
	s.t.Helper()
	conn, _, err := websocket.Dial(s.t.Context(), s.http.URL, &websocket.DialOptions{Subprotocols: []string{ws.Subprotocol}, HTTPHeader: header})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return &client{t: s.t, conn: conn}
}

// connect opens a session.
func (s *site) connect(token string, resume ...any) (*client, map[string]any) {
	s.t.Helper()
	c := s.dial(nil)
	return c, c.ask("connect", map[string]any{"token": token, "resume": resume})
}
