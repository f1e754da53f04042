// Package storetest opens databases for tests, checks what must hold in each, and is the suite that both databases pass.
package storetest

import (
	"database/sql"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx", to make databases with

	"parley/store"
	"parley/store/keyset"
)

// An Option changes how a test's store is opened.
type Option func(*store.Config)

// Fault sets the hook that fails points of a commit; see [store.Config].
func Fault(fault func(point string) error) Option {
	return func(c *store.Config) { c.Fault = fault }
}

// Clock sets what leases and due times follow.
func Clock(now func() time.Time) Option {
	return func(c *store.Config) { c.Clock = now }
}

// Open opens a new SQLite store that ends with the test.
func Open(t testing.TB, options ...Option) *store.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "parley.db"), options)
}

// OpenPostgres opens a new database on the server that PARLEY_TEST_POSTGRES names, dropped when the test ends.
func OpenPostgres(t testing.TB, options ...Option) *store.Store {
	t.Helper()
	return open(t, PostgresURL(t), options)
}

// PostgresURL makes an empty database on the server that PARLEY_TEST_POSTGRES names.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server := os.Getenv("PARLEY_TEST_POSTGRES")
	if server == "" {
		t.Skip("set PARLEY_TEST_POSTGRES to the URL of a server on which databases may be made (scripts/services does)")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "parley_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("make database: %v", err)
	}
	t.Cleanup(func() {
		defer admin.Close()
		if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func open(t testing.TB, url string, options []Option) *store.Store {
	t.Helper()
	seal, err := keyset.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := store.Config{URL: url, Seal: seal, Logger: slog.New(slog.DiscardHandler)}
	for _, o := range options {
		o(&c)
	}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

// Each runs a test once on each database.
func Each(t *testing.T, test func(t *testing.T, open func(testing.TB, ...Option) *store.Store)) {
	for name, open := range map[string]func(testing.TB, ...Option) *store.Store{"sqlite": Open, "postgres": OpenPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}
