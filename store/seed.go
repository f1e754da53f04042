package store

import (
	"context"
	"crypto/rand"
	"fmt"

	"parley"
)

// seed makes the default organisation and tenant of a new database. Nodes that start together may both try; the second
// finds them.
func (s *Store) seed(ctx context.Context) error {
	err := s.Update(ctx, func(t parley.Tx) error {
		if _, err := t.Tenant(ctx, parley.DefaultTenant); parley.KindOf(err) != parley.NotFound {
			return err
		}
		now := s.now().UTC()
		if err := t.InsertOrganisation(ctx, parley.Organisation{ID: parley.DefaultOrganisation, Name: "Default", Created: now}); err != nil {
			return err
		}
		return t.InsertTenant(ctx, parley.Tenant{ID: parley.DefaultTenant, Organisation: parley.DefaultOrganisation, Name: "default",
			WidgetSecret: rand.Text(), Created: now, Modified: now})
	})
	if err != nil {
		return fmt.Errorf("seed database: %w", err)
	}
	return nil
}
