package store_test

import (
	"testing"

	"parley"
	"parley/store"
	"parley/store/storetest"
)

// A text that no record can hold finds nothing, and decides about nothing.
func TestDeadLettersOfImpossibleReasons(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := open(t)
		for _, reason := range []string{"\x00", "a\x00b", "\xff"} {
			q := parley.DeadLetterQuery{Tenant: parley.DefaultTenant, Reason: reason}
			if err := s.Update(t.Context(), func(tx parley.Tx) error {
				if page, count, err := tx.DeadLetters(t.Context(), q, 0, 10); err != nil || len(page) != 0 || count != 0 {
					t.Errorf("DeadLetters(%q) = %v, %d, %v", reason, page, count, err)
				}
				n, err := tx.Skip(t.Context(), q, 10)
				if err != nil || n != 0 {
					t.Errorf("Skip(%q) = %d, %v", reason, n, err)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	})
}
