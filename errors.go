package parley

import (
	"context"
	"errors"
)

// A Kind says what a caller can do about an error. Each surface maps Kinds to its own statuses.
type Kind uint8

const (
	Internal        Kind = iota // our fault; the zero value, so a forgotten Kind never blames the caller
	Invalid                     // wrong as written; do not repeat
	Unauthenticated             // who are you? Bring a (new) credential
	Forbidden                   // known, but not allowed
	NotFound                    // also for what belongs to another Tenant
	Conflict                    // lost against a concurrent change; read again, then decide
	Closed                      // the conversation is over
	Busy                        // try later
	kinds                       // count
)

// Kinds lists every Kind, for tables that must be complete.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for k := range all {
		all[k] = Kind(k)
	}
	return all
}

var kindText = [kinds]string{
	Internal: "internal error", Invalid: "invalid", Unauthenticated: "not authenticated", Forbidden: "not allowed",
	NotFound: "not found", Conflict: "changed meanwhile", Closed: "the conversation is over", Busy: "busy, try later",
}

func (k Kind) String() string {
	if k < kinds {
		return kindText[k]
	}
	return kindText[Internal]
}

// A Reason tells apart errors of one Kind for which a published API has codes of their own. It is a closed set.
type Reason uint8

const (
	Unspecified         Reason = iota
	Missing                    // Invalid: a required member is absent
	OutsideEnum                // Invalid: not one of the allowed values
	BadValue                   // Invalid: wrong type, length, range or form
	NameTaken                  // Invalid: a unique name, or channel type, is in use
	BadReference               // Invalid: an id in the body refers to nothing, or to the wrong kind of thing
	InUse                      // Invalid: cannot be deleted or changed while others refer to it; Details lists them
	NoAccount                  // Invalid: no active account has this channel type and address
	Inactive                   // Invalid: a referenced thing is switched off
	TextTooLong                // Invalid: longer than the channel allows
	AttachmentRefused          // Invalid: attachments, or this file extension, are not allowed
	AttachmentTooLarge         // Invalid: larger than the channel allows
	FeatureRefused             // Invalid: the channel, or the account, does not allow this feature or type
	BadAsset                   // Invalid: unknown, not uploaded, or size or type differ
	NoParent                   // Invalid: parent.messageId is not in the conversation
	TypeNotAllowed             // Forbidden: this role may not send this message type
	AssetInUse                 // Forbidden: an asset that a message uses cannot be deleted
	NotParty                   // Forbidden: not part of the orchestration, or no longer the owner
	BadSignature               // Forbidden: a signed URL is forged, expired or for something else
	ConversationUnknown        // NotFound: the conversation itself, as opposed to something in it
	ScopeLacking               // Forbidden: the credential is good but has not the scope
	ActorNotAllowed            // Forbidden: this kind of actor may not call this at all
	reasons                    // count
)

// Reasons lists every Reason, for tables that must be complete.
func Reasons() []Reason {
	all := make([]Reason, reasons)
	for r := range all {
		all[r] = Reason(r)
	}
	return all
}

// A Detail is one further fact about an error: which other member is wrong, or who uses a thing.
type Detail struct{ Key, Value string }

// An Error is a failure that someone outside may be told about.
type Error struct {
	Kind    Kind
	Reason  Reason   // finer than Kind; Unspecified where no surface needs it
	Field   string   // path of the member that is wrong, as in "roles[0].callback"; "" if none
	Msg     string   // for the caller: plain words, no SQL, no addresses, no secrets; "" means the Kind's own text
	Details []Detail // at most 30 are shown
	Err     error    // the cause, for the log only; may be nil
}

func (e *Error) Error() string {
	text := e.Msg
	if text == "" {
		text = e.Kind.String()
	}
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the Kind of the first [Error] in err's tree. A cancelled or timed out context is Busy: the caller may
// try again. Anything else is Internal, nil included.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Busy
	}
	return Internal
}

// ReasonOf is the Reason of the first [Error] in err's tree, else Unspecified.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return Unspecified
}
