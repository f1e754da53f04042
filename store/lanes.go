package store

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"slices"
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
// that: what a claim of its own would cost is saved. As there, the lanes of receivers to which nothing is sent now, and of
// those that take their messages over a session, are left alone. A worker that extends its lease may have nothing left
// to do, so that due alone does not say that a lane is free. A lane that is due only because of what is to be replayed
// later is due for the new message at once; a lane that a dead delivery blocks is not.
var upsertLanes = newBulk(`INSERT INTO lanes (tenant, conversation, slot, receiver, tail, due, lease, lease_until)
	SELECT v.tenant, v.conversation, v.slot, v.receiver, v.tail, v.due, CASE WHEN r.key IS NOT NULL THEN v.lease END,
		CASE WHEN r.key IS NOT NULL THEN v.lease_until END
	FROM %ROWS% LEFT JOIN receivers AS r ON r.key = v.receiver AND v.lease IS NOT NULL AND r.disabled = '' AND r.broken IS NULL AND r.pulled = 0
	WHERE true
	ON CONFLICT (conversation, slot) DO UPDATE SET tail = excluded.tail,
		due = CASE WHEN lanes.blocked IS NOT NULL THEN NULL WHEN lanes.tail <= lanes.acked OR lanes.due IS NULL THEN excluded.due ELSE lanes.due END,
		lease = CASE WHEN lanes.due IS NULL AND lanes.lease IS NULL AND lanes.blocked IS NULL THEN excluded.lease ELSE lanes.lease END,
		lease_until = CASE WHEN lanes.due IS NULL AND lanes.lease IS NULL AND lanes.blocked IS NULL THEN excluded.lease_until ELSE lanes.lease_until END
	RETURNING key, conversation, slot, receiver, acked, tail, attempts, lease, lease_until, blocked`,
	column{"tenant", bigint}, column{"conversation", bigint}, column{"slot", bigint}, column{"receiver", bigint},
	column{"tail", bigint}, column{"due", bigint}, column{"lease", bigint}, column{"lease_until", bigint})

// A laneRow is what a batch makes of one lane.
type laneRow struct {
	tenant, receiver, tail int64
	lease                  time.Duration
	owners                 []*entry // whose messages are addressed to it, in order
	from                   int64    // the first of these messages; 0 = it may owe earlier ones
}

// laneRows gathers the lanes that a batch moves, in the order in which it names them first.
type laneRows struct {
	order []laneName
	rows  map[laneName]*laneRow
}

// moved notes that a step of e moves the tail of a lane, which owes messages from that one on; 0 if it may owe earlier ones. receiver
// says which one the lane is of, if it is not noted yet.
func (l *laneRows) moved(name laneName, tenant, from, tail int64, e *entry, receiver func() (int64, error)) error {
	row := l.rows[name]
	if row == nil {
		key, err := receiver()
		if err != nil {
			return err
		}
		row = &laneRow{tenant: tenant, receiver: key, from: from}
		l.rows[name] = row
		l.order = append(l.order, name)
	}
	row.from, row.tail = min(row.from, from), tail
	if !slices.Contains(e.step.LeaseNot, row.receiver) {
		row.lease = max(row.lease, e.step.Lease)
	}
	if n := len(row.owners); n == 0 || row.owners[n-1] != e {
		row.owners = append(row.owners, e)
	}
	return nil
}

// first is the first message that a lane which was claimed now may owe: before, it owed nothing. If it was not there,
// earlier messages may have been addressed to its slot.
func (r *laneRow) first(acked int64) int64 {
	if acked == 0 {
		return 0
	}
	return r.from
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
					if err := lanes.moved(laneName{c.key, int64(r.Slot)}, c.tenant, 0, tail, e, receiver(r.Slot)); err != nil {
						return nil, err
					}
				}
			}
			for i := range e.step.Messages {
				m := &e.step.Messages[i]
				for slot, p := range parties {
					if !p.Callback || m.To&(int64(1)<<slot) == 0 {
						continue
					}
					if err := lanes.moved(laneName{c.key, int64(slot)}, c.tenant, m.Seq, m.Seq, e, receiver(slot)); err != nil {
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
	return upsertLanes.run(ctx, s.conn(s.writes, t.Tx), rows, func(r *sql.Rows) error {
		l := &parley.Lane{Lease: token}
		var name laneName
		var lease, until, blocked sql.NullInt64
		if err := r.Scan(&l.Key, &name.conversation, &name.slot, &l.Receiver.Key, &l.Acked, &l.Tail, &l.Attempts, &lease, &until, &blocked); err != nil {
			return err
		}
		row := lanes.rows[name]
		last := row.owners[len(row.owners)-1]
		switch c := last.step.Conversation; {
		case blocked.Valid: // until somebody replays or skips the dead delivery
		case lease.Valid && lease.Int64 == token:
			party := &c.State.Parties[name.slot]
			l.Until = time.UnixMilli(until.Int64)
			l.Tenant, l.Conversation, l.Slot = c.Tenant, c.ID, int(name.slot)
			l.Receiver.Tenant, l.Receiver.Application, l.Receiver.Role = c.Tenant, party.Application, party.Role
			l.From = row.first(l.Acked)
			last.committed.Claimed = append(last.committed.Claimed, l)
		case !lease.Valid || until.Int64 < now: // else who has the lane hears when he gives it back that it owes more
			for _, e := range row.owners {
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
