package store_test

import (
	"log/slog"
	"net/url"
	"testing"
	"time"

	"parley"
	"parley/chaos"
	"parley/store"
	"parley/store/keyset"
	"parley/store/storetest"
)

// A database that takes everything and answers nothing fails what waits for it, and is left: on new connections the next
// commit is as quick as ever. Without a limit the writer would wait for ever.
func TestSilentDatabaseIsLeft(t *testing.T) {
	direct := storetest.PostgresURL(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := chaos.NewProxy(t.Context(), u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	u.Host = proxy.Address()
	seal, err := keyset.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{URL: u.String(), Seal: seal, Logger: slog.New(slog.DiscardHandler), Silence: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.MustCommit(t, s, storetest.Start("before"))
	proxy.Mode(chaos.HalfOpen)
	if _, errs := storetest.Commit(t, s, storetest.Start("during")); parley.KindOf(errs[0]) != parley.Internal {
		t.Errorf("a commit that nobody answers = %v, want Internal", errs[0])
	}
	if _, err := s.Overdue(t.Context(), 0, 1); err == nil {
		t.Error("a read that nobody answers did not fail")
	}
	proxy.Mode(chaos.Pass)
	began := time.Now()
	for _, name := range []string{"one", "two", "three"} {
		storetest.MustCommit(t, s, storetest.Start(name))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("after the silence three commits took %v", took)
	}
}
