package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"parley"
)

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

// Finish implements [parley.Lanes].
func (s *Store) Finish(ctx context.Context, p parley.Progress) (rest parley.Rest, err error) {
	answer := make(chan *entry, 1)
	e := &entry{progress: &p, done: func(e *entry) { answer <- e }}
	if err := s.shard(p.Lane.Conversation).add(e); err != nil {
		return rest, err
	}
	e = <-answer // not cut short by ctx: what was delivered must be known
	return e.rest, e.err
}

var (
	// What was replayed is written first: what is left to replay is counted, since an administrator may have changed his
	// mind meanwhile.
	writeReplays = newBulk(`UPDATE exceptions AS x SET state = v.state, reason = CASE WHEN v.state = 'dead' THEN v.reason ELSE x.reason END, at = v.now
		FROM %ROWS% JOIN lanes AS l ON l.key = v.lane AND l.lease = v.token
		WHERE x.lane = v.lane AND x.seq = v.seq AND x.state = 'again'`,
		column{"lane", bigint}, column{"token", bigint}, column{"seq", bigint}, column{"state", text}, column{"reason", text}, column{"now", bigint})

	// While something beyond the new cursor is owed and may be tried at once, the lease is kept: the worker goes on. A lane that has
	// nothing but replays left is due with the first of them.
	progressLanes = newBulk(strings.NewReplacer(
		"%OWES%", "(l.tail > v.acked)",
		"%LEFT%", "CASE WHEN l.again = 0 THEN 0 ELSE (SELECT count(*) FROM exceptions AS x WHERE x.lane = l.key AND x.state = 'again') END",
		"%NEXT%", "CASE WHEN l.again > 0 THEN (SELECT min(x.at) FROM exceptions AS x WHERE x.lane = l.key AND x.state = 'again') END",
		"%STAYS%", `v.release = 0 OR v.block IS NULL AND v.retry = 0 AND CASE WHEN l.tail > v.acked THEN TRUE WHEN l.again = 0 THEN FALSE
			ELSE EXISTS (SELECT 1 FROM exceptions AS x WHERE x.lane = l.key AND x.state = 'again' AND x.at <= v.now) END`,
	).Replace(`UPDATE lanes AS l
		SET acked = v.acked, attempts = v.failed, blocked = v.block, again = %LEFT%, asked = v.asked,
			due = CASE WHEN v.block IS NOT NULL THEN NULL WHEN %OWES% THEN CASE WHEN v.retry > 0 THEN v.retry ELSE v.now END
				WHEN %NEXT% > v.now THEN CASE WHEN %NEXT% > v.retry THEN %NEXT% ELSE v.retry END
				WHEN %LEFT% > 0 THEN CASE WHEN v.retry > 0 THEN v.retry ELSE v.now END END,
			lease = CASE WHEN %STAYS% THEN l.lease END,
			lease_until = CASE WHEN %STAYS% THEN v.until END
		FROM %ROWS% WHERE l.key = v.lane AND l.lease = v.token AND l.acked <= v.acked
		RETURNING key, tail, again, due`),
		column{"lane", bigint}, column{"token", bigint}, column{"acked", bigint}, column{"failed", bigint}, column{"retry", bigint},
		column{"release", bigint}, column{"until", bigint}, column{"now", bigint}, column{"block", bigint}, column{"asked", bigint})

	insertAttempts = newBulk(`INSERT INTO attempts (tenant, lane, seq, at, duration, status, error, answer)
		SELECT tenant, lane, seq, at, duration, status, error, answer FROM %ROWS% WHERE true`,
		column{"tenant", bigint}, column{"lane", bigint}, column{"seq", bigint}, column{"at", bigint}, column{"duration", bigint},
		column{"status", bigint}, column{"error", text}, column{"answer", text})

	insertExceptions = newBulk(`INSERT INTO exceptions (lane, seq, tenant, state, reason, at, told, delivery)
		SELECT lane, seq, tenant, 'dead', reason, at, 0, delivery FROM %ROWS% WHERE true ON CONFLICT DO NOTHING`,
		column{"lane", bigint}, column{"seq", bigint}, column{"tenant", bigint}, column{"reason", text}, column{"at", bigint}, column{"delivery", bytea})
)

// writeProgress records what workers did, each on a lane of its own. A lane whose lease is no longer the worker's is left
// as it is, and the worker hears ErrLeaseLost; its attempts are not recorded, because its successor's are.
func (s *Store) writeProgress(ctx context.Context, t bun.Tx, entries []*entry) error {
	now := s.now().UnixMilli()
	if err := s.writeReplays(ctx, t, entries, now); err != nil {
		return err
	}
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
		var block, asked *int64
		if p.Block > 0 {
			block = &p.Block
		}
		if !p.Asked.IsZero() {
			asked = new(p.Asked.UnixMilli())
		}
		rows[i] = []any{p.Lane.Key, p.Lane.Lease, p.Acked, int64(p.Failed), retry, release, now + p.Extend.Milliseconds(), now, block, asked}
		byLane[p.Lane.Key] = e
		e.err = parley.ErrLeaseLost
	}
	err := progressLanes.run(ctx, s.conn(s.writes, t.Tx), rows, func(r *sql.Rows) error {
		var key, tail int64
		var again int
		var due *int64
		if err := r.Scan(&key, &tail, &again, &due); err != nil {
			return err
		}
		e := byLane[key]
		e.err = nil
		e.rest = parley.Rest{Again: again}
		if e.progress.Retry.IsZero() && due != nil {
			if e.rest.More = *due <= now; !e.rest.More {
				e.rest.Next = moment(due)
			}
		}
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
			exceptions = append(exceptions, []any{p.Lane.Key, d.Seq, tenant, d.Reason, now, d.Delivery[:]})
		}
	}
	if err := insertAttempts.run(ctx, s.conn(s.writes, t.Tx), attempts, discard); err != nil {
		return err
	}
	return insertExceptions.run(ctx, s.conn(s.writes, t.Tx), exceptions, discard)
}

// writeReplays records what became of deliveries that were to be replayed.
func (s *Store) writeReplays(ctx context.Context, t bun.Tx, entries []*entry, now int64) error {
	var rows [][]any
	for _, e := range entries {
		for _, r := range e.progress.Replayed {
			state := "replayed"
			if r.Problem != "" {
				state = "dead"
			}
			rows = append(rows, []any{e.progress.Lane.Key, e.progress.Lane.Lease, r.Seq, state, r.Problem, now})
		}
	}
	return writeReplays.run(ctx, s.conn(s.writes, t.Tx), rows, discard)
}
