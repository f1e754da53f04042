package store

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uptrace/bun"
)

// Guarantee G1 rests on settings of the database: what was committed is on disk. They hold on every connection, also when
// the URL or the server says otherwise.
func TestCommitsAreDurable(t *testing.T) {
	check := func(t *testing.T, setting, want string, db *bun.DB) {
		t.Helper()
		held := make([]*sql.Conn, 0, 3) // at the same time, so that they are different connections
		for range min(cap(held), db.Stats().MaxOpenConnections) {
			c, err := db.DB.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, c)
			var got string
			if err := c.QueryRowContext(t.Context(), setting).Scan(&got); err != nil || got != want {
				t.Errorf("%s = %q, %v; want %q", setting, got, err, want)
			}
		}
		for _, c := range held {
			c.Close()
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		write, read, err := openSQLite(filepath.Join(t.TempDir(), "parley.db"), newDialer())
		if err != nil {
			t.Fatal(err)
		}
		defer write.Close()
		defer read.Close()
		check(t, "PRAGMA synchronous", "2", write) // 2 is FULL
		check(t, "PRAGMA journal_mode", "wal", write)
		check(t, "PRAGMA foreign_keys", "1", write)
		check(t, "PRAGMA query_only", "1", read)
	})
	t.Run("postgres", func(t *testing.T) {
		server := os.Getenv("PARLEY_TEST_POSTGRES")
		if server == "" {
			t.Skip("set PARLEY_TEST_POSTGRES to the URL of a server (scripts/services does)")
		}
		separator := "?"
		if strings.Contains(server, "?") {
			separator = "&"
		}
		for _, url := range []string{server, server + separator + "synchronous_commit=off", server + separator + "options=-csynchronous_commit%3Doff"} {
			write, read, err := openPostgres(url, newDialer())
			if err != nil {
				t.Fatal(err)
			}
			check(t, "SHOW synchronous_commit", "on", write)
			check(t, "SHOW fsync", "on", write)
			write.Close()
			read.Close()
		}
	})
}
