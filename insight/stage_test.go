package insight_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/insight"
	"parley/store"
	"parley/store/storetest"
)

type opener = func(testing.TB, ...storetest.Option) *store.Store

// A stage is a store with the rules over it and a detector that works when told to.
type stage struct {
	*testing.T
	store         *store.Store
	trackers      insight.Trackers
	entities      insight.Entities
	conversations insight.Conversations
	runs          insight.Runs
	detector      *insight.Detector
	acts          []parley.Detected
	told          []string
	ended         []parley.ConversationID
	failing       error // of Tell
	mu            sync.Mutex
	clock         time.Time
}

func newStage(t *testing.T, s *store.Store) *stage {
	v := insight.NewVocabularies(s, nil, nil)
	st := &stage{T: t, store: s, trackers: insight.Trackers{Vocabularies: v}, entities: insight.Entities{Vocabularies: v},
		conversations: insight.Conversations{Vocabularies: v}, runs: insight.Runs{Vocabularies: v}, clock: time.Now().UTC().Truncate(time.Millisecond)}
	v.SetClock(func() time.Time { return st.clock })
	st.detector = st.another()
	return st
}

// another is a further detector on the same record, as a second node has.
func (s *stage) another() *insight.Detector {
	return insight.NewDetector(insight.Config{Record: s.store, Hub: s, Teller: s, Clock: func() time.Time { return s.clock }})
}

func (s *stage) Detected(_ context.Context, _ parley.TenantID, d parley.Detected) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = append(s.acts, d)
	return nil
}

// End is what a hub does before a conversation is deleted: nothing is gone by then.
func (s *stage) End(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, _ string) error {
	s.ended = append(s.ended, id)
	if said := s.messages(id); len(said) == 0 || said[0].Deleted == parley.Erased {
		s.Errorf("conversation %s is deleted before it ends", id)
	}
	return nil
}

func (s *stage) Tell(_ context.Context, url string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, url+" "+string(body))
	return s.failing
}

func (s *stage) round() {
	s.Helper()
	if err := s.detector.Round(s.Context()); err != nil {
		s.Fatalf("round of the detector: %v", err)
	}
}

func (s *stage) tracker(t parley.Tracker) parley.Tracker {
	s.Helper()
	made, err := s.trackers.Create(s.Context(), parley.DefaultTenant, []parley.Tracker{t}, false)
	if err != nil {
		s.Fatalf("create tracker: %v", err)
	}
	return made[0]
}

// say stores a text and returns its number.
func (s *stage) say(t insight.Text, said ...string) (parley.Number, parley.JobID) {
	s.Helper()
	for _, words := range said {
		t.Messages = append(t.Messages, insight.TextMessage{Content: words, UserID: "roza@example.org", Name: "Roza"})
	}
	n, job, err := s.conversations.Process(s.Context(), parley.DefaultTenant, nil, t)
	if err != nil {
		s.Fatalf("process text: %v", err)
	}
	return n, job
}

// found is what trackers found, as "name: value@offset in message, …".
func (s *stage) found(n parley.Number) []string {
	s.Helper()
	findings, err := s.conversations.Trackers(s.Context(), parley.DefaultTenant, n)
	if err != nil {
		s.Fatalf("trackers of %s: %v", n, err)
	}
	return lines(findings)
}

func lines(findings []insight.Finding) []string {
	out := []string{}
	for _, f := range findings {
		for _, m := range f.Matches {
			var refs []string
			for _, r := range m.Refs {
				refs = append(refs, fmt.Sprintf("%d in %s", r.Offset, r.Message.Text))
			}
			out = append(out, f.Name+f.Type+": "+m.Value+" at "+strings.Join(refs, "; "))
		}
	}
	return out
}
