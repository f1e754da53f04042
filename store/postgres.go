package store

import (
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

var postgresDialect = dialect{
	name: "postgres", shards: postgresShards, updates: postgresUpdates, unnest: true, lateral: true, statistics: true, forUpdate: " FOR UPDATE SKIP LOCKED",
	isolation: sql.LevelSerializable, snapshot: sql.LevelRepeatableRead,
	open: openPostgres,
}

const (
	// postgresShards: one connection with 16 rows a transaction did 30,000 rows/s at 1.1 ms, 64 connections with one row
	// each 3,000/s (measured 2026-11-22); a second writer hides the round trips of the first.
	postgresShards = 2
	// postgresUpdates are the connections for Update; each shard has its own.
	postgresUpdates = 6
	postgresWriters = postgresShards + postgresUpdates
	postgresReaders = 16
)

// openPostgres opens a pool that writes and one that reads, so that a long query never keeps a commit waiting.
// synchronous_commit=on is set for every connection: an accepted message is on disk (guarantee G1). A transaction whose
// hub forgot it does not keep its locks for ever.
func openPostgres(url string, dialer *dialer) (write, read *bun.DB, err error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, nil, err
	}
	c.RuntimeParams["synchronous_commit"] = "on"
	c.RuntimeParams["timezone"] = "UTC"
	c.RuntimeParams["idle_in_transaction_session_timeout"] = "30s"
	c.DialFunc = dialer.dial
	c.RuntimeParams["application_name"] = "parley"
	// Rows are found by key, some hundred at a time, and every statement has to do with SQLite's nested loops anyway. Left to choose,
	// PostgreSQL reads whole tables and joins them when its statistics are old, or when a statement was prepared while a table was small:
	// see watchGrowth.
	for _, plan := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		c.RuntimeParams[plan] = "off"
	}
	// What is forbidden is made dear instead, and a statement without an index, however small its table, so dear that it would be compiled:
	// 0.2 to 1.5 s of a processor each time (measured 2026-11-26), for statements of milliseconds.
	c.RuntimeParams["jit"] = "off"
	w, r := stdlib.OpenDB(*c), stdlib.OpenDB(*c)
	w.SetMaxOpenConns(postgresWriters)
	w.SetMaxIdleConns(postgresWriters)
	r.SetMaxOpenConns(postgresReaders)
	r.SetMaxIdleConns(postgresReaders)
	return bun.NewDB(w, pgdialect.New()), bun.NewDB(r, pgdialect.New()), nil
}
