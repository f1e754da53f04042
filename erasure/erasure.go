// Package erasure removes persons from the record: everything that conversations, files, attempts and figures know of whoever an address
// belongs to. What is left is that there were conversations, and how they went.
//
// An [Eraser] ends conversations that go on, removes what is personal conversation by conversation, and keeps a receipt that does not tell who
// it was. It may be asked again: what was removed is not there any more, and what came in since goes. Safe for concurrent use.
package erasure

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"parley"
	"parley/ident"
)

// Record is the record; [parley.Store] is one.
type Record interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// A Hub ends conversations.
type Hub interface {
	End(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, why string) error
}

// Files removes bytes.
type Files interface {
	// Erase removes the bytes of a file; that there are none is no error.
	Erase(ctx context.Context, tenant parley.TenantID, id parley.AssetID) error
}

// An Eraser removes persons. All fields but Clock are required.
type Eraser struct {
	Record Record
	Hub    Hub
	Files  Files
	Clock  func() time.Time // nil = time.Now
}

// MaxAddress bounds an address, in bytes.
const MaxAddress = 320

// Erase removes whoever an address belongs to: the address of a contact, a user's e-mail, number or foreign id, or a business key, in any case.
// With dry it only says how many conversations and users there are. Invalid. An error leaves some removed and the rest as it
// is: ask again.
func (e *Eraser) Erase(ctx context.Context, tenant parley.TenantID, address string, dry bool) (parley.Erasure, error) {
	address = strings.TrimSpace(address)
	out := parley.Erasure{ID: ident.New[parley.Erasure](), Tenant: tenant, Person: PersonOf(tenant, address), At: e.now()}
	if address == "" || len(address) > MaxAddress {
		return out, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "contact.address", Msg: fmt.Sprintf("must have 1 to %d bytes", MaxAddress)}
	}
	for after := int64(0); ; {
		var found []parley.ConversationID
		var next int64
		if err := e.Record.View(ctx, func(tx parley.Tx) (err error) {
			found, next, err = tx.PersonIn(ctx, tenant, address, after)
			return err
		}); err != nil {
			return out, err
		}
		for _, id := range found {
			out.Conversations++
			if dry {
				continue
			}
			removed, err := e.conversation(ctx, tenant, id)
			out.Removed.Add(removed)
			if err != nil {
				return out, fmt.Errorf("erase conversation %s: %w", id, err)
			}
		}
		if next == 0 {
			break
		}
		after = next
	}
	if dry {
		return out, nil
	}
	return out, e.Record.Update(ctx, func(tx parley.Tx) (err error) {
		if out.Users, err = tx.EraseUsers(ctx, tenant, address); err != nil {
			return err
		}
		events, err := tx.ForgetEventsOf(ctx, tenant, address)
		if err != nil {
			return err
		}
		out.Removed.Events = int64(events)
		return tx.InsertErasure(ctx, out)
	})
}

// conversation removes what is personal of one. Bytes go before their record, so that a failure leaves no bytes that nobody knows of.
func (e *Eraser) conversation(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (removed parley.ErasedParts, err error) {
	if err := e.Hub.End(ctx, tenant, id, "the customer's data is removed"); err != nil {
		return removed, err
	}
	// Files are known by messages, so they go first: what fails here can be repeated.
	var files []parley.AssetID
	if err := e.Record.View(ctx, func(tx parley.Tx) (err error) {
		files, err = tx.FilesOf(ctx, tenant, id)
		return err
	}); err != nil {
		return removed, err
	}
	for _, f := range files {
		if err := e.Files.Erase(ctx, tenant, f); err != nil {
			return removed, fmt.Errorf("erase a file: %w", err)
		}
	}
	err = e.Record.Update(ctx, func(tx parley.Tx) (err error) {
		if removed, err = tx.ErasePerson(ctx, tenant, id); err != nil {
			return err
		}
		for _, f := range files {
			if err := tx.EraseFile(ctx, tenant, f); err != nil {
				return err
			}
		}
		removed.Attachments = int64(len(files))
		return nil
	})
	return removed, err
}

func (e *Eraser) now() time.Time {
	if e.Clock == nil {
		return time.Now().UTC().Truncate(time.Millisecond)
	}
	return e.Clock().UTC().Truncate(time.Millisecond)
}

// PersonOf is by what a receipt is found again by whoever knows the address. Who only has the receipt can guess addresses, as with every hash;
// it is never shown.
func PersonOf(tenant parley.TenantID, address string) []byte {
	sum := sha256.Sum256([]byte(tenant.String() + "\x00" + strings.ToLower(strings.TrimSpace(address))))
	return sum[:]
}
