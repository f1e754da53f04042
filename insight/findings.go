package insight

import (
	"context"
	"slices"
	"strings"

	"parley"
	"parley/insight/text"
)

// A Ref is where something was found.
type Ref struct {
	Message SaidMessage
	Hit     parley.TrackerHit // of trackers: with the similarity, and the words that speak for it
	Offset  int               // in UTF-16 code units; -1 = of similar meaning
}

// A Match is one value that was found.
type Match struct {
	Value string
	Refs  []Ref
}

// A Finding is a tracker or an entity with what was found of it.
type Finding struct {
	Number                  parley.Number
	Name                    string // of a tracker
	Type, SubType, Category string // of an entity
	Matches                 []Match
}

// Trackers is what trackers found in a conversation, in the order of reference 3.5.
func (c *Conversations) Trackers(ctx context.Context, tenant parley.TenantID, n parley.Number) ([]Finding, error) {
	var hits []parley.TrackerHit
	said, err := c.withHits(ctx, tenant, n, func(tx parley.Tx, id parley.ConversationID) (err error) {
		hits, err = tx.TrackerHits(ctx, tenant, id)
		return err
	})
	found := findings{}
	for _, h := range hits {
		if m, ok := said[h.Seq]; ok {
			h.Words = shownWords(&m, h.Words)
			found.add(Finding{Number: h.Tracker, Name: h.Name}, h.Value, Ref{Message: m, Hit: h, Offset: placeIn(&m, h.Value, h.Offset)})
		}
	}
	return found, err
}

// Entities is which entities were found in a conversation.
func (c *Conversations) Entities(ctx context.Context, tenant parley.TenantID, n parley.Number) ([]Finding, error) {
	var hits []parley.EntityHit
	said, err := c.withHits(ctx, tenant, n, func(tx parley.Tx, id parley.ConversationID) (err error) {
		hits, err = tx.EntityHits(ctx, tenant, id)
		return err
	})
	found := findings{}
	for _, h := range hits {
		if m, ok := said[h.Seq]; ok {
			if value, offset, ok := shownAt(&m, &h); ok {
				found.add(Finding{Number: h.Entity, Type: h.Type, SubType: h.SubType, Category: h.Category}, value, Ref{Message: m, Offset: offset})
			}
		}
	}
	return found, err
}

// findings gathers hits that come in order of what was found.
type findings []Finding

// add adds a hit of a value: to the last finding, if it is of the same tracker or entity.
func (all *findings) add(of Finding, value string, r Ref) {
	if last := len(*all) - 1; last < 0 || (*all)[last].Number != of.Number || (*all)[last].Type != of.Type || (*all)[last].SubType != of.SubType {
		*all = append(*all, of)
	}
	f := &(*all)[len(*all)-1]
	i := slices.IndexFunc(f.Matches, func(m Match) bool { return m.Value == value })
	if i < 0 {
		f.Matches = append(f.Matches, Match{Value: value})
		i = len(f.Matches) - 1
	}
	f.Matches[i].Refs = append(f.Matches[i].Refs, r)
}

// withHits reads hits together with what was said, by Seq, redacted if that is the tenant's setting.
func (c *Conversations) withHits(ctx context.Context, tenant parley.TenantID, n parley.Number, hits func(parley.Tx, parley.ConversationID) error) (map[int64]SaidMessage, error) {
	in, said, err := c.Messages(ctx, tenant, n, false, nil)
	if err != nil {
		return nil, err
	}
	if err := c.store.View(ctx, func(tx parley.Tx) error { return hits(tx, in.Conversation) }); err != nil {
		return nil, err
	}
	bySeq := make(map[int64]SaidMessage, len(said))
	for _, m := range said {
		bySeq[m.Seq] = m
	}
	return bySeq, nil
}

// placeIn is the place of a phrase in a message as it is shown: where it was found, unless the message was redacted since.
func placeIn(m *SaidMessage, phrase string, found int) int {
	if found < 0 || m.redact == nil {
		return found
	}
	places := text.NewLexicon([]string{phrase}).Find(m.Text)
	if len(places) == 0 {
		return -1
	}
	return text.UTF16Offset(m.Text, places[0].Start)
}

// shownWords are those of the words of a hit that a message shows.
func shownWords(m *SaidMessage, words []string) []string {
	if m.redact == nil {
		return words
	}
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.Contains(m.Text, w) })
}

// shownAt is the value of an entity's hit, and its place, in a message as it is shown: what stands there now, if it was redacted since.
// ok is false if it is hidden in something larger.
func shownAt(m *SaidMessage, h *parley.EntityHit) (value string, offset int, ok bool) {
	if m.redact == nil {
		return h.Value, h.Offset, true
	}
	start, end := byteOffset(m.original, h.Offset), byteOffset(m.original, h.Offset+h.Length)
	before, upTo := m.redact(m.original[:start]), m.redact(m.original[:end])
	inside, ok := strings.CutPrefix(upTo, before)
	switch {
	case !ok || !strings.HasPrefix(m.Text, upTo):
		return "", 0, false
	case inside != m.original[start:end]:
		return inside, text.UTF16Offset(m.Text, len(before)), true
	}
	return h.Value, text.UTF16Offset(m.Text, len(before)), true
}

// byteOffset turns an offset in UTF-16 code units into one in bytes.
func byteOffset(s string, units int) int {
	for i, r := range s {
		if units <= 0 {
			return i
		}
		if units--; r > 0xFFFF {
			units--
		}
	}
	return len(s)
}
