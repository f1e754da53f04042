package api

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley"
)

// Limits of reference section 1.4, in code points.
const (
	maxDeveloperMessage = 2048
	maxDetail           = 255
	maxDetails          = 30
)

// A Body is what the caller gets in place of an answer (reference 1.4).
type Body struct {
	Code             string   `json:"code"`
	DeveloperMessage string   `json:"developerMessage"`
	Details          []Detail `json:"details,omitempty"`
	UserMessage      string   `json:"userMessage,omitempty"`
}

// A Detail is one further fact about an error.
type Detail struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// A Code is the identity of an error; its part before the hyphen is the HTTP status.
type Code string

// The codes of reference section 1.5. Those marked "ours" are not known of the vendor.
const (
	UnknownParameter   Code = "400-101" // a query parameter that is not supported
	ParameterValue     Code = "400-102"
	ParameterNumber    Code = "400-105" // a query parameter that must be a positive integer
	PathParameter      Code = "400-108"
	ParameterMissing   Code = "400-112"
	AttributeMissing   Code = "400-143"
	AttributeValue     Code = "400-152"
	AttributeEnum      Code = "400-196"
	BodyMissing        Code = "400-264"
	NameTaken          Code = "400-601" // ours, as all from here
	BadReference       Code = "400-602"
	InUse              Code = "400-603"
	NoAccount          Code = "400-604"
	Inactive           Code = "400-605"
	TextTooLong        Code = "400-606"
	AttachmentRefused  Code = "400-607"
	AttachmentTooLarge Code = "400-608"
	FeatureRefused     Code = "400-609"
	BadAsset           Code = "400-610"
	NoParent           Code = "400-611"
	ConversationOver   Code = "400-630" // the vendor's again: a contract with clients, who start a new conversation
	TokenInvalid       Code = "401-101"
	NoAuthorization    Code = "401-104"
	ActorNotAllowed    Code = "403-112"
	ScopeLacking       Code = "403-197"
	TypeNotAllowed     Code = "403-601"
	AssetInUse         Code = "403-602"
	NotParty           Code = "403-603"
	Unknown            Code = "404-101" // an id in the path, and the path itself
	MethodNotAllowed   Code = "405-100" // ours: no 405 is documented, and a 404 would hide that the path is right
	NotAcceptable      Code = "406-100"
	Conflict           Code = "409-100"
	TooMany            Code = "429-001"
	InternalError      Code = "500-100"
)

// Codes lists every code, for tables that must be complete.
func Codes() []Code { return slices.Sorted(maps.Keys(userMessages)) }

// Status is the HTTP status of the code.
func (c Code) Status() int {
	status, _, _ := strings.Cut(string(c), "-")
	n, err := strconv.Atoi(status)
	if err != nil {
		return http.StatusInternalServerError
	}
	return n
}

// A Refusal is an error that only HTTP knows, and that has a code of its own.
type Refusal struct {
	Code Code
	Key  string // what it is about: a parameter, a header; "" if nothing
	Msg  string
}

func (e *Refusal) Error() string { return string(e.Code) + ": " + e.Msg }

// reasons has the codes of the errors whose Reason decides. [CodeOf] asks here first.
var reasons = map[parley.Kind]map[parley.Reason]Code{
	parley.Invalid: {
		parley.Missing: AttributeMissing, parley.OutsideEnum: AttributeEnum, parley.BadValue: AttributeValue,
		parley.NameTaken: NameTaken, parley.BadReference: BadReference, parley.InUse: InUse, parley.NoAccount: NoAccount,
		parley.Inactive: Inactive, parley.TextTooLong: TextTooLong, parley.AttachmentRefused: AttachmentRefused,
		parley.AttachmentTooLarge: AttachmentTooLarge, parley.FeatureRefused: FeatureRefused, parley.BadAsset: BadAsset,
		parley.NoParent: NoParent,
	},
	parley.Unauthenticated: {parley.Missing: NoAuthorization},
	parley.Forbidden: {
		parley.TypeNotAllowed: TypeNotAllowed, parley.AssetInUse: AssetInUse, parley.NotParty: NotParty,
		parley.BadSignature: ActorNotAllowed, parley.ScopeLacking: ScopeLacking, parley.ActorNotAllowed: ActorNotAllowed,
	},
	// To a sender an unknown conversation is one that can take no messages (reference 1.5, 400-630); the operation that
	// reads a conversation answers 404 itself.
	parley.NotFound: {parley.ConversationUnknown: ConversationOver},
}

// kinds has the codes of all other errors.
var kinds = map[parley.Kind]Code{
	parley.Internal:        InternalError,
	parley.Invalid:         AttributeValue,
	parley.Unauthenticated: TokenInvalid,
	parley.Forbidden:       ActorNotAllowed,
	parley.NotFound:        Unknown,
	parley.Conflict:        Conflict,
	parley.Closed:          ConversationOver,
	parley.Busy:            TooMany,
}

// CodeOf is the code of an error. It is the only table of Kinds of these surfaces.
func CodeOf(err error) Code {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal.Code
	}
	kind := parley.KindOf(err)
	if code, ok := reasons[kind][parley.ReasonOf(err)]; ok {
		return code
	}
	return kinds[kind]
}

// BodyOf is the body that tells of an error. Of Internal ones it tells nothing.
func BodyOf(err error) Body {
	b := Body{Code: string(CodeOf(err)), DeveloperMessage: parley.Internal.String()}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		b.DeveloperMessage = refusal.Msg
		if refusal.Key != "" {
			b.Details = []Detail{{Key: clip(refusal.Key, maxDetail)}}
		}
		return b
	}
	kind := parley.KindOf(err)
	if kind == parley.Internal {
		return b
	}
	b.DeveloperMessage = kind.String()
	e, ok := errors.AsType[*parley.Error](err)
	if !ok {
		return b
	}
	if e.Msg != "" {
		b.DeveloperMessage = e.Msg
	}
	if e.Field != "" {
		b.DeveloperMessage = e.Field + " " + b.DeveloperMessage
		b.Details = append(b.Details, Detail{Key: clip(e.Field, maxDetail)})
	}
	b.DeveloperMessage = clip(b.DeveloperMessage, maxDeveloperMessage)
	for _, d := range e.Details {
		if len(b.Details) < maxDetails {
			b.Details = append(b.Details, Detail{Key: clip(d.Key, maxDetail), Value: clip(d.Value, maxDetail)})
		}
	}
	return b
}

// WriteError answers a request with an error. Internal ones go to the log with the request's id; the caller learns
// nothing but the code.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	body := BodyOf(err)
	if wantsUserMessage(r) {
		body.UserMessage = userMessage(Code(body.Code), r.Header.Get("Accept-Language"))
	}
	NoteError(r.Context(), err)
	status := Code(body.Code).Status()
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 section 11.6.1
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	WriteJSON(w, status, body)
}

// WriteJSON answers with a JSON value. One that cannot be encoded is a mistake of ours, and becomes a bare 500.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"code":"500-100","developerMessage":"internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the caller has gone; there is nobody to tell
}

func clip(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return string([]rune(s)[:max-1]) + "…"
}

// wantsUserMessage is the header of reference 1.2.
func wantsUserMessage(r *http.Request) bool {
	return strings.EqualFold(strings.TrimSpace(r.Header.Get("X-egain-error-message")), "yes")
}
