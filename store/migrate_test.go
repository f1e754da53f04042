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
