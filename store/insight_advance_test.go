package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/store/storetest"
)

// What is put for a page of conversations at once is what is put for one after the other, also if they wish for the same
// number and place, were seen before, or get labels.
func TestDetectionsOfAPageAreThoseOfEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		put := func(atOnce bool) string {
			s := open(t)
			start := time.UnixMilli(1_790_000_000_000).UTC()
			var ids []parley.ConversationID
			for i := range 6 {
				step := storetest.Start("")
				id := step.Conversation.ID
				copy(id[:10], []byte{1, 2, 3, 4, 5, 6, 0x71, byte(i / 3), 0x80, 1}) // three with one number and one place
				step.Conversation.ID = id
				storetest.MustCommit(t, s, step)
				ids = append(ids, id)
			}
			page := func(seq int64, of []parley.ConversationID, labels ...string) {
				var found []parley.Detection
				for i, id := range of {
					at := start.Add(time.Duration(seq) * time.Second)
					found = append(found, parley.Detection{At: at, Labels: labels, Insight: parley.Insight{Conversation: id, Tenant: parley.DefaultTenant, Type: "meeting",
						Started: start, Ended: at, Seq: seq, Metadata: map[string]string{"of": fmt.Sprint(i % 2)},
						Members: []parley.Member{{ID: fmt.Sprint("member", seq)}}}})
				}
				all := [][]parley.Detection{found}
				if !atOnce {
					all = nil
					for i := range found {
						all = append(all, found[i:i+1])
					}
				}
				for _, some := range all {
					update(t, s, func(tx parley.Tx) error { return tx.PutDetections(t.Context(), parley.DefaultTenant, some) })
				}
			}
			page(1, ids[:4])
			page(2, ids)
			page(3, ids[2:], "angry")
			page(2, ids[1:]) // a repeat
			var lines []string
			numbers := map[parley.Number]bool{}
			view(t, s, func(tx parley.Tx) error {
				for i, id := range ids {
					in, err := tx.InsightOf(t.Context(), parley.DefaultTenant, id)
					if err != nil {
						return err
					}
					numbers[in.Number] = true
					lines = append(lines, fmt.Sprintln(i, in.Seq, in.Started.Equal(start), in.Ended.Sub(start), in.Metadata, in.Labels, in.Members))
				}
				return nil
			})
			if len(numbers) != len(ids) {
				t.Errorf("%d conversations have %d numbers", len(ids), len(numbers))
			}
			return strings.Join(lines, "")
		}
		got, want := put(true), put(false)
		if got != want {
			t.Errorf("at once\n%sone after the other\n%s", got, want)
		}
		if !slices.Contains(strings.Split(want, "\n"), "5 3 true 3s map[of:1] [angry] [{member2  } {member3  }]") {
			t.Errorf("one after the other it is\n%s", want)
		}
	})
}

// A conversation is found by the end that it has now, however far messages have moved it, looked at with others or put alone.
func TestEndsAreFoundWhereTheyMoved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := time.UnixMilli(1_790_000_000_000).UTC()
		ids := []parley.ConversationID{newConversation(t, s, parley.DefaultTenant), newConversation(t, s, parley.DefaultTenant), newConversation(t, s, parley.DefaultTenant)}
		alone := parley.Insight{Conversation: newConversation(t, s, parley.DefaultTenant), Tenant: parley.DefaultTenant, Type: "meeting"}
		for i, after := range []time.Duration{0, time.Minute, time.Hour, 30 * time.Hour, 3000 * time.Hour} {
			var page []parley.Detection
			for _, id := range ids[:1+i%3] {
				page = append(page, parley.Detection{At: start, Insight: parley.Insight{Conversation: id, Tenant: parley.DefaultTenant, Type: "meeting", Started: start, Ended: start.Add(after), Seq: int64(i + 1)}})
			}
			alone.Started, alone.Ended = start, start.Add(after)
			update(t, s, func(tx parley.Tx) error {
				if err := tx.PutInsight(t.Context(), &alone); err != nil {
					return err
				}
				return tx.PutDetections(t.Context(), parley.DefaultTenant, page)
			})
			for text, want := range map[string]int{
				"conversation.endTime>=" + start.Add(after).Format(time.RFC3339): len(page) + 1,
				"conversation.endTime==" + start.Add(after).Format(time.RFC3339): len(page) + 1,
				"conversation.endTime>" + start.Add(after).Format(time.RFC3339):  0,
			} {
				if got := countFitting(t, s, text); got != want {
					t.Errorf("%v after the start %s finds %d, want %d", after, text, got, want)
				}
			}
		}
	})
}
