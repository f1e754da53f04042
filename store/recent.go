package store

import (
	"slices"
	"sync"
	"time"

	"parley"
)

const (
	// recentFor is how long what was committed here is handed on from memory: what other nodes, or administrators, delete
	// meanwhile has to be seen.
	recentFor = time.Second
	// maxStretch bounds the messages that are kept of a conversation, the latest ones.
	maxStretch = 32
	// maxRecent bounds the bytes of bodies that are kept of each of two generations.
	maxRecent = 4 << 20
)

// A recent keeps what a writer committed within the last moment, so that whoever delivers it need not read back what has
// just been written. It is a copy of the record: what it has forgotten, or never had, is read from there.
type recent struct {
	clock      func() time.Time
	mu         sync.Mutex
	young, old map[parley.ConversationID]*stretch // what was continued since the last turn, and before it
	size       int                                // of young, in bytes
	turning    bool                               // a timer will call turn
	turned     time.Time                          // when young began
}

// A stretch is all messages of a conversation after one seq, up to another.
type stretch struct {
	after, to    int64
	conversation *parley.Conversation // as it is after them; not to be changed
	messages     []written
}

// A written message is as it was committed, and not to be changed.
type written struct {
	message *parley.Message
	size    int // of its body in the record, in bytes
	at      time.Time
}

// keep takes what was committed of a conversation: it lengthens its stretch, or begins another one where a commit of elsewhere is missing.
func (r *recent) keep(c *chain) {
	id, last, now := c.first().Conversation.ID, c.last().Conversation, r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stretchOf(id)
	r.forget(id)
	if slices.ContainsFunc(c.entries, func(e *entry) bool { return len(e.step.Deletions) > 0 || e.step.Readdress != nil }) {
		return // earlier messages changed
	}
	if s == nil || s.to != c.first().BaseSeq {
		s = &stretch{after: c.first().BaseSeq}
	}
	s.to, s.conversation = last.Seq, last
	for _, e := range c.entries {
		for _, w := range e.written {
			w.at = now
			s.messages = append(s.messages, w)
		}
	}
	drop := max(len(s.messages)-maxStretch, 0)
	for drop < len(s.messages) && !s.messages[drop].recent(now) {
		drop++
	}
	if drop > 0 {
		s.after = s.messages[drop-1].message.Seq
		s.messages = slices.Delete(s.messages, 0, drop)
	}
	if len(s.messages) == 0 {
		return
	}
	if r.size > maxRecent {
		r.old, r.young, r.size, r.turned = r.young, nil, 0, now
	}
	if r.young == nil {
		r.young = map[parley.ConversationID]*stretch{}
	}
	r.young[id] = s
	r.size += s.size()
	if !r.turning {
		r.turning, r.turned = true, now
		time.AfterFunc(recentFor, r.turn)
	}
}

func (s *stretch) size() (n int) {
	for _, w := range s.messages {
		n += w.size
	}
	return n
}

func (w written) recent(now time.Time) bool { return now.Sub(w.at) < recentFor }

func (r *recent) stretchOf(id parley.ConversationID) *stretch {
	if s := r.young[id]; s != nil {
		return s
	}
	return r.old[id]
}

func (r *recent) forget(id parley.ConversationID) {
	if s := r.young[id]; s != nil {
		r.size -= s.size()
	}
	delete(r.young, id)
	delete(r.old, id)
}

// turn lets go of what was not continued for a while.
func (r *recent) turn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.clock(); now.Sub(r.turned) >= recentFor {
		r.old, r.young, r.size, r.turned = r.young, nil, 0, now
	}
	if r.turning = len(r.old)+len(r.young) > 0; r.turning {
		time.AfterFunc(recentFor, r.turn)
	}
}

// atHand is what a lane owes, as far as that is here.
func (r *recent) atHand(lane *parley.Lane, limit int) (*parley.Conversation, []parley.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, acked, now := r.stretchOf(lane.Conversation), max(lane.Acked, lane.From-1), r.clock()
	if s == nil || acked < s.after {
		return nil, nil
	}
	var owed []parley.Message
	for _, w := range s.messages {
		if w.message.Seq <= acked || w.message.To&(int64(1)<<lane.Slot) == 0 {
			continue
		}
		if !w.recent(now) {
			return nil, nil
		}
		if owed = append(owed, *w.message); len(owed) == limit {
			break
		}
	}
	return s.conversation, owed
}

// AtHand implements [parley.Lanes].
func (s *Store) AtHand(lane *parley.Lane, limit int) (*parley.Conversation, []parley.Message) {
	return s.shard(lane.Conversation).recent.atHand(lane, limit)
}
