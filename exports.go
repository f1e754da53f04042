package parley

import (
	"context"
	"time"
)

// A CursorKind is the order in which a cursor is a place. What is a cursor of one is none of another.
type CursorKind string

const (
	ConversationCursor CursorKind = ""       // conversations in the order in which they became part of the record
	VisitCursor        CursorKind = "visits" // see [VisitPlace]
	EventCursor        CursorKind = "events" // tracked events in the order in which they came
	EventPageCursor    CursorKind = "event pages"
)

// A VisitPlace is where a visit stands in the order in which visits are exported: that in which they last changed. Visits that changed
// together go by conversation and part.
//
// A visit changes after it was exported: more is said, it is rated, a part of an old thread begins. An order that a visit keeps for good would
// leave that behind. In this one whatever changes goes to the end, which is ahead of whoever goes on from some place. Figures are written by one at
// a time, which [Figures].PutFigures sees to, so that nothing turns up behind a place later, as things with keys may.
//
// A visit that counting everything anew leaves as it was keeps its place; others go to the end. So a place in one generation is one in the next.
type VisitPlace struct {
	Changed      int64 // when it did: grows with each step of counting
	Conversation int64
	Part         int64
}

// A VisitQuery selects visits of a tenant; zero members select all.
type VisitQuery struct {
	Tenant      TenantID   // required
	After       VisitPlace // those behind it
	From, Until time.Time  // started from, and before
	Bot         ApplicationID
	Channel     string // in lower case
	Limit       int
}

// An ExportedVisit is a visit with its place.
type ExportedVisit struct {
	Visit
	Place VisitPlace
	ID    VisitID        // the same for good. Nobody can tell from it which conversation it is of
	Of    ConversationID // zero = the conversation is not in the record any more
}

// Exports gives out what figures are made of.
type Exports interface {
	// ExportedVisits are visits of the generation that answers, by place, at most Limit.
	ExportedVisits(ctx context.Context, q VisitQuery) ([]ExportedVisit, error)
	// ExportedEvents are the events of a query whose keys are greater than one and at most another, by key, at most Limit. Before does not
	// matter.
	ExportedEvents(ctx context.Context, q EventQuery, after, upto int64) ([]TrackedEvent, error)
}
