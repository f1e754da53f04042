package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley"
	"parley/store/storetest"
)

// A Post is what a client knows of one message that it sent. Moments are places in one order of everything that its
// program did and heard, from 1; zero = never.
type Post struct {
	Program      string // that sent it
	MessageID    string
	Sender       parley.Role
	Conversation string // as acknowledged
	ID           string // as acknowledged
	Seq          int64  // as acknowledged; REST does not say it, then 0
	Sent, Acked  int    // moments of the first of each
	Line         int    // connection on which it was first sent and acknowledged; 0 = not the same one
	Troubled     bool   // an attempt was answered by an error, or its answer was lost: it was sent again
	Refused      string // the error that no repeat would cure; nothing may be refused in a campaign
}

// A Sight is one thing that a session was told of a conversation.
type Sight struct {
	Seq     int64
	ID      string // hub's id of the message at Seq
	Prev    int64  // Seq that the message says it follows; -1 = not said, as in an ack
	Resumed bool   // the session asked to resume after Prev, and is told that it continues after Seq
}

// A View is everything that one session program saw of one conversation, over all its connections.
type View struct {
	Name         string
	Conversation string
	Role         parley.Role
	Sights       []Sight
}

// A Recorded is a conversation as the store has it.
type Recorded struct {
	parley.Conversation
	Messages []parley.Message
	States   parley.DeliveryStates
	Siblings int // further conversations of the same customer, of whom each has one
}

// Evidence is what a campaign ends with: the record, what clients were told and saw, and what receivers got.
type Evidence struct {
	Record   []Recorded
	Posts    []Post
	Views    []View
	Arrivals []Arrival
	Faults   []string // seen on the way: answers that no client can make sense of
	Killed   bool     // nothing but kills is a reason for a callback to come again
	Kills    []time.Time
}

// A Verdict counts the violations of each guarantee.
type Verdict struct {
	Acked    int // messages that clients were told are stored
	Arrivals int // callbacks that came, repeats included

	Lost       int // acknowledged, shown or delivered, but not in the record as it was said (G1)
	Reordered  int // senders, sessions or receivers saw an order that is not the record's (G2, G5)
	Duplicated int // a message, a conversation, or a delivery under two names; a callback that came again for no reason (G3, G5)
	Unsent     int // owed by callback and never sent, or given up (G5)
	Missed     int // not shown to a session that was to see it, or a wrong account of where it resumes (G4)
	Refused    int // refused although nothing was wrong with it

	Details []string // the first few
}

const maxDetails = 20

func (v *Verdict) note(count *int, format string, args ...any) {
	*count++
	if len(v.Details) < maxDetails {
		v.Details = append(v.Details, fmt.Sprintf(format, args...))
	}
}

// Broken says whether any guarantee was violated.
func (v *Verdict) Broken() bool { return v.Violations() > 0 }

// Violations is how many there were.
func (v *Verdict) Violations() int {
	return v.Lost + v.Reordered + v.Duplicated + v.Unsent + v.Missed + v.Refused
}

// Check holds the record, the clients' logs and the receivers' logs against each other.
func Check(e Evidence) Verdict {
	v := Verdict{Arrivals: len(e.Arrivals)}
	byID := map[string]*Recorded{}
	for i := range e.Record {
		c := &e.Record[i]
		byID[c.ID.String()] = c
		v.checkRecord(c)
	}
	for _, f := range e.Faults {
		v.note(&v.Refused, "%s", f)
	}
	v.checkPosts(byID, e.Posts)
	for _, view := range e.Views {
		v.checkView(byID[view.Conversation], view)
	}
	v.checkArrivals(byID, e.Record, e.Arrivals)
	if e.Killed {
		v.checkRepeats(e.Arrivals, e.Kills)
	}
	return v
}

// onTheWay is how long before a kill a callback may have come that comes again after it: its answer takes some 0.15 s, and what went well is
// recorded within a second, or later where two cores do everything.
const onTheWay = 3 * time.Second

// checkRepeats: only what was on its way when a hub was killed comes again after that.
func (v *Verdict) checkRepeats(arrivals []Arrival, kills []time.Time) {
	last := map[string]time.Time{}
	for _, a := range arrivals {
		before, again := last[a.Delivery]
		last[a.Delivery] = a.At
		if again && !slices.ContainsFunc(kills, func(kill time.Time) bool {
			return !kill.Before(before) && kill.Before(a.At) && kill.Sub(before) <= onTheWay
		}) {
			v.note(&v.Duplicated, "%s got %s again after %v, although no hub that had it on its way was killed", a.Role, a.Delivery, a.At.Sub(before).Round(time.Millisecond))
		}
	}
}

// checkRecord looks at a conversation by itself: holes are losses, anything twice is a duplicate.
func (v *Verdict) checkRecord(c *Recorded) {
	for _, wrong := range storetest.Faults(c.Conversation, c.Messages) {
		count := &v.Lost
		if strings.Contains(wrong, "twice") {
			count = &v.Duplicated
		}
		v.note(count, "conversation %s: %s", c.ID, wrong)
	}
	if c.Siblings > 0 {
		v.note(&v.Duplicated, "conversation %s: its customer has %d more", c.ID, c.Siblings)
	}
}

func (c *Recorded) at(seq int64) *parley.Message {
	i, ok := slices.BinarySearchFunc(c.Messages, seq, func(m parley.Message, seq int64) int { return int(m.Seq - seq) })
	if !ok {
		return nil
	}
	return &c.Messages[i]
}

// checkPosts: what was acknowledged is in the record as acknowledged (G1), in the order in which its sender said it (G2):
// a message that was sent after the acknowledgement of another comes after it, and so does one that was sent behind
// another on the same connection, when nothing happened to either.
func (v *Verdict) checkPosts(record map[string]*Recorded, posts []Post) {
	type stored struct {
		Post
		seq int64
	}
	lines := map[string][]stored{}
	for _, p := range posts {
		if p.Refused != "" {
			v.note(&v.Refused, "%s of %s was refused: %s", p.MessageID, p.Sender, p.Refused)
		}
		if p.Acked == 0 {
			continue
		}
		v.Acked++
		c := record[p.Conversation]
		if c == nil {
			v.note(&v.Lost, "%s was acknowledged in conversation %s, which is not in the record", p.MessageID, p.Conversation)
			continue
		}
		at := slices.IndexFunc(c.Messages, func(m parley.Message) bool { return m.Sender == p.Sender && m.Body.MessageID == p.MessageID })
		if at < 0 || c.Messages[at].ID.String() != p.ID || p.Seq != 0 && c.Messages[at].Seq != p.Seq {
			v.note(&v.Lost, "%s was acknowledged as %s at %d of conversation %s; the record has no such message", p.MessageID, p.ID, p.Seq, p.Conversation)
			continue
		}
		key := p.Conversation + "/" + p.Program
		lines[key] = append(lines[key], stored{p, c.Messages[at].Seq})
	}
	for _, line := range lines {
		slices.SortFunc(line, func(a, b stored) int { return a.Acked - b.Acked })
		// The highest Seq of everything acknowledged before a moment, so that each message is compared with one number.
		highest := make([]int64, len(line))
		for i, p := range line {
			highest[i] = p.seq
			if i > 0 {
				highest[i] = max(highest[i], highest[i-1])
			}
		}
		for _, p := range line {
			before, _ := slices.BinarySearchFunc(line, p.Sent, func(other stored, sent int) int { return other.Acked - sent })
			if before > 0 && highest[before-1] > p.seq {
				v.note(&v.Reordered, "%s of conversation %s was sent after something at %d was acknowledged, and is at %d", p.MessageID, p.Conversation, highest[before-1], p.seq)
			}
		}
		slices.SortFunc(line, func(a, b stored) int { return a.Sent - b.Sent })
		last := stored{}
		for _, p := range line {
			if p.Line == 0 || p.Troubled {
				continue
			}
			if last.Line == p.Line && last.seq >= p.seq {
				v.note(&v.Reordered, "%s at %d was sent before %s at %d on one connection of conversation %s", last.MessageID, last.seq, p.MessageID, p.seq, p.Conversation)
			}
			last = p
		}
	}
}

// checkView: a session saw what it was to see, once, in order, and was told truthfully where it continued (G4).
func (v *Verdict) checkView(c *Recorded, view View) {
	if c == nil {
		v.note(&v.Lost, "%s saw conversation %s, which is not in the record", view.Name, view.Conversation)
		return
	}
	seen := map[int64]bool{}
	last := int64(0)
	for _, s := range view.Sights {
		if s.Resumed {
			if s.Seq != s.Prev {
				v.note(&v.Missed, "%s asked to resume conversation %s after %d and was told %d", view.Name, view.Conversation, s.Prev, s.Seq)
			}
			last = s.Seq
			continue
		}
		m := c.at(s.Seq)
		switch {
		case m == nil || m.ID.String() != s.ID:
			v.note(&v.Lost, "%s saw %s at %d of conversation %s; the record has no such message", view.Name, s.ID, s.Seq, view.Conversation)
		case seen[s.Seq]:
			v.note(&v.Duplicated, "%s saw %d of conversation %s twice", view.Name, s.Seq, view.Conversation)
		case s.Seq <= last:
			v.note(&v.Reordered, "%s saw %d of conversation %s after %d", view.Name, s.Seq, view.Conversation, last)
		case s.Prev >= 0 && s.Prev != last:
			v.note(&v.Missed, "%s saw %d of conversation %s, which follows %d, but the last it has is %d", view.Name, s.Seq, view.Conversation, s.Prev, last)
		}
		seen[s.Seq] = true
		last = max(last, s.Seq)
	}
	for i := range c.Messages {
		if m := &c.Messages[i]; !seen[m.Seq] && view.entitled(c, m) {
			v.note(&v.Missed, "%s never saw %d of conversation %s (%s of %s)", view.Name, m.Seq, view.Conversation, m.Type, m.Sender)
		}
	}
}

// entitled says whether a session of that role is shown a message: agents everything, a customer what was said to or by them.
func (v *View) entitled(c *Recorded, m *parley.Message) bool {
	if v.Role != parley.Customer {
		return slices.ContainsFunc(c.State.Parties, func(p parley.Party) bool { return p.Role == v.Role })
	}
	return m.Sender == parley.Customer || m.To&(1<<parley.CustomerSlot) != 0
}

// checkArrivals: everything owed came, in order, under one id (G5).
func (v *Verdict) checkArrivals(record map[string]*Recorded, all []Recorded, arrivals []Arrival) {
	type owed struct{ message, role string }
	deliveries := map[owed]string{}
	named := map[string]owed{}
	last := map[string]int64{}
	seqs := map[string]map[string]int64{}
	for id, c := range record {
		seqs[id] = map[string]int64{}
		for i := range c.Messages {
			seqs[id][c.Messages[i].ID.String()] = c.Messages[i].Seq
		}
	}
	for _, a := range arrivals {
		seq, stored := seqs[a.Conversation][a.Message]
		if !stored {
			v.note(&v.Lost, "%s got %s (%s of %s) of conversation %s; the record has no such message", a.Role, a.Message, a.Type, a.Sender, a.Conversation)
			continue
		}
		o := owed{a.Message, a.Role}
		if id, again := deliveries[o]; again {
			if id != a.Delivery {
				v.note(&v.Duplicated, "%s got message %s as delivery %s and as %s", a.Role, a.Message, id, a.Delivery)
			}
			continue // a repeat may come late: the receiver knows it by its id
		}
		if other, taken := named[a.Delivery]; taken {
			v.note(&v.Duplicated, "%s got messages %s and %s under one delivery id %s", a.Role, other.message, a.Message, a.Delivery)
		}
		deliveries[o], named[a.Delivery] = a.Delivery, o
		lane := a.Conversation + "/" + a.Role
		if seq < last[lane] {
			v.note(&v.Reordered, "%s got %d of conversation %s after %d", a.Role, seq, a.Conversation, last[lane])
		}
		last[lane] = max(last[lane], seq)
	}
	for i := range all {
		c := &all[i]
		for slot, p := range c.State.Parties {
			if !p.Callback {
				continue
			}
			for j := range c.Messages {
				m := &c.Messages[j]
				if m.To&(1<<slot) == 0 {
					continue
				}
				if deliveries[owed{m.ID.String(), string(p.Role)}] == "" {
					v.note(&v.Unsent, "%s never got %d of conversation %s", p.Role, m.Seq, c.ID)
				}
			}
		}
		for seq, reason := range c.States.Dead {
			v.note(&v.Unsent, "%d of conversation %s was given up: %s", seq, c.ID, reason)
		}
	}
}
