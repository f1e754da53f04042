package figures

import (
	"slices"
	"time"

	"parley"
)

// news is what counting a conversation on has found that its visits did not know: messages that count, and transitions. What is counted
// again, for whatever reason, is none; a transition that was taken back and came in another form is.
func news(h *parley.Story, found []parley.Visit) (all []parley.News) {
	var read int64
	for i := range h.Visits {
		read = max(read, h.Visits[i].Facts.ReadSeq)
	}
	for i := range found {
		v := &found[i]
		if v.Bot.IsZero() {
			continue
		}
		of := parley.News{Conversation: h.Key, Tenant: v.Tenant, Bot: v.Bot, Version: v.Version}
		for j := range h.Messages {
			m := &h.Messages[j]
			if m.Seq <= read || m.Seq < v.FirstSeq || m.Seq > v.LastSeq || !counts(m) {
				continue
			}
			n := of
			n.At, n.Seq, n.Sender = m.Created, m.Seq, senderOf(m)
			all = append(all, n)
		}
		var known []parley.Transition
		if at := slices.IndexFunc(h.Visits, func(s parley.StoredVisit) bool { return s.Part == v.Part }); at >= 0 {
			known = h.Visits[at].Facts.Steps
		}
		for depth, t := range v.Facts.Steps {
			if depth < len(known) && known[depth].From == t.From && known[depth].To == t.To && known[depth].At == t.At {
				continue
			}
			n := of
			n.At, n.Part, n.Depth, n.Transition = time.UnixMilli(t.At).UTC(), v.Part, depth, t
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(a, b parley.News) int { return a.At.Compare(b.At) })
	return all
}

// senderOf is who says a message that counts, in the words of the wire.
func senderOf(m *parley.SaidMessage) string {
	switch {
	case m.Sender == parley.Customer:
		return whoSaid[0]
	case m.Sender.IsBot():
		return whoSaid[1]
	}
	return whoSaid[2]
}
