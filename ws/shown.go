package ws

import (
	"time"

	"parley"
)

// What a client has is shown to its party. The protocol tells so in three ways: the answer to a heartbeat comes after everything that the
// heartbeat named, read is said of what was shown, and whoever resumes says how far it came. None of them writes anything by itself: a
// session notes its places when a heartbeat is answered, and when it ends.

// A reach is how far the client of a session is known to have a conversation. It is part of a follow and guarded by the same mu.
type reach struct {
	slot  int   // of the party that it is shown to; -1 = none
	told  int64 // what the heartbeat named that is not answered yet
	has   int64
	at    int64 // when has became known, in milliseconds
	noted int64 // what the hub was told of
}

// come notes that the client has everything up to seq.
func (r *reach) come(seq int64) {
	if seq > r.has {
		r.has, r.at = seq, time.Now().UnixMilli()
	}
}

// ask keeps what a heartbeat names, unless one is on its way that was not answered: then the next answer is that one's. Conversations that
// have ended are not named when the client said that it has them: an agent's session meets some hundred a day. Called with mu held.
func (s *session) ask(last map[string]int64) {
	fresh := !s.asked
	s.asked = true
	for id, f := range s.follows {
		if f.filling || f.ended && f.has >= f.sent {
			continue
		}
		last[id.String()] = f.sent
		if fresh {
			f.told = f.sent
		}
	}
}

// answered takes the answer to a heartbeat, and says whether one was due: what was not asked for says nothing.
func (s *session) answered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		return false
	}
	s.asked = false
	for _, f := range s.follows {
		f.come(f.told)
	}
	s.noteShown()
	return true
}

// noteShown tells the hub what is new of what the client has. Called with mu held.
func (s *session) noteShown() {
	for _, f := range s.follows {
		if f.has <= f.noted || f.slot < 0 {
			continue
		}
		m := parley.ReadMark{Tenant: s.grant.Tenant, Conversation: f.id, Slot: f.slot, Seq: f.has, At: time.UnixMilli(f.at).UTC()}
		if !s.server.config.Hub.Shown(m) {
			return // too many are on their way: with the next answer
		}
		f.noted = f.has
	}
}
