package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/keyset"
	"parley/store/storetest"
	"parley/tokens"
)

// Secrets that the hub must read back are sealed in the database, those it only compares are hashed: whoever reads every
// table of it learns none.
func TestDatabaseTellsNoSecrets(t *testing.T) {
	dump := func(t *testing.T, driver, url, tables string) string {
		t.Helper()
		db, err := sql.Open(driver, url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var all strings.Builder
		read := func(query string) (rows [][]byte) {
			found, err := db.QueryContext(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			defer found.Close()
			columns, err := found.Columns()
			if err != nil {
				t.Fatal(err)
			}
			for found.Next() {
				row := make([][]byte, len(columns))
				into := make([]any, len(columns))
				for i := range row {
					into[i] = &row[i]
				}
				if err := found.Scan(into...); err != nil {
					t.Fatal(err)
				}
				rows = append(rows, bytes.Join(row, []byte{'\n'}))
			}
			if err := found.Err(); err != nil {
				t.Fatal(err)
			}
			return rows
		}
		for _, table := range read(tables) {
			for _, row := range read("SELECT * FROM " + string(table)) {
				all.Write(row)
				all.WriteByte('\n')
			}
		}
		return all.String()
	}
	test := func(t *testing.T, url string, text func() string) {
		seal, err := keyset.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), store.Config{URL: url, Seal: seal, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		basic := parley.Authentication{ID: ident.New[parley.Authentication](), Base: base("basic-known", noon), Basic: &parley.BasicAuth{Username: "u", Password: "planted-password"}}
		recipe := parley.Authentication{ID: ident.New[parley.Authentication](), Base: base("recipe", noon), OAuth2: &parley.TokenRecipe{
			URL: "https://id.example/planted-url", Headers: []parley.NameValue{{Name: "X-Key", Value: "planted-header"}}, Payload: "planted-payload", TokenPath: "$.t"}}
		app := parley.ClientApplication{ID: ident.New[parley.ClientApplication](), Base: base("bot", noon), Roles: []parley.ApplicationRole{{Name: parley.CustomBot,
			Callback: "https://bot.example/?key=planted-callback", Headers: []parley.NameValue{{Name: "X-Key", Value: "planted-role-header"}}}}}
		client := parley.APIClient{ID: ident.New[parley.APIClient](), PublicID: "client-known", Tenant: parley.DefaultTenant, SecretHash: tokens.HashSecret("planted-client-secret"), Created: noon, Modified: noon}
		tenant := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "tenant-known", WidgetSecret: "planted-widget-secret", Created: noon, Modified: noon,
			OperationsURL: "https://ops.example/planted-operations", OperationsSecret: "whsec_planted"}
		update(t, s, func(tx parley.Tx) error {
			return errors.Join(tx.Authentications().Insert(ctx, &basic, nil), tx.Authentications().Insert(ctx, &recipe, nil), tx.Applications().Insert(ctx, &app, nil),
				tx.InsertClient(ctx, client), tx.InsertTenant(ctx, tenant),
				tx.InsertSigningKey(ctx, parley.SigningKey{ID: "key-known", Private: []byte("planted-signing-key"), Created: noon}))
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		found := text()
		for _, known := range []string{"basic-known", "client-known", "tenant-known", "key-known"} { // else the test shows nothing
			if !strings.Contains(found, known) {
				t.Errorf("the dump does not hold %q", known)
			}
		}
		if i := strings.Index(found, "planted"); i >= 0 {
			t.Errorf("the database holds %q", found[i:min(i+30, len(found))])
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "parley.db")
		test(t, path, func() string {
			text := dump(t, "sqlite", path, "SELECT name FROM sqlite_master WHERE type = 'table'")
			files, err := filepath.Glob(path + "*") // and what is left in its pages and its log
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				raw, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				text += string(raw)
			}
			return text
		})
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.PostgresURL(t)
		test(t, url, func() string {
			return dump(t, "pgx", url, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
		})
	})
}
