package store

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"modernc.org/sqlite"
)

// sqliteStatements is how many statements a connection keeps compiled: those of a commit in all sizes of their VALUES, and
// the most usual reads.
const sqliteStatements = 96

// A keepingConnector opens connections that compile a query with parameters once and keep it: compiling took a sixth of
// the processor beside callbacks (parley bench callbacks, 2026-11-27), since database/sql does it for every call unless
// the caller holds the statement. Texts without parameters have their values in them, and are not kept.
type keepingConnector struct{ driver.Connector }

func newKeepingConnector(dsn string) (driver.Connector, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return keepingConnector{c}, nil
}

// Connect implements [driver.Connector].
func (k keepingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := simplelru.NewLRU(sqliteStatements, func(_ string, s *keptStatement) { s.drop() })
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &keepingConn{c.(sqliteConn), kept}, nil
}

// sqliteConn is what a connection of the driver can do for database/sql.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// A keepingConn is a connection and what it has compiled. As any connection it is used by one goroutine at a time.
type keepingConn struct {
	sqliteConn
	kept *simplelru.LRU[string, *keptStatement]
}

// Close implements [driver.Conn].
func (c *keepingConn) Close() error {
	c.kept.Purge() // SQLite does not close while there are statements
	return c.sqliteConn.Close()
}

// QueryContext implements [driver.QueryerContext].
func (c *keepingConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 0 {
		return c.sqliteConn.QueryContext(ctx, text, args)
	}
	s, ok := c.kept.Get(text)
	if !ok {
		prepared, err := c.PrepareContext(ctx, text)
		if err != nil {
			return nil, err
		}
		s = &keptStatement{sqliteStmt: prepared.(sqliteStmt)}
		c.kept.Add(text, s)
	}
	if s.busy { // somebody asks again while he reads the answer
		return c.sqliteConn.QueryContext(ctx, text, args)
	}
	rows, err := s.sqliteStmt.QueryContext(ctx, args)
	if err != nil {
		c.kept.Remove(text)
		return nil, err
	}
	s.busy = true
	return &keptRows{rows.(sqliteRows), c, text, s}, nil
}

// sqliteStmt is what of the driver's statements is used here.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtQueryContext
}

// A keptStatement is compiled. While its rows are read it is busy; dropped meanwhile, it is closed with them.
type keptStatement struct {
	sqliteStmt
	busy, dropped bool
}

func (s *keptStatement) drop() {
	s.dropped = true
	if !s.busy {
		_ = s.Close() // says again how its last run failed
	}
}

// sqliteRows is what rows of the driver can do for database/sql.
type sqliteRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// keptRows are the rows of a kept statement, which is free again once they are closed.
type keptRows struct {
	sqliteRows
	c    *keepingConn
	text string
	s    *keptStatement
}

// Close implements [driver.Rows].
func (r *keptRows) Close() error {
	err := r.sqliteRows.Close()
	r.s.busy = false
	switch {
	case r.s.dropped:
		r.s.drop()
	case err != nil: // its run failed; the next one gets one that nothing is known of
		r.c.kept.Remove(r.text)
	}
	return err
}
