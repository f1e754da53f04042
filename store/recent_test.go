package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley"
	"parley/store"
	"parley/store/keyset"
	"parley/store/storetest"
)

// atHand is what of a lane's messages is at hand, once it is seen that the record has the same.
func atHand(ctx context.Context, t rapid.TB, s *store.Store, lane *parley.Lane, limit int) []parley.Message {
	t.Helper()
	c, got := s.AtHand(lane, limit)
	if len(got) == 0 {
		return nil
	}
	stored, want, err := s.Owed(ctx, lane, limit)
	if err != nil || len(want) < len(got) {
		t.Fatalf("at hand are %d messages, the record has %d, %v", len(got), len(want), err)
	}
	// Another node may have moved the conversation, and have said more, since.
	if c.Seq < got[len(got)-1].Seq || c.Seq > stored.Seq || c.ID != stored.ID {
		t.Errorf("with message %d came the conversation as of %d, the record has %d", got[len(got)-1].Seq, c.Seq, stored.Seq)
	}
	if c.Seq == stored.Seq && c.Epoch == stored.Epoch && !bytes.Equal(encoded(t, c), encoded(t, &stored)) {
		t.Errorf("at hand is %s, the record has %s", encoded(t, c), encoded(t, &stored))
	}
	if !bytes.Equal(encoded(t, got), encoded(t, want[:len(got)])) {
		t.Errorf("at hand are %s, the record has %s", encoded(t, got), encoded(t, want))
	}
	return got
}

func encoded(t rapid.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever was said and deleted here, and said on another node, what is at hand is what the record says comes next.
func TestAtHandIsAsTheRecord(t *testing.T) {
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(t.TempDir(), "parley.db") },
		"postgres": func() string { return storetest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			var off atomic.Int64
			begun, at := time.Now(), url()
			seal, err := keyset.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			node := func(c *store.Config) {
				c.Seal, c.Clock = seal, func() time.Time { return begun.Add(time.Duration(off.Load())) }
			}
			here, elsewhere := storetest.OpenURL(t, at, node), storetest.OpenURL(t, at, node)
			found := 0
			rapid.Check(t, func(r *rapid.T) {
				said := storetest.Start("")
				said.Lease = time.Minute
				claimed := storetest.MustCommit(t, here, said)[0].Claimed
				for range rapid.IntRange(1, 60).Draw(r, "steps") {
					node := here
					switch rapid.SampledFrom([]string{"say", "say", "say", "say twice", "elsewhere", "delete", "again", "wait"}).Draw(r, "what") {
					case "elsewhere":
						node = elsewhere
						fallthrough
					case "say":
						said = storetest.Say(said.Conversation, parley.Customer, "", rapid.Int64Range(0, 3).Draw(r, "to"))
						storetest.MustCommit(t, node, said)
					case "say twice":
						first := storetest.Say(said.Conversation, parley.Customer, "", rapid.Int64Range(0, 3).Draw(r, "to"))
						said = storetest.Say(first.Conversation, parley.Customer, "", 2)
						here.CommitTogether(t, first, said)
					case "delete":
						seq := rapid.Int64Range(1, said.Conversation.Seq).Draw(r, "seq")
						said = storetest.Delete(said.Conversation, parley.DeletionChange{Seq: seq, To: parley.Erased})
						storetest.MustCommit(t, here, said)
					case "again":
						said = storetest.Delete(said.Conversation)
						said.Readdress = &parley.Readdress{Slot: 1, Since: begun.Add(-time.Hour)}
						storetest.MustCommit(t, here, said)
					case "wait":
						off.Add(int64(rapid.SampledFrom([]time.Duration{time.Millisecond, store.RecentFor / 2, store.RecentFor}).Draw(r, "wait")))
					}
					lane := *claimed[0]
					lane.Acked = rapid.Int64Range(0, said.Conversation.Seq).Draw(r, "acked")
					found += len(atHand(t.Context(), r, here, &lane, rapid.IntRange(1, 20).Draw(r, "limit")))
				}
			})
			if found == 0 {
				t.Error("nothing was ever at hand")
			}
		})
	}
}

// A lane that was claimed with its commit has at hand what it owes, although earlier messages, which are not for it, are forgotten.
func TestAtHandAfterAWhile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		var off atomic.Int64
		begun := time.Now()
		s := open(t, storetest.Clock(func() time.Time { return begun.Add(time.Duration(off.Load())) }))
		said := storetest.Start("")
		said.Lease = time.Minute
		lane := storetest.MustCommit(t, s, said)[0].Claimed[0]
		if _, err := s.Finish(t.Context(), parley.Progress{Lane: lane, Acked: 1, Release: true}); err != nil {
			t.Fatal(err)
		}
		said = storetest.Say(said.Conversation, parley.CustomBot, "", 1)
		storetest.MustCommit(t, s, said)
		off.Add(int64(time.Hour))
		said = storetest.Say(said.Conversation, parley.Customer, "", 2)
		said.Lease = time.Minute
		lane = storetest.MustCommit(t, s, said)[0].Claimed[0]
		if got := atHand(t.Context(), t, s, lane, 10); len(got) != 1 || got[0].Seq != 3 {
			t.Errorf("at hand is %+v, want message 3", got)
		}
		off.Add(int64(store.RecentFor))
		if got := atHand(t.Context(), t, s, lane, 10); got != nil {
			t.Errorf("at hand is %+v a while later, want nothing: it may have been deleted", got)
		}
	})
}

// What is kept is bounded: by messages of one conversation, and by bytes of all.
func TestAtHandIsBounded(t *testing.T) {
	now := time.Now()
	s := storetest.Open(t, storetest.Clock(func() time.Time { return now }))
	said := storetest.Start("")
	said.Lease = time.Minute
	lane := storetest.MustCommit(t, s, said)[0].Claimed[0]
	for range 2 * store.MaxStretch {
		said = storetest.Say(said.Conversation, parley.Customer, "", 2)
		storetest.MustCommit(t, s, said)
	}
	if got := atHand(t.Context(), t, s, lane, 100); got != nil {
		t.Errorf("%d messages are at hand from the first on, want none", len(got))
	}
	lane.Acked = said.Conversation.Seq - store.MaxStretch
	if got := atHand(t.Context(), t, s, lane, 100); len(got) != store.MaxStretch {
		t.Errorf("%d messages are at hand, want %d", len(got), store.MaxStretch)
	}
	const size = 100 << 10
	others := make([]*parley.Step, 3*store.MaxRecent/size)
	for i := range others {
		others[i] = storetest.Start("")
		others[i].Messages[0].Body.Content.Text = string(bytes.Repeat([]byte("x"), size))
	}
	s.CommitTogether(t, others...) // so that time does not let go of them
	if got := atHand(t.Context(), t, s, lane, 100); got != nil {
		t.Errorf("%d messages are at hand still", len(got))
	}
	if held := s.RecentBytes(); held < store.MaxRecent || held > 2*(store.MaxRecent+size+100) {
		t.Errorf("%d bytes are kept, want about %d twice", held, store.MaxRecent)
	}
}

// What nobody continues is let go of.
func TestAtHandIsLetGo(t *testing.T) {
	var off atomic.Int64
	begun := time.Now()
	s := storetest.Open(t, storetest.Clock(func() time.Time { return begun.Add(time.Duration(off.Load())) }))
	storetest.MustCommit(t, s, storetest.Start(""))
	for _, turn := range []struct {
		after time.Duration
		kept  bool
	}{{store.RecentFor / 2, true}, {store.RecentFor / 2, true}, {store.RecentFor / 2, true}, {store.RecentFor / 2, false}} {
		off.Add(int64(turn.after))
		s.TurnRecent()
		if n := s.RecentBytes(); n > 0 != turn.kept {
			t.Errorf("%d bytes are kept after %v", n, time.Duration(off.Load()))
		}
	}
}

// A lane that is claimed as it comes to owe something knows from where on, unless it may owe earlier messages.
func TestClaimsSayFromWhereOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		now := time.Now()
		s := open(t, storetest.Clock(func() time.Time { return now }))
		for what, c := range map[string]struct {
			change func(first, second *parley.Step)
			atHand int
		}{
			"deleted in the same commit": {change: func(first, second *parley.Step) {
				first.Lease = time.Minute
				second.Deletions = []parley.DeletionChange{{Seq: 1, To: parley.Erased}}
			}},
			"addressed before there was a lane": {atHand: 2, change: func(first, second *parley.Step) {
				first.Conversation.State.Parties[1].Callback = false
				second.Lease = time.Minute
			}},
			"addressed anew": {change: func(first, second *parley.Step) {
				first.Messages[0].To = parley.Held
				second.Lease, second.Readdress = time.Minute, &parley.Readdress{Slot: 1}
			}},
		} {
			first := storetest.Start("")
			second := storetest.Say(first.Conversation, parley.Customer, "", 2)
			parties := slices.Clone(second.Conversation.State.Parties)
			c.change(first, second)
			second.Conversation.State.Parties = parties
			committed := s.CommitTogether(t, first, second)
			lanes := slices.Concat(committed[0].Claimed, committed[1].Claimed)
			if len(lanes) != 1 || lanes[0].From != 0 {
				t.Errorf("%s: claimed are %+v, want one lane that does not know", what, lanes)
				continue
			}
			if got := atHand(t.Context(), t, s, lanes[0], 10); len(got) != c.atHand {
				t.Errorf("%s: at hand are %d messages, want %d", what, len(got), c.atHand)
			}
			if _, owed, err := s.Owed(t.Context(), lanes[0], 10); err != nil || len(owed) != 2 {
				t.Errorf("%s: it owes %d messages, %v", what, len(owed), err)
			}
		}
	})
}

// A lane that had messages, and gets earlier ones in the commit that claims it, does not know from where on it owes.
func TestClaimsWithEarlierMessages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		said := storetest.Start("")
		said.Lease = time.Minute
		lane := storetest.MustCommit(t, s, said)[0].Claimed[0]
		if _, err := s.Finish(t.Context(), parley.Progress{Lane: lane, Acked: 1, Release: true}); err != nil {
			t.Fatal(err)
		}
		said = storetest.Say(said.Conversation, parley.Customer, "", parley.Held)
		storetest.MustCommit(t, s, said)
		third := storetest.Say(said.Conversation, parley.Customer, "", 2)
		fourth := storetest.Say(third.Conversation, parley.Customer, "", 2)
		fourth.Lease, fourth.Readdress = time.Minute, &parley.Readdress{Slot: 1}
		committed := s.CommitTogether(t, third, fourth)
		claimed := slices.Concat(committed[0].Claimed, committed[1].Claimed)
		if len(claimed) != 1 || claimed[0].From != 0 {
			t.Fatalf("claimed are %+v, want a lane that does not know", claimed)
		}
		if _, owed, err := s.Owed(t.Context(), claimed[0], 10); err != nil || len(owed) != 3 {
			t.Errorf("it owes %d messages, %v; want three", len(owed), err)
		}
	})
}
