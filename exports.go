package parley

// A CursorKind is the order in which a cursor is a place. What is a cursor of one is none of another.
type CursorKind string

const (
	ConversationCursor CursorKind = ""       // conversations in the order in which they became part of the record
	EventCursor        CursorKind = "events" // tracked events in the order in which they came
	EventPageCursor    CursorKind = "event pages"
)
