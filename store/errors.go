package store

import (
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"parley"
)

// PostgreSQL error codes (appendix A of its manual).
const (
	pgUniqueViolation      = "23505"
	pgForeignKeyViolation  = "23503"
	pgSerializationFailure = "40001"
	pgDeadlock             = "40P01"
	pgAborted              = "25P02"
)

// isUnique says whether a unique index refused the row.
func isUnique(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == pgUniqueViolation
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// isReferred says whether a foreign key refused the change, because another row refers to this one.
func isReferred(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == pgForeignKeyViolation
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
	}
	return false
}

// isTransient says whether the transaction was rolled back for no fault of its own, so that running it again is right.
//
// PostgreSQL may find that a transaction cannot be serialized when it has already sent the row of a query. Who reads one row does not
// look further, and meets the next statement's refusal instead, or at the end a commit that was none.
func isTransient(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == pgSerializationFailure || e.Code == pgDeadlock || e.Code == pgAborted
	}
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return true
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == sqlite3.SQLITE_BUSY // the low byte is the primary code
	}
	return false
}

// notFound turns the absence of a row into a Kind; other errors stay.
func notFound(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &parley.Error{Kind: parley.NotFound, Msg: what + " not found"}
	}
	return err
}
