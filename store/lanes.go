package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// A receiverName is what a receiver's key stands for.
type receiverName struct {
	tenant      int64
	application parley.ApplicationID
	role        parley.Role
}

// A laneName is the place of a lane: one receiver of one conversation.
type laneName struct {
	conversation int64
	slot         int64
}

// A lane that owed nothing and that nobody works on is claimed at once for whoever makes it owe something, if he wants
// that: what a claim of its own would cost is saved. As there, the lanes of disabled receivers, and of those that take
// their messages over a session, are left alone. A worker that extends its lease may have nothing left to do, so that
// due alone does not say that a lane is free.
var upsertLanes = newBulk(`INSERT INTO lanes (tenant, conversation, slot, receiver, tail, due, lease, lease_until)
	SELECT v.tenant, v.conversation, v.slot, v.receiver, v.tail, v.due, CASE WHEN r.key IS NOT NULL THEN v.lease END,
		CASE WHEN r.key IS NOT NULL THEN v.lease_until END
	FROM %ROWS% LEFT JOIN receivers AS r ON r.key = v.receiver AND v.lease IS NOT NULL AND r.disabled = '' AND r.pulled = 0 WHERE true
	ON CONFLICT (conversation, slot) DO UPDATE SET tail = excluded.tail, due = COALESCE(lanes.due, excluded.due),
		lease = CASE WHEN lanes.due IS NULL AND lanes.lease IS NULL THEN excluded.lease ELSE lanes.lease END,
		lease_until = CASE WHEN lanes.due IS NULL AND lanes.lease IS NULL THEN excluded.lease_until ELSE lanes.lease_until END
	RETURNING key, conversation, slot, receiver, acked, tail, attempts, lease, lease_until`,
	column{"tenant", bigint}, column{"conversation", bigint}, column{"slot", bigint}, column{"receiver", bigint},
	column{"tail", bigint}, column{"due", bigint}, column{"lease", bigint}, column{"lease_until", bigint})

// A laneRow is what a batch makes of one lane.
type laneRow struct {
	tenant, receiver, tail int64
	lease                  time.Duration
	owners                 []*entry // whose messages are addressed to it, in order
}

// laneRows gathers the lanes that a batch moves, in the order in which it names them first.
type laneRows struct {
	order []laneName
	rows  map[laneName]*laneRow
}

// moved notes that a step of e moves the tail of a lane. receiver says which one the lane is of, if it is not noted yet.
func (l *laneRows) moved(name laneName, tenant, tail int64, e *entry, receiver func() (int64, error)) error {
	row := l.rows[name]
	if row == nil {
		key, err := receiver()
		if err != nil {
			return err
		}
		row = &laneRow{tenant: tenant, receiver: key}
		l.rows[name] = row
		l.order = append(l.order, name)
	}
	row.tail = tail
	row.lease = max(row.lease, e.step.Lease)
	if n := len(row.owners); n == 0 || row.owners[n-1] != e {
		row.owners = append(row.owners, e)
	}
	return nil
}

// writeLanes moves the tails of the lanes that the messages are addressed to, making lanes as needed, and tells each
// step which lanes were claimed for it and which are to be woken.
func (s *Store) writeLanes(ctx context.Context, t bun.Tx, chains []*chain) (learned map[receiverName]int64, err error) {
	learned = map[receiverName]int64{}
	lanes := laneRows{rows: map[laneName]*laneRow{}}
	for _, c := range chains {
		for _, e := range c.entries {
			parties := e.step.Conversation.State.Parties
			receiver := func(slot int) func() (int64, error) {
				return func() (int64, error) {
					return s.receiverKey(ctx, t, learned, receiverName{c.tenant, parties[slot].Application, parties[slot].Role})
				}
			}
			if r := e.step.Readdress; r != nil && parties[r.Slot].Callback {
				tail, err := readdress(ctx, t, c.key, r)
				if err != nil {
					return nil, err
				}
				if tail > 0 {
					if err := lanes.moved(laneName{c.key, int64(r.Slot)}, c.tenant, tail, e, receiver(r.Slot)); err != nil {
						return nil, err
					}
				}
			}
			for _, m := range e.step.Messages {
				for slot, p := range parties {
					if !p.Callback || m.To&(int64(1)<<slot) == 0 {
						continue
					}
					if err := lanes.moved(laneName{c.key, int64(slot)}, c.tenant, m.Seq, e, receiver(slot)); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return learned, s.upsertLanes(ctx, t, lanes)
}

func (s *Store) upsertLanes(ctx context.Context, t bun.Tx, lanes laneRows) error {
	now, token := s.now().UnixMilli(), rand.Int64()
	rows := make([][]any, len(lanes.order))
	for i, name := range lanes.order {
		row := lanes.rows[name]
		var lease, until *int64
		if row.lease > 0 {
			end := now + row.lease.Milliseconds()
			lease, until = &token, &end
		}
		rows[i] = []any{row.tenant, name.conversation, name.slot, row.receiver, row.tail, now, lease, until}
	}
	return upsertLanes.run(ctx, s.dialect, t.Tx, rows, func(r *sql.Rows) error {
		l := &parley.Lane{Lease: token}
		var name laneName
		var lease, until sql.NullInt64
		if err := r.Scan(&l.Key, &name.conversation, &name.slot, &l.Receiver.Key, &l.Acked, &l.Tail, &l.Attempts, &lease, &until); err != nil {
			return err
		}
		owners := lanes.rows[name].owners
		last := owners[len(owners)-1]
		switch c := last.step.Conversation; {
		case lease.Valid && lease.Int64 == token:
			party := &c.State.Parties[name.slot]
			l.Until = time.UnixMilli(until.Int64)
			l.Tenant, l.Conversation, l.Slot = c.Tenant, c.ID, int(name.slot)
			l.Receiver.Tenant, l.Receiver.Application, l.Receiver.Role = c.Tenant, party.Application, party.Role
			last.committed.Claimed = append(last.committed.Claimed, l)
		case !lease.Valid || until.Int64 < now: // else who has the lane hears when he gives it back that it owes more
			for _, e := range owners {
				e.committed.Wake = append(e.committed.Wake, l.Key)
			}
		}
		return nil
	})
}

// readdress gives earlier messages to a slot, and says which is the last one addressed to it now; 0 if there is none.
func readdress(ctx context.Context, t bun.IDB, conversation int64, r *parley.Readdress) (tail int64, err error) {
	bit := int64(1) << r.Slot
	if r.Since.IsZero() {
		_, err = t.NewRaw("UPDATE messages SET addressed = (addressed & ?) | ? WHERE conversation = ? AND (addressed & ?) <> 0",
			^parley.Held, bit, conversation, parley.Held).Exec(ctx)
	} else {
		_, err = t.NewRaw("UPDATE messages SET addressed = addressed | ? WHERE conversation = ? AND sender = ? AND created >= ?",
			bit, conversation, string(parley.Customer), r.Since.UnixMilli()).Exec(ctx)
	}
	if err != nil {
		return 0, err
	}
	err = t.NewRaw("SELECT COALESCE(MAX(seq), 0) FROM messages WHERE conversation = ? AND (addressed & ?) <> 0", conversation, bit).Scan(ctx, &tail)
	return tail, err
}

// receiverKey finds or makes the row of a receiver. Keys made in a transaction are kept in learned until it commits.
func (s *Store) receiverKey(ctx context.Context, t bun.IDB, learned map[receiverName]int64, name receiverName) (int64, error) {
	s.mu.RLock()
	key, ok := s.receivers[name]
	s.mu.RUnlock()
	if !ok {
		key, ok = learned[name]
	}
	if ok {
		return key, nil
	}
	if _, err := t.NewRaw("INSERT INTO receivers (tenant, application, role) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
		name.tenant, name.application[:], string(name.role)).Exec(ctx); err != nil {
		return 0, err
	}
	if err := t.NewRaw("SELECT key FROM receivers WHERE tenant = ? AND application = ? AND role = ?",
		name.tenant, name.application[:], string(name.role)).Scan(ctx, &key); err != nil {
		return 0, err
	}
	learned[name] = key
	return key, nil
}

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

// writeLaneWork records the progress of workers and grants claims, after the steps of the same batch.
func (s *Store) writeLaneWork(ctx context.Context, t bun.Tx, batch []*entry) error {
	var progress []*entry
	for _, e := range batch {
		if e.progress != nil {
			progress = append(progress, e)
		}
	}
	if len(progress) > 0 {
		if err := s.fault("progress"); err != nil {
			return err
		}
	}
	for len(progress) > 0 {
		var now []*entry
		if now, progress = onceALane(progress); len(now) > 0 {
			if err := s.writeProgress(ctx, t, now); err != nil {
				return fmt.Errorf("write progress: %w", err)
			}
		}
	}
	for _, e := range batch {
		if e.claim == nil {
			continue
		}
		if err := s.fault("claim"); err != nil {
			return err
		}
		if err := s.grantClaim(ctx, t, e.claim); err != nil {
			return fmt.Errorf("grant claim: %w", err)
		}
	}
	return nil
}

// onceALane splits progress into the first of each lane and the rest. A worker that lost its lane and the one that has it
// may report in the same commit, and the database tells only that a lane was written, not for whom.
func onceALane(entries []*entry) (first, rest []*entry) {
	seen := make(map[int64]bool, len(entries))
	for _, e := range entries {
		if key := e.progress.Lane.Key; seen[key] {
			rest = append(rest, e)
		} else {
			seen[key] = true
			first = append(first, e)
		}
	}
	return first, rest
}

func (s *Store) grantClaim(ctx context.Context, t bun.Tx, c *claim) error {
	c.won = nil
	now := s.now().UnixMilli()
	var keys []int64
	err := t.NewRaw(`UPDATE lanes SET lease = ?, lease_until = ? WHERE key IN (
			SELECT l.key FROM lanes AS l WHERE l.key IN (?) AND l.due <= ? AND (l.lease IS NULL OR l.lease_until < ?)
			AND EXISTS (SELECT 1 FROM receivers AS r WHERE r.key = l.receiver AND r.disabled = '' AND r.pulled = ?)
			ORDER BY l.key`+s.dialect.forUpdate+`) RETURNING key`,
		c.token, now+c.until.Milliseconds(), bun.List(c.lanes), now, now, flag(c.pulled)).Scan(ctx, &keys)
	if err != nil || len(keys) == 0 {
		return err
	}
	rows, err := t.QueryContext(ctx, `SELECT l.key, tn.id, c.id, l.slot, l.receiver, r.application, r.role, l.acked, l.tail, l.attempts
		FROM lanes AS l JOIN receivers AS r ON r.key = l.receiver JOIN conversations AS c ON c.key = l.conversation
		JOIN tenants AS tn ON tn.key = l.tenant WHERE l.key IN (?) ORDER BY l.key`, bun.List(keys))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		l := &parley.Lane{Lease: c.token, Until: time.UnixMilli(now).Add(c.until)}
		var tenant, conversation, application []byte
		if err := rows.Scan(&l.Key, &tenant, &conversation, &l.Slot, &l.Receiver.Key, &application, &l.Receiver.Role,
			&l.Acked, &l.Tail, &l.Attempts); err != nil {
			return err
		}
		l.Tenant, l.Conversation = parley.TenantID(tenant), parley.ConversationID(conversation)
		l.Receiver.Tenant, l.Receiver.Application = l.Tenant, parley.ApplicationID(application)
		c.won = append(c.won, l)
	}
	return rows.Err()
}

// Finish implements [parley.Lanes].
func (s *Store) Finish(ctx context.Context, p parley.Progress) (more bool, err error) {
	answer := make(chan *entry, 1)
	e := &entry{progress: &p, done: func(e *entry) { answer <- e }}
	if err := s.shard(p.Lane.Conversation).add(e); err != nil {
		return false, err
	}
	e = <-answer // not cut short by ctx: what was delivered must be known
	return e.more, e.err
}

var (
	// While something beyond the new cursor is owed and may be tried at once, the lease is kept: the worker goes on.
	progressLanes = newBulk(`UPDATE lanes AS l
		SET acked = v.acked, attempts = v.failed,
			due = CASE WHEN l.tail > v.acked THEN CASE WHEN v.retry > 0 THEN v.retry ELSE v.now END END,
			lease = CASE WHEN v.release = 1 AND (l.tail <= v.acked OR v.retry > 0) THEN NULL ELSE l.lease END,
			lease_until = CASE WHEN v.release = 1 AND (l.tail <= v.acked OR v.retry > 0) THEN NULL ELSE v.until END
		FROM %ROWS% WHERE l.key = v.lane AND l.lease = v.token AND l.acked <= v.acked
		RETURNING key, tail`,
		column{"lane", bigint}, column{"token", bigint}, column{"acked", bigint}, column{"failed", bigint}, column{"retry", bigint},
		column{"release", bigint}, column{"until", bigint}, column{"now", bigint})

	insertAttempts = newBulk(`INSERT INTO attempts (tenant, lane, seq, at, duration, status, error, answer)
		SELECT tenant, lane, seq, at, duration, status, error, answer FROM %ROWS% WHERE true`,
		column{"tenant", bigint}, column{"lane", bigint}, column{"seq", bigint}, column{"at", bigint}, column{"duration", bigint},
		column{"status", bigint}, column{"error", text}, column{"answer", text})

	insertExceptions = newBulk(`INSERT INTO exceptions (lane, seq, tenant, state, reason, at, told)
		SELECT lane, seq, tenant, state, reason, at, told FROM %ROWS% WHERE true ON CONFLICT DO NOTHING`,
		column{"lane", bigint}, column{"seq", bigint}, column{"tenant", bigint}, column{"state", text}, column{"reason", text},
		column{"at", bigint}, column{"told", bigint})
)

// writeProgress records what workers did, each on a lane of its own. A lane whose lease is no longer the worker's is left
// as it is, and the worker hears ErrLeaseLost; its attempts are not recorded, because its successor's are.
func (s *Store) writeProgress(ctx context.Context, t bun.Tx, entries []*entry) error {
	now := s.now().UnixMilli()
	rows := make([][]any, len(entries))
	byLane := map[int64]*entry{}
	for i, e := range entries {
		p := e.progress
		var retry, release int64
		if !p.Retry.IsZero() {
			retry = p.Retry.UnixMilli()
		}
		if p.Release {
			release = 1
		}
		rows[i] = []any{p.Lane.Key, p.Lane.Lease, p.Acked, int64(p.Failed), retry, release, now + p.Extend.Milliseconds(), now}
		byLane[p.Lane.Key] = e
		e.err = parley.ErrLeaseLost
	}
	err := progressLanes.run(ctx, s.dialect, t.Tx, rows, func(r *sql.Rows) error {
		var key, tail int64
		if err := r.Scan(&key, &tail); err != nil {
			return err
		}
		e := byLane[key]
		e.err = nil
		e.more = tail > e.progress.Acked && e.progress.Retry.IsZero()
		return nil
	})
	if err != nil {
		return err
	}
	var attempts, exceptions [][]any
	for _, e := range entries {
		if e.err != nil {
			continue
		}
		p := e.progress
		tenant, err := s.tenantKey(ctx, t, p.Lane.Tenant)
		if err != nil {
			return err
		}
		for _, a := range p.Attempts {
			attempts = append(attempts, []any{tenant, p.Lane.Key, a.Seq, a.At.UnixMilli(), a.Duration.Microseconds(), int64(a.Status),
				a.Error, a.Answer})
		}
		for _, d := range p.Dead {
			exceptions = append(exceptions, []any{p.Lane.Key, d.Seq, tenant, "dead", d.Reason, now, int64(0)})
		}
	}
	if err := insertAttempts.run(ctx, s.dialect, t.Tx, attempts, discard); err != nil {
		return err
	}
	return insertExceptions.run(ctx, s.dialect, t.Tx, exceptions, discard)
}

// Overdue implements [parley.Lanes].
func (s *Store) Overdue(ctx context.Context, by time.Duration, limit int) ([]int64, error) {
	now := s.now()
	var keys []int64
	err := s.read.NewRaw(`SELECT l.key FROM lanes AS l JOIN receivers AS r ON r.key = l.receiver
		WHERE l.due <= ? AND (l.lease IS NULL OR l.lease_until < ?) AND r.disabled = '' AND r.pulled = 0 ORDER BY l.due LIMIT ?`,
		now.Add(-by).UnixMilli(), now.UnixMilli(), limit).Scan(ctx, &keys)
	if err != nil {
		return nil, fmt.Errorf("look for overdue lanes: %w", err)
	}
	return keys, nil
}

// Backlog implements [parley.Lanes].
func (s *Store) Backlog(ctx context.Context) (parley.Backlog, error) {
	var b parley.Backlog
	var oldest *int64
	err := s.read.QueryRowContext(ctx, `SELECT count(CASE WHEN r.disabled = '' THEN 1 END), count(CASE WHEN r.disabled <> '' THEN 1 END),
		min(CASE WHEN r.disabled = '' THEN l.due END) FROM lanes AS l JOIN receivers AS r ON r.key = l.receiver WHERE l.due <= ?`,
		s.now().UnixMilli()).Scan(&b.Due, &b.Held, &oldest)
	if err != nil {
		return b, fmt.Errorf("count what lanes owe: %w", err)
	}
	b.Oldest = moment(oldest)
	return b, nil
}

// Disable implements [parley.Lanes].
func (s *Store) Disable(ctx context.Context, receiver int64, reason string) error {
	return s.Update(ctx, func(t parley.Tx) error {
		_, err := t.(*tx).db.NewRaw("UPDATE receivers SET disabled = ? WHERE key = ?", reason, receiver).Exec(ctx)
		return err
	})
}
