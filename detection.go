package parley

import (
	"context"
	"time"
)

// A TrackerHit is a phrase of a Tracker that was found in a Message.
type TrackerHit struct {
	Tracker    Number
	Name       string // the tracker's, as it was then
	Phrase     int    // place in its vocabulary, from 0
	Value      string // the phrase as stored
	Seq        int64
	Offset     int      // of the first occurrence in the text, in UTF-16 code units; -1 = of similar meaning
	Length     int      // in UTF-16 code units; 0 with Offset -1
	Similarity float64  // 0 to 1; 1 = word by word
	Words      []string // of the message, that speak for it
}

// An EntityHit is a value of an Entity, or a built-in one, at one place of a Message.
type EntityHit struct {
	Entity   Number // zero = built in
	Type     string
	SubType  string
	Category string // "Custom" or "Managed"
	Value    string // as configured; of a built-in one as found
	Ordinal  int    // place in the entity's values, from 0
	Seq      int64
	Offset   int // in UTF-16 code units
	Length   int
}

// A Detection is what was found in a run of messages of one conversation.
type Detection struct {
	Insight  Insight // of the conversation, as it is after these messages; Seq is that of the last one
	Trackers []TrackerHit
	Entities []EntityHit
	Labels   []string // to put on the conversation
	At       time.Time
}

// A Standing is a conversation with how far detection went with it.
type Standing struct {
	Conversation
	Looked int64 // Seq of the last message that was looked at; 0 = none
}

// A Detected is a tracker's hit that asks for something to be done in its conversation.
type Detected struct {
	Tracker Number
	Name    string
	Phrase  string
	Message Message // in which it was found
	Action  TrackerAction
}

// A FedMessage is a committed message with its place in the order of commits.
type FedMessage struct {
	Key    int64 // grows; see [Detections.Fed]
	Tenant TenantID
	Message
}

// The names under which detection keeps how far it is: with what is said since it began, whether it did (1), and with what was said before,
// which ends at the last of them.
const (
	FeedDetection        = "detection"
	FeedDetectionStarted = "detection.started"
	FeedHistory          = "detection.history"
	FeedHistoryEnd       = "detection.history.end"
)

// Detections keeps what was found in conversations, and how far the search went.
type Detections interface {
	// Fed are messages of all tenants with a key greater than after, in order, at most limit. Keys are given before a
	// commit, so a smaller one may still turn up after a greater one: who follows must look at holes again.
	Fed(ctx context.Context, after int64, limit int) ([]FedMessage, error)
	// FedBetween are the messages whose keys lie between two, both exclusive.
	FedBetween(ctx context.Context, after, before int64, limit int) ([]FedMessage, error)
	// LastFed is the greatest key there is; 0 if there are no messages.
	LastFed(ctx context.Context) (int64, error)
	// FeedCursor is the key up to which a follower has seen everything. SetFeedCursor keeps it; it never goes back.
	FeedCursor(ctx context.Context, follower string) (int64, error)
	SetFeedCursor(ctx context.Context, follower string, key int64) error

	// Standings are those of a tenant's conversations that there are, in any order.
	Standings(ctx context.Context, tenant TenantID, ids []ConversationID) ([]Standing, error)
	// InsightsAfter are a tenant's insights with a greater number, in order, of conversations that started between two times
	// (zero = no bound), at most limit. CountInsights says how many there are in all.
	InsightsAfter(ctx context.Context, tenant TenantID, after Number, from, until time.Time, limit int) ([]Insight, error)
	CountInsights(ctx context.Context, tenant TenantID, from, until time.Time) (int, error)
	// PutDetections stores what was found in conversations of one tenant, one detection for each, with their insights; forgotten
	// ones are left out. Repeats change nothing.
	PutDetections(ctx context.Context, tenant TenantID, found []Detection) error
	// DropHits removes the hits in the messages of a conversation up to a Seq: those of the trackers named, or with none named all
	// of trackers and entities.
	DropHits(ctx context.Context, tenant TenantID, conversation ConversationID, upTo int64, trackers []Number) error
	// TrackerHits are those of a conversation whose messages are not deleted, in order of tracker, phrase and Seq.
	TrackerHits(ctx context.Context, tenant TenantID, conversation ConversationID) ([]TrackerHit, error)
	// EntityHits are those of a conversation, likewise, in order of entity, ordinal, Seq and offset.
	EntityHits(ctx context.Context, tenant TenantID, conversation ConversationID) ([]EntityHit, error)
}

// A Job looks for trackers and entities where somebody asked for it: in a text given from outside, or again in a range of
// conversations.
type Job struct {
	ID           JobID
	Tenant       TenantID
	Kind         JobKind
	Status       JobStatus
	Conversation ConversationID // of a text; zero for a range
	Request      JobRequest
	Done, Total  int    // messages of a text, conversations of a range; Total 0 = not counted yet
	Cursor       Number // of a range: the conversation up to which it is done
	Reason       string // why it failed; for people
	Created      time.Time
	Finished     time.Time // zero while it goes on
	Next         time.Time // it is left alone until then
	Told         bool      // the webhook heard how it ended, or will not
}

// TextWait is within which a text whose job there is gets stored, or its hub ended meanwhile.
const TextWait = time.Minute

// Due is from when on there is something to do about a job besides looking at the messages of its text; zero = nothing.
func (j *Job) Due() time.Time {
	due := j.Created
	switch {
	case j.Status.Over() && (j.Request.Webhook == "" || j.Told), j.Kind == JobText && j.Status == JobInProgress:
		return time.Time{}
	case j.Status.Over():
		due = j.Finished
	case j.Kind == JobText:
		due = due.Add(TextWait)
	}
	if j.Next.After(due) {
		return j.Next
	}
	return due
}

// JobID names a Job.
type JobID = ID[Job]

// A JobKind says what a job works on.
type JobKind string

const (
	JobText  JobKind = "text"
	JobRange JobKind = "range"
)

// A JobStatus is how far a job is, in the words of the manage surface; "cancelled" is ours.
type JobStatus string

const (
	JobScheduled  JobStatus = "scheduled"
	JobInProgress JobStatus = "in_progress"
	JobCompleted  JobStatus = "completed"
	JobFailed     JobStatus = "failed"
	JobCancelled  JobStatus = "cancelled"
)

// Over says whether nothing more will happen.
func (s JobStatus) Over() bool { return s == JobCompleted || s == JobFailed || s == JobCancelled }

// A JobRequest is what was asked for.
type JobRequest struct {
	// Of a text.
	Name       string            `json:"name,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	NoTrackers bool              `json:"noTrackers,omitempty"` // those of the tenant are not used
	NoEntities bool              `json:"noEntities,omitempty"`
	Stored     []Number          `json:"stored,omitempty"` // with NoTrackers: these are, all the same
	Trackers   []Tracker         `json:"trackers,omitempty"`
	Entities   []Entity          `json:"entities,omitempty"`
	Similarity float64           `json:"similarity,omitempty"` // least that counts; 0 = the engine's own
	Webhook    string            `json:"webhook,omitempty"`
	WebhookTry int               `json:"webhookTry,omitempty"`

	// Of a range: conversations that started between these; zero = no bound.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Only  []Number  `json:"only,omitempty"` // trackers; empty = all, and the entities
}

// Jobs keeps jobs.
type Jobs interface {
	InsertJob(ctx context.Context, j Job) error
	ReplaceJob(ctx context.Context, j Job) error
	Job(ctx context.Context, tenant TenantID, id JobID) (Job, error)
	// JobsOf is a page of a tenant's jobs of a kind, newest first: those made before one of them, zero = from the newest on.
	JobsOf(ctx context.Context, tenant TenantID, kind JobKind, before JobID, limit int) ([]Job, error)
	// JobsDue are those of all tenants that are due, see [Job.Due]; who waits longest comes first.
	JobsDue(ctx context.Context, now time.Time, limit int) ([]Job, error)
}

// A Vocabulary keeps the trackers, entities or groups of tenants.
type Vocabulary[T any] interface {
	// Insert stores a new one under its Number, or the next free one, which it sets. Invalid/NameTaken if its unique name is in use.
	Insert(ctx context.Context, one *T) error
	// Replace stores one in place of that with its Number; NotFound if there is none. Created is kept.
	Replace(ctx context.Context, one *T) error
	// Find is the one of that number.
	Find(ctx context.Context, tenant TenantID, number Number) (T, error)
	// List is all of a tenant, oldest first.
	List(ctx context.Context, tenant TenantID) ([]T, error)
	// Delete removes it; NotFound if there is none.
	Delete(ctx context.Context, tenant TenantID, number Number) error
}

// Understanding keeps what a tenant wants found in its conversations.
type Understanding interface {
	Trackers() Vocabulary[Tracker]
	Entities() Vocabulary[Entity]
	Groups() Vocabulary[Group]
	// Generation grows whenever trackers, entities, groups or user settings of the tenant change.
	Generation(ctx context.Context, tenant TenantID) (int64, error)
	// UserSettings are those of a tenant; zero apart from Tenant if there are none.
	UserSettings(ctx context.Context, tenant TenantID) (UserSettings, error)
	PutUserSettings(ctx context.Context, s UserSettings) error
}
