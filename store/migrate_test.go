package store

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"parley/store/keyset"
)

// The first schema ever shipped comes to the last without losing a row, and a database from the future is left alone.
func TestMigrations(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "parley.db")
	write, read, err := openSQLite(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	migrator, err := newMigrator(sqliteDialect, write.DB)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrator.UpTo(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := write.ExecContext(ctx, "INSERT INTO organisations (id, name, created) VALUES (x'0102030405060708090a0b0c0d0e0f10', 'kept', 1)"); err != nil {
		t.Fatal(err)
	}
	write.Close()

	seal, err := keyset.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := Config{URL: path, Seal: seal, Logger: slog.New(slog.DiscardHandler)}
	s, err := Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	if err := s.read.QueryRowContext(ctx, "SELECT name FROM organisations WHERE name = 'kept'").Scan(&name); err != nil {
		t.Errorf("the row of the first schema is gone: %v", err)
	}
	if _, err := s.write.ExecContext(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(context.WithoutCancel(ctx), c); err == nil || !strings.Contains(err.Error(), "newer") {
		if err == nil {
			s.Close()
		}
		t.Errorf("a database with schema 9999 = %v, want it refused", err)
	}
}

// Visits that were counted before they could be exported have their tenant and a place, each generation after the one before, and no two
// databases make the same ids.
func TestVisitsOfOldGetPlaces(t *testing.T) {
	var salts []string
	for range 2 {
		ctx, path := t.Context(), filepath.Join(t.TempDir(), "parley.db")
		write, read, err := openSQLite(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		migrator, err := newMigrator(sqliteDialect, write.DB)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := migrator.UpTo(ctx, 40); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"INSERT INTO visit_dimensions (key, generation, tenant, bot, version, channel, language, campaign, source, owner) VALUES (1, 1, 5, x'', '', '', '', '', '', ''), (2, 2, 6, x'', '', '', '', '', '', '')",
			"INSERT INTO visits (generation, conversation, part, dimension, hour, cell, first_seq, last_seq, started, last, person, facts) VALUES (1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 0, '{}'), (2, 1, 0, 2, 0, 0, 1, 1, 1, 1, 0, '{}')",
		} {
			if _, err := write.ExecContext(ctx, text); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := migrator.UpTo(ctx, 41); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := write.QueryRowContext(ctx, "SELECT COUNT(*) FROM visits WHERE tenant = 4 + generation AND changed = ? * generation", changedIn(1, 0)).Scan(&n); err != nil || n != 2 {
			t.Errorf("%d visits have tenant and place, want 2, %v", n, err)
		}
		var salt string
		if err := write.QueryRowContext(ctx, "SELECT hex(salt) FROM figure_progress").Scan(&salt); err != nil || len(salt) != 64 {
			t.Errorf("the salt is %q, %v", salt, err)
		}
		salts = append(salts, salt)
		write.Close()
	}
	if salts[0] == salts[1] {
		t.Errorf("two databases have the salt %q", salts[0])
	}
}
