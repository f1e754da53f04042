package wire

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"parley"
	"parley/markup"
)

// A View says what of a message its reader may and can see. The zero View shows text only, and no conversation.
type View struct {
	Conversation *parley.Conversation // nil = no conversation block and no recipients
	Bare         bool                 // with Conversation: no conversation block, for it stands elsewhere
	Customer     bool                 // the block includes the customer and clientInfo; customers do not get them
	HTML         bool                 // rich text: html and text, the missing one made from the other; false = text only
	AsSent       bool                 // instead of HTML: the forms that the sender wrote, and text in any case
	Masked       bool                 // what is marked redact reads "***"
	Internal     bool                 // also attributes that are not marked external
	Recipients   int64                // bit n: name the party in slot n as recipient; 0 = everyone addressed
	AssetURL     func(parley.AssetID) string
	Status       string    // for reads; "" = left out
	Sent         time.Time // for reads; zero = left out
}

// TimeFormat is how times are written everywhere: UTC with milliseconds (reference 1.1).
const TimeFormat = "2006-01-02T15:04:05.000Z"

// Mask stands in place of redacted text (reference 11).
const Mask = "***"

// StatusDeleted is the status of a message whose content was deleted, softly or for good.
const StatusDeleted = "deleted"

// AppendEnvelope appends a whole request body: `{"metadata":…,"messages":{"message":[…]}}`. Metadata may be nil.
func AppendEnvelope(dst []byte, metadata []parley.NameValue, v View, messages ...*parley.Message) []byte {
	dst = append(dst, '{')
	if len(metadata) > 0 {
		dst = append(dst, `"metadata":{"attributes":`...)
		dst = appendPairs(dst, metadata)
		dst = append(dst, `},`...)
	}
	dst = append(dst, `"messages":{"message":[`...)
	for i, m := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = Append(dst, m, v)
	}
	return append(dst, `]}}`...)
}

// Append appends one message object. It holds no line breaks outside of strings' escapes.
func Append(dst []byte, m *parley.Message, v View) []byte {
	dst = append(dst, `{"id":"`...)
	dst = append(dst, m.ID.String()...)
	dst = append(dst, `","messageId":`...)
	if m.Body.MessageID != "" {
		dst = Quote(dst, m.Body.MessageID)
	} else {
		dst = Quote(dst, m.ID.String()) // what the sender was answered
	}
	dst = append(dst, `,"type":{"value":`...)
	dst = Quote(dst, string(m.Type))
	dst = append(dst, '}')
	if m.Deleted == parley.NotDeleted {
		dst = appendContent(dst, m, v)
	}
	if v.Conversation != nil && !v.Bare {
		dst = append(dst, `,"conversation":`...)
		dst = AppendConversation(dst, v.Conversation, v.Customer)
	}
	dst = appendSender(dst, m, v)
	dst = appendRecipients(dst, m, v)
	if m.Deleted == parley.NotDeleted {
		dst = appendAttachments(dst, m.Body.Attachments, v)
	}
	if m.Body.Parent != "" {
		dst = append(dst, `,"parent":{"messageId":`...)
		dst = Quote(dst, m.Body.Parent)
		dst = append(dst, '}')
	}
	dst = appendAttributes(dst, m.Body.Attributes, v.Internal)
	dst = append(dst, `,"created":`...)
	dst = appendTime(dst, m.Created)
	if status := v.Status; status != "" {
		if m.Deleted != parley.NotDeleted {
			status = StatusDeleted
		}
		dst = append(dst, `,"status":`...)
		dst = Quote(dst, status)
	}
	if !v.Sent.IsZero() {
		dst = append(dst, `,"sent":`...)
		dst = appendTime(dst, v.Sent)
	}
	return append(dst, '}')
}

// appendContent writes content with redact always present. A text without content, which has attachments, gets an empty
// one: receivers read content.html unasked, only conversation.end is known to come without (reference 10).
func appendContent(dst []byte, m *parley.Message, v View) []byte {
	c := m.Body.Content
	if c == nil {
		if m.Type != parley.TypeText {
			return dst
		}
		c = &parley.Content{}
	}
	dst = append(dst, `,"content":{`...)
	if masked := v.Masked && c.Redact; masked {
		dst = append(dst, `"text":"`+Mask+`",`...)
	} else {
		text, html := forms(c, v)
		if text != "" {
			dst = append(dst, `"text":`...)
			dst = Quote(dst, text)
			dst = append(dst, ',')
		}
		if html != "" {
			dst = append(dst, `"html":`...)
			dst = Quote(dst, html)
			dst = append(dst, ',')
		}
		if len(c.JSON) > 0 {
			dst = append(dst, `"json":`...)
			dst = append(dst, c.JSON...)
			dst = append(dst, ',')
		}
		dst = appendExtra(dst, c.Extra)
	}
	dst = append(dst, `"redact":`...)
	dst = strconv.AppendBool(dst, c.Redact)
	return append(dst, '}')
}

// forms are plain and rich text as the reader gets them.
func forms(c *parley.Content, v View) (text, html string) {
	text, html = c.Text, c.HTML
	if text == "" && html != "" {
		text = markup.Text(html)
	}
	switch {
	case v.AsSent:
	case !v.HTML:
		html = ""
	case html == "" && text != "":
		html = markup.HTML(text)
	}
	return text, html
}

// appendExtra passes unknown members of content on, in order of their names so that equal messages are equal bytes.
func appendExtra(dst []byte, extra map[string]json.RawMessage) []byte {
	if len(extra) == 0 {
		return dst
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		dst = Quote(dst, name)
		dst = append(dst, ':')
		dst = append(dst, extra[name]...)
		dst = append(dst, ',')
	}
	return dst
}

// appendSender always writes a participant's name: receivers read it unasked (reference 12, 8).
func appendSender(dst []byte, m *parley.Message, v View) []byte {
	dst = append(dst, `,"sender":{"type":`...)
	dst = Quote(dst, string(m.Sender))
	dst = append(dst, `,"participant":{`...)
	if !m.Body.Participant.IsZero() {
		dst = append(dst, `"id":"`...)
		dst = append(dst, m.Body.Participant.String()...)
		dst = append(dst, `",`...)
	}
	dst = append(dst, `"name":`...)
	name := m.Body.Name
	if name == "" && m.Sender == parley.Customer && v.Conversation != nil {
		name = v.Conversation.State.Customer.Name
	}
	if name == "" {
		name = string(m.Sender)
	}
	dst = Quote(dst, name)
	return append(dst, `}}`...)
}

// appendRecipients names the parties addressed, bots with their persona.
func appendRecipients(dst []byte, m *parley.Message, v View) []byte {
	if v.Conversation == nil {
		return dst
	}
	to := m.To
	if v.Recipients != 0 {
		to &= v.Recipients
	}
	first := true
	for slot, p := range v.Conversation.State.Parties {
		if to&(1<<slot) == 0 || p.Role == parley.BusinessNotification { // hooks hear of messages that are for others
			continue
		}
		if first {
			dst = append(dst, `,"recipients":{"recipient":[`...)
		} else {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, `{"type":`...)
		dst = Quote(dst, string(p.Role))
		if !p.Participant.IsZero() {
			dst = append(dst, `,"participant":{"id":"`...)
			dst = append(dst, p.Participant.String()...)
			dst = append(dst, `","name":`...)
			dst = Quote(dst, p.Name)
			dst = append(dst, '}')
		}
		dst = append(dst, '}')
	}
	if !first {
		dst = append(dst, `]}`...)
	}
	return dst
}

func appendAttachments(dst []byte, all []parley.Attachment, v View) []byte {
	for i, a := range all {
		if i == 0 {
			dst = append(dst, `,"attachments":{"attachment":[{`...)
		} else {
			dst = append(dst, `,{`...)
		}
		mark := len(dst)
		url := a.URL
		if !a.Asset.IsZero() {
			dst = append(dst, `"id":"`...)
			dst = append(dst, a.Asset.String()...)
			dst = append(dst, `",`...)
			if v.AssetURL != nil {
				url = v.AssetURL(a.Asset)
			}
		}
		dst = appendMember(dst, "name", a.Name)
		dst = appendMember(dst, "contentType", a.ContentType)
		if a.Size > 0 {
			dst = append(dst, `"size":`...)
			dst = strconv.AppendInt(dst, a.Size, 10)
			dst = append(dst, ',')
		}
		dst = appendMember(dst, "url", url)
		dst = closeObject(dst, mark)
	}
	if len(all) > 0 {
		dst = append(dst, `]}`...)
	}
	return dst
}

func appendAttributes(dst []byte, all []parley.Attribute, internal bool) []byte {
	first := true
	for _, a := range all {
		if !a.External && !internal {
			continue
		}
		if first {
			dst = append(dst, `,"attributes":{"attribute":[`...)
		} else {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, `{"name":`...)
		dst = Quote(dst, a.Name)
		dst = append(dst, `,"value":`...)
		dst = Quote(dst, a.Value)
		dst = append(dst, `,"external":`...)
		dst = strconv.AppendBool(dst, a.External)
		dst = append(dst, '}')
	}
	if !first {
		dst = append(dst, `]}`...)
	}
	return dst
}

// appendMember appends a string member and a comma, nothing if the value is empty.
func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	dst = Quote(dst, value)
	return append(dst, ',')
}

// closeObject ends an object whose members start at mark, each with a comma behind it.
func closeObject(dst []byte, mark int) []byte {
	if len(dst) > mark && dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

func appendPairs(dst []byte, all []parley.NameValue) []byte {
	dst = append(dst, '[')
	for i, p := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = Quote(dst, p.Name)
		dst = append(dst, `,"value":`...)
		dst = Quote(dst, p.Value)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, TimeFormat)
	return append(dst, '"')
}

// Quote appends s as a JSON string. Bytes that are no UTF-8 cannot come in over the wire; should the hub make some, they
// become U+FFFD.
func Quote(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
