package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to date: numbered, forward only, one transaction each. On PostgreSQL an advisory lock
// keeps nodes that start together out of each other's way.
func (s *Store) migrate(ctx context.Context) error {
	provider, err := newMigrator(s.dialect, s.write.DB)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > target {
		return fmt.Errorf("the database has schema %d, newer than this program's %d: start a newer parley", current, target)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	for _, r := range results {
		s.config.Logger.InfoContext(ctx, "schema migrated", "version", r.Source.Version, "seconds", r.Duration.Seconds())
	}
	return nil
}

func newMigrator(d dialect, db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+d.name)
	if err != nil {
		return nil, err
	}
	kind, options := goose.DialectSQLite3, []goose.ProviderOption(nil)
	if d.name == postgresDialect.name {
		kind = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(kind, db, files, options...)
}
