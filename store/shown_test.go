package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// When a message was shown to a party is the first mark that reaches it, whichever session told of it and in whatever order they come.
func TestShownIsWhatReachedAMessageFirst(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		start, other := storetest.Start("m1"), storetest.Start("m2")
		storetest.MustCommit(t, s, start)
		storetest.MustCommit(t, s, other)
		now := time.Now().UTC().Truncate(time.Millisecond)
		mark := func(slot int, seq, millisecond int64) parley.ReadMark {
			after := time.Duration(millisecond) * time.Millisecond
			return parley.ReadMark{Tenant: parley.DefaultTenant, Conversation: start.Conversation.ID, Slot: slot, Seq: seq, At: now.Add(after)}
		}
		stranger, unknown, elsewhere := mark(0, 9, 0), mark(0, 9, 0), mark(0, 9, 0)
		stranger.Tenant, unknown.Conversation, elsewhere.Conversation = ident.New[parley.Tenant](), ident.New[parley.Conversation](), other.Conversation.ID
		put := func(marks ...parley.ReadMark) error {
			return s.Update(ctx, func(tx parley.Tx) error { return tx.MarkShown(ctx, marks) })
		}
		for _, marks := range [][]parley.ReadMark{
			{mark(0, 2, 0), mark(0, 5, 1), mark(0, 5, 1), mark(1, 1, 3), elsewhere, unknown},
			{mark(0, 4, 4), mark(0, 5, 5), mark(1, 7, 6)}, // 4 and 5 are no news
			{mark(0, 8, 7)},
		} {
			if err := put(marks...); err != nil {
				t.Fatal(err)
			}
		}
		if err := put(stranger); err == nil {
			t.Error("a mark of a tenant that there is not was taken")
		}
		for name, test := range map[string]struct {
			tenant      parley.TenantID
			after, last int64
			want        []parley.ReadMark
		}{
			"all":              {parley.DefaultTenant, 0, 100, []parley.ReadMark{mark(0, 2, 0), mark(0, 5, 1), mark(0, 8, 7), mark(1, 1, 3), mark(1, 7, 6)}},
			"one page":         {parley.DefaultTenant, 2, 4, []parley.ReadMark{mark(0, 5, 1), mark(1, 7, 6)}},
			"up to a mark":     {parley.DefaultTenant, 0, 5, []parley.ReadMark{mark(0, 2, 0), mark(0, 5, 1), mark(1, 1, 3), mark(1, 7, 6)}},
			"beyond all":       {parley.DefaultTenant, 8, 9, nil},
			"a strange tenant": {stranger.Tenant, 0, 100, nil},
		} {
			var got []parley.ReadMark
			err := s.View(ctx, func(tx parley.Tx) (err error) {
				got, err = tx.Shown(ctx, test.tenant, start.Conversation.ID, test.after, test.last)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}
