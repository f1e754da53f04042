package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// kept counts what the connections of a database have compiled.
func kept(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Raw(func(c any) error { n = c.(*keepingConn).kept.Len(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// What a connection has compiled answers as if it were compiled anew: asked again while its rows are read, after it failed,
// after its table was changed, and once it had to make room.
func TestKeptStatementsAnswerAsNewOnes(t *testing.T) {
	w, r, err := openSQLite(filepath.Join(t.TempDir(), "kept.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	tx, err := w.DB.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	numbers := func(text string, args ...any) (found []int, err error) {
		err = query(t.Context(), tx, text, args, func(rows *sql.Rows) error {
			var n int
			found = append(found, 0)
			err := rows.Scan(&n)
			found[len(found)-1] = n
			return err
		})
		return found, err
	}
	want := func(want string, found []int, err error) {
		t.Helper()
		if got := fmt.Sprint(found, err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if _, err := tx.ExecContext(t.Context(), "CREATE TABLE n (n INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	const insert, from = "INSERT INTO n (n) VALUES (?) RETURNING n", "SELECT n FROM n WHERE n >= ? ORDER BY n"
	for i := range 3 {
		found, err := numbers(insert, i)
		want(fmt.Sprintf("[%d] <nil>", i), found, err)
	}
	if _, err := numbers(insert, 1); err == nil {
		t.Error("a number was inserted twice")
	}
	found, err := numbers(insert, 3)
	want("[3] <nil>", found, err)

	var inner [][]int
	err = query(t.Context(), tx, from, []any{1}, func(rows *sql.Rows) error {
		found, err := numbers(from, 2)
		inner = append(inner, found)
		return err
	})
	want("[] <nil>", nil, err)
	if got := fmt.Sprint(inner); got != "[[2 3] [2 3] [2 3]]" {
		t.Errorf("while rows were read, the same query answered %s", got)
	}
	if _, err := tx.ExecContext(t.Context(), "ALTER TABLE n ADD COLUMN more TEXT; INSERT INTO n (n) VALUES (9)"); err != nil {
		t.Fatal(err)
	}
	found, err = numbers(from, 3)
	want("[3 9] <nil>", found, err)

	var read []int
	err = query(t.Context(), tx, from, []any{3}, func(rows *sql.Rows) error {
		var n int
		err := rows.Scan(&n)
		read = append(read, n)
		for i := range 2 * sqliteStatements { // those make it go while it is read
			found, err := numbers(fmt.Sprintf("SELECT %d + ?", i), 1)
			want(fmt.Sprintf("[%d] <nil>", i+1), found, err)
		}
		return err
	})
	want("[3 9] <nil>", read, err)
	found, err = numbers(from, 9)
	want("[9] <nil>", found, err)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := kept(t, w.DB); n != sqliteStatements {
		t.Errorf("%d statements are kept, want %d", n, sqliteStatements)
	}
}

// A commit compiles nothing anew that the one before it had.
func TestBulksAreKept(t *testing.T) {
	w, r, err := openSQLite(filepath.Join(t.TempDir(), "kept.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	if _, err := w.ExecContext(t.Context(), "CREATE TABLE n (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	b := newBulk("INSERT INTO n SELECT n FROM %ROWS% WHERE true", column{"n", bigint})
	for range 3 {
		if err := b.run(t.Context(), conn{querier: w.DB, pool: pool{m: newMetrics(nil)}}, [][]any{{int64(1)}, {int64(2)}, {int64(3)}, {int64(4)}, {int64(5)}}, discard); err != nil {
			t.Fatal(err)
		}
	}
	if n := kept(t, w.DB); n != 2 { // of four rows and of one
		t.Errorf("%d statements are kept, want 2", n)
	}
}
