package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// A column is one of the values that a multi-row statement takes.
type column struct {
	name string
	kind columnKind
}

type columnKind uint8

const (
	bigint columnKind = iota
	bytea
	text
)

var unnestCast = [...]string{bigint: "bigint[]", bytea: "bytea[]", text: "text[]"}

// A bulk is one statement that takes many rows at once. Its text has %ROWS% where they belong, usable as a table named
// v with the columns' names. PostgreSQL gets them as one array a column, so the text never changes; SQLite as VALUES, in
// chunks of a few sizes, so that there are few texts and each is prepared once.
type bulk struct {
	text    string
	columns []column
	unnest  string         // the PostgreSQL text
	values  map[int]string // the SQLite texts by chunk size
}

// chunks are the sizes of SQLite's VALUES lists, largest first. With at most 16 columns the largest stays under SQLite's
// limit of 32,766 parameters.
var chunks = []int{256, 64, 16, 4, 1}

// bulks are all there are: a test asks how each finds its rows.
var bulks []*bulk

func newBulk(text string, columns ...column) *bulk {
	b := &bulk{text: text, columns: columns, values: map[int]string{}}
	var casts, names []string
	for i, c := range columns {
		casts = append(casts, "$"+strconv.Itoa(i+1)+"::"+unnestCast[c.kind])
		names = append(names, c.name)
	}
	b.unnest = strings.ReplaceAll(text, "%ROWS%", "unnest("+strings.Join(casts, ",")+") AS v("+strings.Join(names, ",")+")")
	row := "(" + strings.Repeat(",?", len(columns))[1:] + ")"
	for i := range names {
		names[i] = "column" + strconv.Itoa(i+1) + " AS " + names[i]
	}
	for _, n := range chunks {
		b.values[n] = strings.ReplaceAll(text, "%ROWS%",
			"(SELECT "+strings.Join(names, ",")+" FROM (VALUES "+strings.Repeat(","+row, n)[1:]+")) AS v")
	}
	bulks = append(bulks, b)
	return b
}

// A querier is what runs a statement: bun's databases and transactions, or those of database/sql inside them, which take
// the placeholders of the database.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// A conn is what a bulk runs on: a transaction or a pool, how rows travel there, and who counts.
type conn struct {
	querier
	unnest bool
	pool   pool
}

// conn is one of a pool's connections as bulks use it.
func (s *Store) conn(of pool, q querier) conn { return conn{q, s.dialect.unnest, of} }

// run executes the statement with all rows and calls scan for each row that it returns. Each row has a value a column:
// int64, *int64 (nil = NULL), []byte (nil = NULL) or string.
func (b *bulk) run(ctx context.Context, on conn, rows [][]any, scan func(*sql.Rows) error) error {
	if len(rows) == 0 {
		return nil
	}
	if on.unnest {
		return on.query(ctx, b.unnest, b.arrays(rows), scan)
	}
	for _, n := range chunks {
		for len(rows) >= n {
			args := make([]any, 0, n*len(b.columns))
			for _, r := range rows[:n] {
				args = append(args, r...)
			}
			if err := on.query(ctx, b.values[n], args, scan); err != nil {
				return err
			}
			rows = rows[n:]
		}
	}
	return nil
}

// query runs one statement, which is counted.
func (c conn) query(ctx context.Context, text string, args []any, scan func(*sql.Rows) error) error {
	err := query(ctx, c.querier, text, args, scan)
	c.pool.ran(err)
	return err
}

// arrays turns rows into one typed array a column.
func (b *bulk) arrays(rows [][]any) []any {
	args := make([]any, len(b.columns))
	for i, c := range b.columns {
		switch c.kind {
		case bigint:
			a := make([]*int64, len(rows))
			for j, r := range rows {
				switch v := r[i].(type) {
				case int64:
					a[j] = &v
				case *int64:
					a[j] = v
				}
			}
			args[i] = a
		case bytea:
			a := make([][]byte, len(rows))
			for j, r := range rows {
				a[j] = r[i].([]byte)
			}
			args[i] = a
		case text:
			a := make([]string, len(rows))
			for j, r := range rows {
				a[j] = r[i].(string)
			}
			args[i] = a
		}
	}
	return args
}

func query(ctx context.Context, q querier, text string, args []any, scan func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// discard is the scan of statements that return nothing of interest.
func discard(*sql.Rows) error { return nil }
