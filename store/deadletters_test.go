package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A text that no record can hold finds nothing, and decides about nothing.
func TestDeadLettersOfImpossibleReasons(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := open(t)
		for _, reason := range []string{"\x00", "a\x00b", "\xff"} {
			q := parley.DeadLetterQuery{Tenant: parley.DefaultTenant, Reason: reason}
			if err := s.Update(t.Context(), func(tx parley.Tx) error {
				if page, count, err := tx.DeadLetters(t.Context(), q, 0, 10); err != nil || len(page) != 0 || count != 0 {
					t.Errorf("DeadLetters(%q) = %v, %d, %v", reason, page, count, err)
				}
				n, err := tx.Skip(t.Context(), q, 10)
				if err != nil || n != 0 {
					t.Errorf("Skip(%q) = %d, %v", reason, n, err)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	})
}

// Those of some messages of a conversation are found without the others.
func TestDeadLettersOfSomeMessages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := open(t)
		said := storetest.Start("")
		said.Lease = time.Minute
		lane := storetest.MustCommit(t, s, said)[0].Claimed[0]
		const last = 4
		for said.Conversation.Seq < last {
			said = storetest.Say(said.Conversation, parley.Customer, "", 2)
			storetest.MustCommit(t, s, said)
		}
		p := parley.Progress{Lane: lane, Acked: last, Release: true}
		for seq := range int64(last) {
			p.Dead = append(p.Dead, parley.DeadDelivery{Seq: seq + 1, Delivery: ident.New[parley.Delivery](), Reason: "planted"})
		}
		if _, err := s.Finish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			after, until int64
			want         []int64
		}{{0, 0, []int64{1, 2, 3, 4}}, {0, 2, []int64{1, 2}}, {1, 3, []int64{2, 3}}, {4, 9, nil}} {
			var got []int64
			if err := s.View(t.Context(), func(tx parley.Tx) error {
				page, _, err := tx.DeadLetters(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant, Conversation: said.Conversation.ID, After: test.after, Until: test.until}, 0, 10)
				for i := range page {
					got = append(got, page[i].Message.Seq)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("after %d until %d (-want +got):\n%s", test.after, test.until, diff)
			}
		}
	})
}
