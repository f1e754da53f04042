package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"parley"
)

// Cursor is a place in the order of a tenant's conversations, as it is told to others. It is sealed: keys count the conversations of
// all tenants, which is nobody's business.
func (s *Store) Cursor(tenant parley.TenantID, key int64) (string, error) {
	sealed, err := s.config.Seal.Encrypt(binary.BigEndian.AppendUint64(nil, uint64(key)), cursorOf(tenant))
	if err != nil {
		return "", fmt.Errorf("seal a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// ParseCursor is the key in a cursor. Invalid, also for one of another tenant.
func (s *Store) ParseCursor(tenant parley.TenantID, cursor string) (int64, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		if plain, err := s.config.Seal.Decrypt(sealed, cursorOf(tenant)); err == nil && len(plain) == 8 {
			return int64(binary.BigEndian.Uint64(plain)), nil
		}
	}
	return 0, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "after", Msg: "is no cursor of this environment"}
}

func cursorOf(tenant parley.TenantID) []byte { return append([]byte("cursor "), tenant[:]...) }
