package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"parley"
)

// Cursor is a place in an order of a tenant's things, as it is told to others: a few keys. It is sealed: keys count the things of all
// tenants, which is nobody's business.
func (s *Store) Cursor(tenant parley.TenantID, kind parley.CursorKind, place ...int64) (string, error) {
	plain := make([]byte, 0, 8*len(place))
	for _, key := range place {
		plain = binary.BigEndian.AppendUint64(plain, uint64(key))
	}
	sealed, err := s.config.Seal.Encrypt(plain, cursorOf(tenant, kind))
	if err != nil {
		return "", fmt.Errorf("seal a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// ParseCursor reads the keys in a cursor, which has as many. Invalid, also for one of another tenant or kind.
func (s *Store) ParseCursor(tenant parley.TenantID, kind parley.CursorKind, cursor string, place ...*int64) error {
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		if plain, err := s.config.Seal.Decrypt(sealed, cursorOf(tenant, kind)); err == nil && len(plain) == 8*len(place) {
			for i, key := range place {
				*key = int64(binary.BigEndian.Uint64(plain[8*i:]))
			}
			return nil
		}
	}
	return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "after", Msg: "is no cursor of this environment"}
}

// cursorOf is what a cursor is sealed for. Cursors are kept for long: what it is for one kind stays.
func cursorOf(tenant parley.TenantID, kind parley.CursorKind) []byte {
	return append([]byte("cursor "+kind), tenant[:]...)
}
