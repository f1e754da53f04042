package parley

import (
	"context"
	"time"
)

// An Erasure is the receipt of the removal of a person: what was removed where. It does not tell who it was.
type Erasure struct {
	ID            ErasureID
	Tenant        TenantID
	Person        []byte // a hash of tenant and address that was asked for
	Conversations int    // that were the person's
	Users         int    // of the agent-conversations surface
	Removed       ErasedParts
	At            time.Time
}

// ErasureID names an Erasure.
type ErasureID = ID[Erasure]

// ErasedParts is how much was removed, by what it was.
type ErasedParts struct {
	Messages    int64 `json:"messages"` // with their attachments' names, attributes and metadata
	Attachments int64 `json:"attachments"`
	Customers   int64 `json:"customers"` // names, contacts and attributes kept with conversations
	Turns       int64 `json:"turns"`     // contexts, entities and problems
	Refused     int64 `json:"refused"`   // texts that came too late
	Attempts    int64 `json:"attempts"`  // answers and errors of receivers
	Insights    int64 `json:"insights"`  // names, members, metadata and hits
	Opinions    int64 `json:"opinions"`  // comments of surveys and feedbacks, and who rated
	Sessions    int64 `json:"sessions"`  // business keys of the broker surface
	Profiles    int64 `json:"profiles"`  // titles, summaries and custom data of the agent-conversations surface
	Events      int64 `json:"events"`    // users and attributes of tracked events
	Jobs        int64 `json:"jobs"`      // texts that were given from outside
}

// Add adds what else was removed.
func (p *ErasedParts) Add(o ErasedParts) {
	p.Messages, p.Attachments, p.Customers, p.Turns = p.Messages+o.Messages, p.Attachments+o.Attachments, p.Customers+o.Customers, p.Turns+o.Turns
	p.Refused, p.Attempts, p.Insights = p.Refused+o.Refused, p.Attempts+o.Attempts, p.Insights+o.Insights
	p.Opinions, p.Sessions, p.Profiles, p.Events, p.Jobs = p.Opinions+o.Opinions, p.Sessions+o.Sessions, p.Profiles+o.Profiles, p.Events+o.Events, p.Jobs+o.Jobs
}

// Erasures removes persons.
type Erasures interface {
	// PersonIn looks through a tenant's conversations in the order of their rows, some thousands at a time, for those that name an address as
	// a contact of their customer, a business key, or that of a user, in any case. next is where to go on; 0 = that was all.
	PersonIn(ctx context.Context, tenant TenantID, address string, after int64) (found []ConversationID, next int64, err error)
	// FilesOf are the files of a conversation: attachments of its messages, and those that were announced for it; none that a program sent into
	// other conversations too.
	FilesOf(ctx context.Context, tenant TenantID, conversation ConversationID) ([]AssetID, error)
	// ErasePerson removes everything personal of a conversation that is over, its files aside; it stays in the figures without its
	// customer. NotFound. It may be repeated.
	ErasePerson(ctx context.Context, tenant TenantID, conversation ConversationID) (ErasedParts, error)
	// EraseFile removes the record of a file, though messages used it.
	EraseFile(ctx context.Context, tenant TenantID, id AssetID) error
	// EraseUsers removes what is known of users of the agent-conversations surface with that address, and says how many.
	EraseUsers(ctx context.Context, tenant TenantID, address string) (int, error)
	InsertErasure(ctx context.Context, e Erasure) error
	// Erasures are a page, newest first, and how many there are in all; with a person only those of that one.
	Erasures(ctx context.Context, tenant TenantID, person []byte, offset, limit int) ([]Erasure, int, error)
}
