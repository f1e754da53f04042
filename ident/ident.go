// Package ident makes identifiers: new ones for things, derived ones for deliveries and questions, and the hashes by which a repeat is
// recognised. Everything here is safe for concurrent use.
package ident

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"parley"
)

// The random part of new ids comes from a buffer that is filled for many at a time: a system call per message would cost
// more than everything else here.
func init() { uuid.EnableRandPool() }

// New is a new UUIDv7: unique, and in order of creation, which keeps indexes dense.
func New[T any]() parley.ID[T] { return parley.ID[T](uuid.Must(uuid.NewV7())) }

// Opaque is a new name that nobody can guess: the prefix with 24 lower-case letters and digits after it.
func Opaque(prefix string) string { return prefix + strings.ToLower(rand.Text())[:24] }

// deliveries is the name space of delivery ids, a random UUID chosen once.
var deliveries = uuid.MustParse("6f1c7c5e-5f0a-4d3e-9b57-2f6f0f8f4a11")

// Delivery is the id of a message's delivery to a receiver: a UUIDv5 of both, so that every attempt has the same.
func Delivery(message parley.MessageID, application parley.ApplicationID, role parley.Role) parley.DeliveryID {
	name := make([]byte, 0, 64)
	name = append(name, message[:]...)
	name = append(name, application[:]...)
	name = append(name, role...)
	return parley.DeliveryID(uuid.NewSHA1(deliveries, name))
}

// questions is the name space of the ids of questions to bots, a random UUID chosen once.
var questions = uuid.MustParse("d0c4a7b2-6a53-4c07-9d0e-3b1f5c7e8a96")

// Question is the id under which a bot is asked what was said at a place of a conversation: a UUIDv5 of all three, so that a turn that is
// asked for again after a crash has the same.
func Question(conversation parley.ConversationID, bot parley.ApplicationID, seq int64) parley.DeliveryID {
	name := make([]byte, 0, 40)
	name = append(name, conversation[:]...)
	name = append(name, bot[:]...)
	name = binary.BigEndian.AppendUint64(name, uint64(seq))
	return parley.DeliveryID(uuid.NewSHA1(questions, name))
}

// imported is the name space of imported conversations, a random UUID chosen once.
var imported = uuid.MustParse("a3d0f2c9-53e7-4b0c-9c43-7f1f5a4f0be2")

// Imported is the id of a conversation of another system: a UUIDv5 of the tenant and what that system calls it, so that a repeated import
// is the same conversation.
func Imported(tenant parley.TenantID, external string) parley.ConversationID {
	return parley.ConversationID(uuid.NewSHA1(imported, append(tenant[:], external...)))
}

// colleagues is the name space of people who answer, a random UUID chosen once.
var colleagues = uuid.MustParse("0b8e6a57-9b0d-4c1f-8f4e-51f1f6a7d3c2")

// Colleague is the id of somebody who answers through an agent program and is known by a name alone: a UUIDv5 of both, so that the same
// person has the same wherever they answer.
func Colleague(program parley.ApplicationID, name string) uuid.UUID {
	return uuid.NewSHA1(colleagues, append(program[:], name...))
}

// RepeatHash is the 64-bit hash by which a repeat of messageId by a sender role is looked up. Hits are compared in full.
func RepeatHash(conversation parley.ConversationID, sender parley.Role, messageID string) int64 {
	var buffer [128]byte
	key := append(append(append(append(buffer[:0], conversation[:]...), sender...), 0), messageID...)
	return int64(xxhash.Sum64(key))
}

// StartKey identifies the message that starts a conversation by (account, customer contact, messageId). With 128 bits of
// SHA-256 two different starts never share one, so it needs no full comparison.
func StartKey(account parley.AccountID, contact, messageID string) []byte {
	sum := digest(account[:], []byte(contact), []byte(messageID))
	return sum[:16]
}

// digest is SHA-256 over the parts, each preceded by its length so that no two lists run together.
func digest(parts ...[]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, p := range parts {
		writePart(h, p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func writePart(h hash.Hash, p []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(p)))
	h.Write(n[:])
	h.Write(p)
}
