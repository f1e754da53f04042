package parley

import (
	"encoding/hex"
	"fmt"
)

// An ID names one T. It is a UUID of 16 bytes; IDs of different things are different types, so that a swapped
// argument does not compile. The zero ID names nothing. IDs are comparable and may be map keys.
type ID[T any] [16]byte

type (
	// TenantID and the others name the things of this package. [parley/ident] makes new ones.
	TenantID         = ID[Tenant]
	OrganisationID   = ID[Organisation]
	APIClientID      = ID[APIClient]
	AuthenticationID = ID[Authentication]
	ApplicationID    = ID[ClientApplication]
	ParticipantID    = ID[Participant]
	ChannelID        = ID[Channel]
	OrchestrationID  = ID[Orchestration]
	AccountID        = ID[Account]
	AssetID          = ID[Asset]
	ConversationID   = ID[Conversation]
	MessageID        = ID[Message]
	DeliveryID       = ID[Delivery]
	VisitID          = ID[Visit]
)

// IsZero says whether the ID names nothing; encoding/json leaves such members out under `omitzero`.
func (id ID[T]) IsZero() bool { return id == ID[T]{} }

// String is the canonical form of 36 characters in lower case; the zero ID is "".
func (id ID[T]) String() string {
	if id.IsZero() {
		return ""
	}
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
	return string(b[:])
}

// ParseID reads the canonical form in either case. Anything else, the empty string included, is Invalid.
func ParseID[T any](s string) (ID[T], error) {
	var id ID[T]
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, &Error{Kind: Invalid, Msg: fmt.Sprintf("an id is a UUID of 36 characters, not %d", len(s))}
	}
	compact := make([]byte, 0, 32)
	for _, part := range []string{s[0:8], s[9:13], s[14:18], s[19:23], s[24:36]} {
		compact = append(compact, part...)
	}
	if _, err := hex.Decode(id[:], compact); err != nil {
		return ID[T]{}, &Error{Kind: Invalid, Msg: "an id is a UUID: hexadecimal digits and four hyphens"}
	}
	return id, nil
}

// MarshalText makes an ID a JSON string, and a key of a JSON object.
func (id ID[T]) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote; the empty text is the zero ID.
func (id *ID[T]) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID[T]{}
		return nil
	}
	parsed, err := ParseID[T](string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
