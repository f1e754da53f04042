package store

import (
	"database/sql"
	"net/url"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
)

var sqliteDialect = dialect{
	name: "sqlite", shards: 1, updates: 1,
	isolation: sql.LevelDefault, snapshot: sql.LevelDefault,
	open: openSQLite,
}

// sqliteReaders bounds the connections that read; WAL lets them read beside the writer.
const sqliteReaders = 8

// openSQLite opens one connection that writes and a few that read. The pragmas are in the DSN because each connection
// needs them. synchronous=FULL makes every commit durable (guarantee G1); transactions of the writer are BEGIN
// IMMEDIATE, so that none fails half-way for a lock. secure_delete writes zeros over what is removed, or persons who were erased would stay in the
// file.
func openSQLite(path string, _ *dialer) (write, read *bun.DB, err error) {
	open := func(more url.Values) (*sql.DB, error) {
		q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			"cache_size(-65536)", "temp_store(MEMORY)", "secure_delete(1)"}}
		for k, v := range more {
			q[k] = append(q[k], v...)
		}
		c, err := newKeepingConnector("file:" + path + "?" + q.Encode())
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(c), nil
	}
	w, err := open(url.Values{"_txlock": {"immediate"}})
	if err != nil {
		return nil, nil, err
	}
	w.SetMaxOpenConns(1)
	r, err := open(url.Values{"_pragma": {"query_only(1)"}})
	if err != nil {
		w.Close()
		return nil, nil, err
	}
	r.SetMaxOpenConns(sqliteReaders)
	r.SetMaxIdleConns(sqliteReaders)
	return bun.NewDB(w, sqlitedialect.New()), bun.NewDB(r, sqlitedialect.New()), nil
}
