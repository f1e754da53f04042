package parley

import (
	"sync/atomic"
	"time"
)

// A Step is one routed change of one conversation: everything that becomes true together, or not at all. Once given to
// the store it must not be changed.
type Step struct {
	Conversation *Conversation // state after the step; never shared with a later step
	BaseEpoch    int64         // (epoch, seq) the step was routed on; the commit takes it only if they still hold, and the step moves one of them
	BaseSeq      int64
	Run          *Run      // steps that were routed one on top of the other share it; nil = this one stands alone
	New          bool      // the conversation begins with this step
	StateChanged bool      // Conversation.Owner, Status or State differ from the base
	Messages     []Message // in Seq order, BaseSeq+1 onwards
	Deletions    []DeletionChange

	// For steps that begin a conversation with a messageId: the key of guarantee G3, at most one conversation each.
	StartKey []byte
	// One for each message with a messageId. RepeatsKnown: the hub has all hashes of the conversation in memory and found
	// no equal one, so SQL need not look; the commit holds only on the (epoch, seq) it was routed on, so that is safe.
	Repeats      []RepeatKey
	RepeatsKnown bool

	Turns      []Turn // opened, or closed: kept in place of what is known of them
	Readdress  *Readdress
	UsedAssets []AssetID // become Used

	// Lanes that owed nothing before this step, and that nobody works on, are claimed for the caller for so long, except
	// those of receivers whose keys are in LeaseNot; zero claims none.
	Lease    time.Duration
	LeaseNot []int64
}

// A Run is the steps of one conversation that were routed each on what the one before it leaves, while that was still on its
// way. When one of them does not become true, none of the later ones may, although (epoch, seq) might fit: the place of the
// missing message can be taken by one of another node.
type Run struct{ broken atomic.Bool }

// Break notes that a step of the run did not become true. The store calls it.
func (r *Run) Break() {
	if r != nil {
		r.broken.Store(true)
	}
}

// Broken says whether a step of the run did not become true.
func (r *Run) Broken() bool { return r != nil && r.broken.Load() }

// A Readdress gives earlier messages to a party that did not get them: those marked [Held], or, with Since, what the
// customer said from then on (it was not answered).
type Readdress struct {
	Slot  int
	Since time.Time // zero = the held ones
}

// A DeletionChange is what a delete or undo does to an earlier message.
type DeletionChange struct {
	Seq int64
	To  Deletion
}

// A Committed is what the store says of a step that became true.
type Committed struct {
	Claimed []*Lane // lanes that owe something because of this step, claimed for the caller; see Step.Lease
	Wake    []int64 // keys of further such lanes that nobody works on
}

// A RepeatKey identifies a message by what its sender called it, within one conversation.
type RepeatKey struct {
	Hash      int64 // of role and messageId; what the index holds
	Sender    Role
	MessageID string
}

// A Repeated error says that messages of the step were committed before, by the same sender under the same messageId,
// or, with Start, that the whole conversation was. Nothing of the step became true.
type Repeated struct {
	Start        bool
	Conversation ConversationID
	Found        []FoundRepeat
}

// A FoundRepeat is where the first one of a repeated message is.
type FoundRepeat struct {
	Key     RepeatKey
	Message MessageID
	Seq     int64
}

func (r *Repeated) Error() string {
	return "committed before in conversation " + r.Conversation.String()
}

// A Reminder is a conversation whose WakeAt has come.
type Reminder struct {
	Tenant       TenantID
	Conversation ConversationID
	WakeAt       time.Time
}
