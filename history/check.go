package history

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"parley"
)

// The limits of a line.
const (
	maxMessages = 100_000
	maxShort    = 255     // characters of ids, names, addresses
	maxText     = 500_000 // characters of a text
	maxURL      = 2048    // characters
	maxList     = 100     // contacts, attributes, attachments, steps
)

// early is before every conversation, and ahead is how much faster another system's clock may run.
var early = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)

const ahead = 5 * time.Minute

// A wrong says what is wrong with a line, by the name of the member.
type wrong struct{ member, what string }

func (w *wrong) Error() string { return w.member + " " + w.what }

// A checker finds the first thing that is wrong with a line.
type checker struct{ err error }

// note notes what is wrong, unless something is already.
func (c *checker) note(member, what string, args ...any) {
	if c.err == nil {
		c.err = &wrong{member, fmt.Sprintf(what, args...)}
	}
}

// short wants a text of limited length that every database takes; required ones may not be empty.
func (c *checker) short(member, value string, required bool) {
	c.text(member, value, required, maxShort)
}

func (c *checker) text(member, value string, required bool, limit int) {
	switch {
	case required && strings.TrimSpace(value) == "":
		c.note(member, "is required")
	case utf8.RuneCountInString(value) > limit:
		c.note(member, "may have %d characters, not %d", limit, utf8.RuneCountInString(value))
	case strings.IndexByte(value, 0) >= 0 || !utf8.ValidString(value):
		c.note(member, "holds a character that cannot be stored")
	}
}

func (c *checker) oneOf(member, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.note(member, "must be one of %s", strings.Join(slices.DeleteFunc(allowed, func(s string) bool { return s == "" }), ", "))
	}
}

func (c *checker) few(member string, n int) {
	if n > maxList {
		c.note(member, "may have %d items, not %d", maxList, n)
	}
}

func (c *checker) time(member string, t *Time, now time.Time, required bool) {
	switch at := t.at(); {
	case t == nil && required:
		c.note(member, "is required")
	case t == nil:
	case t.wrong:
		c.note(member, "must be a time such as 2026-03-01T12:00:00Z")
	case at.Before(early):
		c.note(member, "must not be before 1970-01-02")
	case at.After(now.Add(ahead)):
		c.note(member, "is in the future")
	}
}

// check says what is wrong with a line.
func (l *Line) check(now time.Time) error {
	c := &checker{}
	c.short("id", l.ID, true)
	c.short("channelType", l.ChannelType, true)
	c.short("address", l.Address, false)
	if l.Language != "" {
		if _, err := language.Parse(l.Language); err != nil || len(l.Language) > maxShort {
			c.note("language", "must be a language tag such as en-US")
		}
	}
	c.oneOf("version", l.Version, "", "LIVE", "DRAFT")
	if l.Status != "" && l.Status != string(parley.Ended) {
		c.note("status", "must be ended: what is imported is over")
	}
	c.oneOf("endedBy", l.EndedBy, "", string(parley.EndedByBot), string(parley.EndedByAgent), string(parley.EndedByCustomer), string(parley.EndedByTimeout))
	if l.Bot != "" {
		if _, err := parley.ParseID[parley.ClientApplication](l.Bot); err != nil {
			c.note("bot", "must be the id of a bot")
		}
	}
	if l.Score != nil && (*l.Score < 0 || *l.Score > 10) {
		c.note("score", "must be from 0 to 10")
	}
	if l.Customer != nil {
		c.customer(l.Customer)
	}
	if g := l.Campaign; g != nil {
		for _, m := range []struct{ name, value string }{{"id", g.ID}, {"source", g.Source}, {"medium", g.Medium}, {"name", g.Name}, {"content", g.Content}, {"term", g.Term}} {
			c.text("campaign."+m.name, m.value, false, parley.MaxCampaign)
		}
	}
	if f := l.Feedback; f != nil {
		if f.Evaluation < 0 || f.Evaluation > 5 {
			c.note("feedback.evaluation", "must be from 1 to 5")
		}
		c.text("feedback.comments", f.Comments, false, maxText)
	}
	if len(l.Messages) == 0 {
		c.note("messages", "needs at least one message")
	}
	if len(l.Messages) > maxMessages {
		c.note("messages", "may have %d items, not %d", maxMessages, len(l.Messages))
	}
	said := map[string]bool{}
	for i := range l.Messages {
		if c.err != nil {
			break
		}
		c.message(fmt.Sprintf("messages[%d].", i), &l.Messages[i], now, said)
	}
	c.span(l, now)
	return c.err
}

func (c *checker) customer(u *Customer) {
	c.short("customer.name", u.Name, false)
	c.short("customer.type", u.Type, false)
	c.few("customer.contacts", len(u.Contacts))
	for i, contact := range u.Contacts {
		at := fmt.Sprintf("customer.contacts[%d].", i)
		c.short(at+"type", contact.Type, true)
		c.short(at+"subType", contact.SubType, false)
		c.short(at+"address", contact.Address, true)
	}
	c.attributes("customer.attributes", u.Attributes)
}

func (c *checker) attributes(member string, all []Attribute) {
	c.few(member, len(all))
	for i, a := range all {
		c.short(fmt.Sprintf("%s[%d].name", member, i), a.Name, true)
		c.text(fmt.Sprintf("%s[%d].value", member, i), a.Value, false, maxText)
	}
}

// message checks one. said are the ids that were there, by sender.
func (c *checker) message(at string, m *Message, now time.Time, said map[string]bool) {
	c.oneOf(at+"sender", m.Sender, senderCustomer, senderBot, senderAgent, senderSystem)
	c.short(at+"id", m.ID, false)
	if key := m.Sender + " " + m.ID; m.ID != "" {
		if said[key] {
			c.note(at+"id", "is that of another message of the same sender")
		}
		said[key] = true
	}
	c.short(at+"name", m.Name, false)
	c.short(at+"parent", m.Parent, false)
	c.time(at+"at", m.At, now, true)
	if t := parley.MessageType(m.Type); m.Type != "" && (!slices.Contains(parley.MessageTypes(), t) || t.Ephemeral()) {
		c.note(at+"type", "must be a type of message that is kept, such as text")
	}
	c.text(at+"text", m.Text, false, maxText)
	c.text(at+"html", m.HTML, false, maxText)
	if len(m.JSON) > 0 && m.JSON[0] != '{' {
		c.note(at+"json", "must be an object")
	}
	empty := m.Text == "" && m.HTML == "" && len(m.JSON) == 0 && len(m.Attachments) == 0
	switch {
	case m.Deleted && !empty:
		c.note(at+"deleted", "is for a message without content")
	case !m.Deleted && empty && (m.Type == "" || m.Type == string(parley.TypeText)):
		c.note(at+"text", "is required")
	}
	c.few(at+"attachments", len(m.Attachments))
	for i, a := range m.Attachments {
		c.attachment(fmt.Sprintf("%sattachments[%d].", at, i), a)
	}
	c.attributes(at+"attributes", m.Attributes)
	if m.Intent != nil {
		if m.Sender != senderCustomer {
			c.note(at+"intent", "is for messages of the customer")
		}
		c.short(at+"intent.name", m.Intent.Name, true)
		if m.Intent.Confidence < 0 || m.Intent.Confidence > 1 {
			c.note(at+"intent.confidence", "must be from 0 to 1")
		}
	}
	if len(m.Steps) > 0 && m.Sender != senderBot {
		c.note(at+"steps", "are for messages of the bot")
	}
	c.few(at+"steps", len(m.Steps))
	for i, s := range m.Steps {
		c.short(fmt.Sprintf("%ssteps[%d].id", at, i), s.ID, true)
		c.short(fmt.Sprintf("%ssteps[%d].name", at, i), s.Name, false)
	}
}

func (c *checker) attachment(at string, a Attachment) {
	if a.URL != "" {
		if u, err := url.Parse(a.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			c.note(at+"url", "must be an absolute http or https URL")
		}
	}
	c.text(at+"url", a.URL, false, maxURL)
	c.short(at+"name", a.Name, a.URL == "")
	c.short(at+"contentType", a.ContentType, false)
	if a.Size < 0 {
		c.note(at+"size", "must not be negative")
	}
}

// span checks that the conversation lasts at least as long as its messages.
func (c *checker) span(l *Line, now time.Time) {
	c.time("started", l.Started, now, false)
	c.time("ended", l.Ended, now, false)
	c.time("handedOver", l.HandedOver, now, false)
	if c.err != nil {
		return
	}
	first, last := l.ends()
	if l.Started != nil && l.Started.at().After(first) {
		c.note("started", "must not be after the first message")
	}
	if l.Ended != nil && l.Ended.at().Before(last) {
		c.note("ended", "must not be before the last message")
	}
	if over := l.HandedOver.at(); l.HandedOver != nil && (over.Before(l.from()) || over.After(l.until())) {
		c.note("handedOver", "must be between started and ended")
	}
}

// ends are the times of the earliest and the latest message.
func (l *Line) ends() (first, last time.Time) {
	first, last = l.Messages[0].At.at(), l.Messages[0].At.at()
	for i := range l.Messages {
		at := l.Messages[i].At.at()
		if at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return first, last
}

// from and until are when the conversation began and ended.
func (l *Line) from() time.Time {
	first, _ := l.ends()
	if l.Started != nil {
		return l.Started.at()
	}
	return first
}

func (l *Line) until() time.Time {
	_, last := l.ends()
	if l.Ended != nil {
		return l.Ended.at()
	}
	return last
}
