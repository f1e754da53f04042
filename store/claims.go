package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// A claim is a wish for lanes; it waits for the shared commit like a step.
type claim struct {
	lanes  []int64
	pulled bool // of a receiver that takes its messages over a session
	until  time.Duration
	token  int64
	won    []*parley.Lane
}

// Claim implements [parley.Lanes].
func (s *Store) Claim(_ context.Context, lanes []int64, lease time.Duration) ([]*parley.Lane, error) {
	return s.claim(lanes, lease, false)
}

func (s *Store) claim(lanes []int64, lease time.Duration, pulled bool) ([]*parley.Lane, error) {
	if len(lanes) == 0 {
		return nil, nil
	}
	c := &claim{lanes: lanes, pulled: pulled, until: lease, token: rand.Int64()}
	answer := make(chan error, 1)
	e := &entry{claim: c, done: func(e *entry) { answer <- e.err }}
	if err := s.shards[int(uint64(lanes[0])%uint64(len(s.shards)))].add(e); err != nil {
		return nil, err
	}
	// Not cut short by a context: a claim that was won must be known, or its lanes wait for the lease to end.
	if err := <-answer; err != nil {
		return nil, fmt.Errorf("claim lanes: %w", err)
	}
	return c.won, nil
}

func (s *Store) grantClaim(ctx context.Context, t bun.Tx, c *claim) error {
	c.won = nil
	now := s.now().UnixMilli()
	var keys []int64
	err := t.NewRaw(`UPDATE lanes SET lease = ?, lease_until = ? WHERE key IN (
			SELECT l.key FROM lanes AS l WHERE l.key IN (?) AND l.due <= ? AND (l.lease IS NULL OR l.lease_until < ?)
			AND EXISTS (SELECT 1 FROM receivers AS r WHERE r.key = l.receiver AND r.disabled = '' AND r.broken IS NULL AND r.pulled = ?)
			ORDER BY l.key`+s.dialect.forUpdate+`) RETURNING key`,
		c.token, now+c.until.Milliseconds(), bun.List(c.lanes), now, now, flag(c.pulled)).Scan(ctx, &keys)
	if err != nil || len(keys) == 0 {
		return err
	}
	c.won, err = selectLanes(ctx, t, keys, c.token, time.UnixMilli(now).Add(c.until))
	return err
}

// selectLanes reads lanes that were just claimed.
func selectLanes(ctx context.Context, t bun.IDB, keys []int64, token int64, until time.Time) ([]*parley.Lane, error) {
	rows, err := t.QueryContext(ctx, `SELECT l.key, tn.id, c.id, l.slot, l.receiver, r.application, r.role, l.acked, l.tail, l.attempts, l.again
		FROM lanes AS l JOIN receivers AS r ON r.key = l.receiver JOIN conversations AS c ON c.key = l.conversation
		JOIN tenants AS tn ON tn.key = l.tenant WHERE l.key IN (?) ORDER BY l.key`, bun.List(keys))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []*parley.Lane
	for rows.Next() {
		l := &parley.Lane{Lease: token, Until: until}
		var tenant, conversation, application []byte
		if err := rows.Scan(&l.Key, &tenant, &conversation, &l.Slot, &l.Receiver.Key, &application, &l.Receiver.Role,
			&l.Acked, &l.Tail, &l.Attempts, &l.Again); err != nil {
			return nil, err
		}
		l.Tenant, l.Conversation = parley.TenantID(tenant), parley.ConversationID(conversation)
		l.Receiver.Tenant, l.Receiver.Application = l.Tenant, parley.ApplicationID(application)
		found = append(found, l)
	}
	return found, rows.Err()
}
