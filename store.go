package parley

import (
	"context"
	"time"
)

// A Store is the record: only what it committed has happened. Safe for concurrent use.
type Store interface {
	// Submit queues a step for the next shared commit and returns without waiting. A nil answer promises that done is
	// called exactly once, from the store's own goroutine and before the done of any later step of the same
	// conversation; it must not block. Its error is nil, a [*Repeated], or has Kind Conflict (the base no longer holds:
	// read again, route again) or Internal, after which it is unknown whether the step became true. An answer of Kind
	// Busy (queue full, or closing) means that nothing was queued and done is not called; Internal, that the step moves
	// neither epoch nor seq, likewise.
	Submit(step *Step, done func(Committed, error)) error
	// Update runs fn in a transaction: committed on nil, rolled back on an error or panic, and run again (with waits that
	// obey ctx) after a serialization failure, so fn must have no other effects. Busy if that happens again and again.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on one consistent snapshot; what it writes is refused or lost.
	View(ctx context.Context, fn func(Tx) error) error

	Lanes
}

// A Tx is what can be read and written in one transaction. Every call that names a thing names its tenant too; what
// belongs to another tenant is NotFound. A Tx is not safe for concurrent use and ends with its function.
type Tx interface {
	Authentications() Objects[Authentication]
	Applications() Objects[ClientApplication]
	Participants() Objects[Participant]
	Channels() Objects[Channel]
	Orchestrations() Objects[Orchestration]
	Accounts() Objects[Account]

	// AccountByAddress is the earliest created active account with that address on an active channel of that type;
	// NotFound if there is none.
	AccountByAddress(ctx context.Context, tenant TenantID, channelType, address string) (Account, error)
	// ChannelByType is the channel of that type; NotFound if there is none.
	ChannelByType(ctx context.Context, tenant TenantID, channelType string) (Channel, error)

	Conversations
	Administration
	DeadLetters
	Audit
	Assets
	Insights
	Understanding
	Detections
	Jobs
	BotSessions
	Flows
	AgentConversations
	Refusals
	Figures
	Events
	Subscriptions
	Erasures
	Retentions
	History
	Exports
}

// Objects keeps one kind of configuration object. References are kept beside an object so that the delete of what it
// refers to can be refused.
type Objects[T any] interface {
	// Insert stores a new object with its references. Invalid/NameTaken if its unique name is in use.
	Insert(ctx context.Context, object *T, refers []Reference) error
	// Replace stores the object in place of the one with its ID; NotFound if there is none. Created is kept.
	Replace(ctx context.Context, object *T, refers []Reference) error
	// Find is the object of that ID.
	Find(ctx context.Context, tenant TenantID, id ID[T]) (T, error)
	// List is a page of them in order of creation, then ID, and how many there are in all.
	List(ctx context.Context, tenant TenantID, offset, limit int) (page []T, count int, err error)
	// Delete removes the object with its references; NotFound if there is none. It does not look at users.
	Delete(ctx context.Context, tenant TenantID, id ID[T]) error
	// Users lists up to 30 objects that refer to this one.
	Users(ctx context.Context, tenant TenantID, id ID[T]) ([]Reference, error)
}

// An ObjectKind names a kind of configuration object, in the words of the wire.
type ObjectKind string

const (
	KindAuthentication ObjectKind = "authentication"
	KindApplication    ObjectKind = "clientApplication"
	KindParticipant    ObjectKind = "participant"
	KindChannel        ObjectKind = "channel"
	KindOrchestration  ObjectKind = "orchestration"
	KindAccount        ObjectKind = "account"
)

// A Reference names one configuration object.
type Reference struct {
	Kind ObjectKind
	ID   [16]byte
}

// Conversations reads what Commit wrote, and keeps what routing needs beside it.
type Conversations interface {
	// Conversation is the state of one conversation.
	Conversation(ctx context.Context, tenant TenantID, id ConversationID) (Conversation, error)
	// Messages are those with after < Seq < before (0 = no bound), in order; with newest the last limit of them, else
	// the first. visible, if not 0, keeps only those addressed to, or sent by, a party: any bit of To in visible, or
	// sent by role.
	Messages(ctx context.Context, q MessageQuery) ([]Message, error)
	// MessageStates says how far the messages of a conversation were delivered; to hooks does not count.
	MessageStates(ctx context.Context, tenant TenantID, id ConversationID) (DeliveryStates, error)
	// FindMessage looks for a message by the hub's id or a sender's messageId. Two senders may use the same: what by sent
	// goes before what others did, newest first.
	FindMessage(ctx context.Context, tenant TenantID, conversation ConversationID, by Role, reference string) (Message, error)
	// Repeats finds those of the keys that were committed before.
	Repeats(ctx context.Context, tenant TenantID, conversation ConversationID, keys []RepeatKey) ([]FoundRepeat, error)
	// RepeatHashes are the hashes of all keys of a conversation, unless there are more than limit: then ok is false.
	RepeatHashes(ctx context.Context, tenant TenantID, conversation ConversationID, limit int) (hashes []int64, ok bool, err error)
	// StartedBy is the conversation that began with that StartKey, with its first message.
	StartedBy(ctx context.Context, tenant TenantID, startKey []byte) (FoundRepeat, ConversationID, error)
	// LatestOf is the customer's latest conversation on an account that is not the one excepted; NotFound if none.
	LatestOf(ctx context.Context, tenant TenantID, account AccountID, contact string, except ConversationID) (Conversation, error)
	// OpenOf lists open conversations, newest first, at most limit, of an account and contact.
	OpenOf(ctx context.Context, tenant TenantID, account AccountID, contact string, limit int) ([]Conversation, error)
	// OpenWith lists open conversations, newest first, at most limit, in which an application in that role is a party.
	OpenWith(ctx context.Context, tenant TenantID, application ApplicationID, role Role, limit int) ([]Conversation, error)
	// HeldFor lists conversations that hold messages for an agent program, oldest first, after the given one.
	HeldFor(ctx context.Context, tenant TenantID, application ApplicationID, after ConversationID, limit int) ([]ConversationID, error)
	// OpenOnAccount lists open conversations of an account, after the given one.
	OpenOnAccount(ctx context.Context, tenant TenantID, account AccountID, after ConversationID, limit int) ([]ConversationID, error)
	// OpenByOwner is how many open conversations of all tenants each kind of owner has; a kind that has none is left out.
	OpenByOwner(ctx context.Context) (map[OwnerKind]int, error)
	// Due lists conversations of all tenants whose WakeAt has come, earliest first.
	Due(ctx context.Context, now time.Time, limit int) ([]Reminder, error)
	// Turn is the turn of the question with that Seq, and TurnsOf those of a conversation with a greater Seq, in order, at most limit.
	Turn(ctx context.Context, tenant TenantID, id ConversationID, seq int64) (Turn, error)
	TurnsOf(ctx context.Context, tenant TenantID, id ConversationID, after int64, limit int) ([]Turn, error)
	// TurnOfRequest is the latest turn that was asked for in a request of that name, and opened since; NotFound if there is none.
	TurnOfRequest(ctx context.Context, tenant TenantID, id ConversationID, request string, since time.Time) (Turn, error)
	// Available says whether an agent program said it can take work; never heard of = true.
	Available(ctx context.Context, tenant TenantID, application ApplicationID) (bool, error)
	// MarkRead notes how far parties have read, and returns the marks that are news: one never goes back, so with an older one, or the same
	// again, nothing changes.
	MarkRead(ctx context.Context, marks []ReadMark) (news []ReadMark, err error)
	// Receipts are how far the parties of a conversation have read it, by slot; those who never said are left out.
	Receipts(ctx context.Context, tenant TenantID, id ConversationID) (map[int]ReadMark, error)
	// MarkShown notes how far the clients of parties have conversations. What is no news is not kept; marks of conversations that there are
	// not are passed over.
	MarkShown(ctx context.Context, marks []ReadMark) error
	// Shown are the marks that tell when the messages after one Seq, up to last, were shown to each party: the first that reaches a
	// message. In order of slots, then of Seq.
	Shown(ctx context.Context, tenant TenantID, id ConversationID, after, last int64) ([]ReadMark, error)
	// Queued lists the conversations that wait for an agent program (zero = for none in particular), first come first,
	// at most limit.
	Queued(ctx context.Context, tenant TenantID, application ApplicationID, limit int) ([]ConversationID, error)
	// SetAvailable keeps what an agent program said.
	SetAvailable(ctx context.Context, tenant TenantID, application ApplicationID, available bool, now time.Time) error
}

// A ReadMark is how far one party of a conversation has read it, or been shown it.
type ReadMark struct {
	Tenant       TenantID
	Conversation ConversationID
	Slot         int
	Seq          int64
	At           time.Time
}

// A MessageQuery says which messages of a conversation are wanted.
type MessageQuery struct {
	Tenant       TenantID
	Conversation ConversationID
	After        int64 // Seq greater than this
	Before       int64 // Seq smaller than this; 0 = no bound
	Limit        int
	Newest       bool
	Slots        int64 // with Sender: only messages addressed to one of these slots, or sent by Sender; 0 = all
	Sender       Role
}

// DeliveryStates is how far a conversation's messages were delivered: a message to slot s is delivered when its Seq is
// at most Acked[s] and it is not dead.
type DeliveryStates struct {
	Acked map[int]int64
	Dead  map[int64]string    // Seq → reason
	Sent  map[int64]time.Time // Seq → when the last receiver reached by callback had it
}

// Administration keeps tenants, API clients and signing keys.
type Administration interface {
	InsertOrganisation(ctx context.Context, o Organisation) error
	Organisations(ctx context.Context) ([]Organisation, error)
	ReplaceOrganisation(ctx context.Context, o Organisation) error
	DeleteOrganisation(ctx context.Context, id OrganisationID) error // Invalid/InUse while it has tenants

	InsertTenant(ctx context.Context, t Tenant) error // with its built-in applications and channel
	Tenant(ctx context.Context, id TenantID) (Tenant, error)
	Tenants(ctx context.Context) ([]Tenant, error)
	ReplaceTenant(ctx context.Context, t Tenant) error
	DeleteTenant(ctx context.Context, id TenantID) error // Invalid/InUse while it has clients or configuration of its own

	InsertClient(ctx context.Context, c APIClient) error // Invalid/NameTaken if the PublicID is in use
	Client(ctx context.Context, id APIClientID) (APIClient, error)
	ClientByPublicID(ctx context.Context, publicID string) (APIClient, error)
	// Clients is a page of clients in order of creation, and how many there are.
	Clients(ctx context.Context, q ClientQuery) ([]APIClient, int, error)
	ReplaceClient(ctx context.Context, c APIClient) error

	SigningKeys(ctx context.Context) ([]SigningKey, error)
	InsertSigningKey(ctx context.Context, k SigningKey) error
	DeleteSigningKey(ctx context.Context, id string) error
}

// A SigningKey signs access tokens. The store seals Private.
type SigningKey struct {
	ID      string // kid
	Private []byte // PKCS #8
	Created time.Time
}

// Assets keeps the records of files.
type Assets interface {
	InsertAsset(ctx context.Context, a Asset) error
	Asset(ctx context.Context, tenant TenantID, id AssetID) (Asset, error)
	// MarkUploaded notes that a file is there, with its size. Invalid/BadAsset if it was uploaded before.
	MarkUploaded(ctx context.Context, tenant TenantID, id AssetID, size int64) error
	DeleteAsset(ctx context.Context, tenant TenantID, id AssetID) error // Forbidden/AssetInUse
	// UnusedAssets lists assets of all tenants made before a time that no message uses.
	UnusedAssets(ctx context.Context, before time.Time, limit int) ([]Asset, error)
}
