package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"parley"
)

const (
	// insightsAtOnce is how many insights one transaction of FillInsights writes.
	insightsAtOnce = 20_000
	// filledSpan is how far the starts of filled conversations lie apart in all: less than the default window of a list.
	filledSpan = 6 * 24 * time.Hour
)

// FillInsights adds ended conversations with what is known about them to the default tenant, so many, the last of which
// started a moment ago: for benchmarks, as [Store.Fill] is. The metadata is the same in each run: region, tier, and desk,
// which says what region says, have four values each; agentId has 200 and customerId one for five conversations; shift is late
// for agents and book first for customers whose number begins with a 1; an amount is from 0.00 to 4999.99, and size small below 2500;
// era is old in the first half and new in the second; every tenth has a campaign. The name says the amount in cents, seven digits of it, and a label the region;
// they end a minute after they start.
func (s *Store) FillInsights(ctx context.Context, n int) error {
	tenant, err := s.tenantKey(ctx, s.read, parley.DefaultTenant)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(7, 7))
	first := s.now().Add(-filledSpan - time.Minute)
	for done := 0; done < n; done += insightsAtOnce {
		err := s.Update(ctx, func(p parley.Tx) error {
			t := p.(*tx)
			var key int64
			if err := t.db.NewRaw("SELECT COALESCE(MAX(key), 0) + 1 FROM conversations").Scan(ctx, &key); err != nil {
				return err
			}
			var conversations [][]any
			var rows insightRows
			for i := done; i < min(done+insightsAtOnce, n); i++ {
				at := first.Add(filledSpan / time.Duration(n) * time.Duration(i)).Truncate(time.Millisecond)
				in := filledInsight(random, at, i, n)
				conversations = append(conversations, []any{key, in.Conversation[:], tenant, at.UnixMilli()})
				place := firstPlace(at.UnixMilli()) | int64(i)&(1<<placeBits-1)
				more, err := s.insightRows(tenant, key, place, &in, nil)
				if err != nil {
					return err
				}
				rows.add(more)
				key++
			}
			if err := fillConversations.run(ctx, t.conn(), conversations, discard); err != nil {
				return fmt.Errorf("fill conversations: %w", err)
			}
			if err := rows.write(ctx, t); err != nil {
				return err
			}
			if s.dialect.unnest { // keys were given by hand
				return t.run(ctx, "SELECT setval(pg_get_serial_sequence('conversations', 'key'), (SELECT MAX(key) FROM conversations))")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if s.dialect.unnest { // as autovacuum would, in time
		_, err = s.write.ExecContext(ctx, "VACUUM ANALYZE insights, insight_terms, conversation_metadata, conversation_labels, conversations")
	}
	return err
}

var fillConversations = newBulk(`INSERT INTO conversations (key, id, tenant, account, contact, epoch, seq, touched, status, owner_kind, owner, state, created, ended)
	SELECT key, id, tenant, id, 'filled', 1, 1, at, 'ended', 'none', '{"kind":"none"}',
	'{"channelType":"web_chat","address":"filled","customer":{},"parties":[{"role":"customer"}]}', at, at FROM %ROWS%`,
	column{"key", bigint}, column{"id", bytea}, column{"tenant", bigint}, column{"at", bigint})

// filledInsight is number i of n.
func filledInsight(random *rand.Rand, at time.Time, i, n int) parley.Insight {
	in := parley.Insight{Type: "meeting", Started: at, Ended: at.Add(time.Minute), Seq: 1}
	binary.BigEndian.PutUint64(in.Conversation[:], uint64(at.UnixMilli())<<16|0x7000|uint64(i&0xfff))
	binary.BigEndian.PutUint64(in.Conversation[8:], 0x8000<<48|uint64(random.Uint32())<<16|uint64(i)>>16)
	in.Number = parley.NumberOf(in.Conversation)
	regions, tiers := [...]string{"north", "east", "south", "west"}, [...]string{"gold", "silver", "bronze", "none"}
	region := regions[random.IntN(4)]
	in.Metadata = map[string]string{"region": region, "desk": region, "tier": tiers[random.IntN(4)], "era": "old",
		"agentId": fmt.Sprintf("agent-%d", random.IntN(200)), "customerId": fmt.Sprintf("customer-%d", random.IntN(max(1, n/5)))}
	in.Metadata["shift"], in.Metadata["book"] = "early", "second"
	if strings.HasPrefix(in.Metadata["agentId"], "agent-1") {
		in.Metadata["shift"] = "late"
	}
	if strings.HasPrefix(in.Metadata["customerId"], "customer-1") {
		in.Metadata["book"] = "first"
	}
	cents := random.IntN(500_000)
	in.Name, in.Labels = fmt.Sprintf("call-%07d", cents), []string{"to-" + region}
	in.Metadata["amount"], in.Metadata["size"] = fmt.Sprintf("%d.%02d", cents/100, cents%100), "large"
	if cents < 250_000 {
		in.Metadata["size"] = "small"
	}
	if i >= n/2 {
		in.Metadata["era"] = "new"
	}
	if i%10 == 0 {
		in.Metadata["campaign"] = "spring"
	}
	return in
}

// ScanInsights is what ListInsights does, without the index of terms: the baseline of benchmarks.
func (s *Store) ScanInsights(ctx context.Context, q parley.InsightQuery) (found []parley.Insight, err error) {
	err = s.View(ctx, func(p parley.Tx) error {
		t := p.(*tx)
		places, err := t.listPlaces(ctx, q, false)
		if err != nil {
			return err
		}
		found, err = t.insightsAt(ctx, q.Tenant, places)
		return err
	})
	return found, err
}
