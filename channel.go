package parley

import (
	"slices"
	"strings"
)

// A Channel is a way messages reach customers, with what it can carry.
type Channel struct {
	ID            ChannelID      `json:"-"`
	Base                         // Name is not used: Type is the unique key
	Type          string         `json:"type"`
	DisplayName   string         `json:"displayName"`
	Icon          string         `json:"icon"` // base64 picture; never decoded
	Restrictions  *Restrictions  `json:"restrictions,omitempty"`
	Localisations []Localisation `json:"localisations,omitempty"` // hub texts per language
	BuiltIn       bool           `json:"builtIn,omitempty"`
}

// Restrictions say what a channel cannot carry. Inbound is customer to hub. A nil pointer or slice restricts nothing.
type Restrictions struct {
	Inbound  *Restriction         `json:"inbound,omitempty"`
	Outbound *OutboundRestriction `json:"outbound,omitempty"`
}

// A Restriction is what holds in one direction.
type Restriction struct {
	MaxTextLength int               `json:"maxTextLength,omitempty"` // in code points; 0 = unlimited
	Features      []Feature         `json:"features"`                // nil = all, else only these
	Attachments   *AttachmentPolicy `json:"attachments,omitempty"`
}

// OutboundRestriction adds what holds towards customers only.
type OutboundRestriction struct {
	Restriction
	SystemMessages bool     `json:"systemMessages"` // may the hub send its own texts to the customer
	MidChatAuth    bool     `json:"midChatAuth"`    // may richMessage.authentication be used
	RichTypes      []string `json:"richTypes"`      // suffixes as in "quickreply"; nil = all, else only these
}

// A Feature is one of the abilities a channel lists.
type Feature string

const (
	FeatureTyping      Feature = "typing_events"
	FeatureAttachments Feature = "attachments"
	FeatureRichText    Feature = "richText"
)

// An AttachmentPolicy says which files may pass.
type AttachmentPolicy struct {
	Enabled    bool     `json:"enabled"`
	MaxSize    int64    `json:"maxSize,omitempty"`    // bytes per file; 0 = MaxAssetSize
	Allow      bool     `json:"allow"`                // true: only Extensions; false: all but Extensions
	Extensions []string `json:"extensions,omitempty"` // without dot, compared without case
}

// Restriction is what the channel says about messages of that sender: customers are inbound, all others outbound. The
// zero Restriction restricts nothing.
func (c *Channel) Restriction(sender Role) Restriction {
	switch r := c.Restrictions; {
	case r == nil:
	case sender == Customer && r.Inbound != nil:
		return *r.Inbound
	case sender != Customer && r.Outbound != nil:
		return r.Outbound.Restriction
	}
	return Restriction{}
}

// RefusesFile says why a file may not pass: AttachmentRefused, AttachmentTooLarge, or Unspecified if it may. extension is
// without dot; a size of 0 is not known.
func (r Restriction) RefusesFile(extension string, size int64) Reason {
	p := r.Attachments
	switch {
	case r.Features != nil && !slices.Contains(r.Features, FeatureAttachments):
		return AttachmentRefused
	case p == nil:
		return Unspecified
	case !p.Enabled, p.Allow != slices.ContainsFunc(p.Extensions, func(e string) bool { return strings.EqualFold(strings.TrimPrefix(e, "."), extension) }):
		return AttachmentRefused
	case p.MaxSize > 0 && size > p.MaxSize:
		return AttachmentTooLarge
	}
	return Unspecified
}

// A Localisation has the hub's texts in one language.
type Localisation struct {
	Language   string      `json:"language"`
	Properties []NameValue `json:"properties"`
}

// Names of hub texts (reference section 5).
const (
	TextRetainAndRetry     = "msg_hub_retain_and_retry"
	TextOffHours           = "msg_hub_off_hours"
	TextInvalidToCustomer  = "msg_hub_invalid_content_type_to_customer"
	TextInvalidToAgent     = "msg_hub_invalid_content_type_to_agent"
	TextMessageFailed      = "msg_hub_channel_msg_failed"
	TextBlockedExtension   = "msg_hub_blocked_file_extension"        // {0} the extension
	TextAttachmentTooLarge = "msg_hub_attachment_size_exceeds_limit" // {0} the limit
)

// MaxAssetSize is the largest file in bytes (reference section 8: 10 MiB).
const MaxAssetSize = 10 << 20
