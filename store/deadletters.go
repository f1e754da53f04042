package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// deadLettersFrom joins what a dead letter is made of; conditions of a query may name x, l, r, c and m.
const deadLettersFrom = ` FROM exceptions AS x JOIN lanes AS l ON l.key = x.lane JOIN receivers AS r ON r.key = l.receiver
	JOIN conversations AS c ON c.key = l.conversation JOIN messages AS m ON m.conversation = l.conversation AND m.seq = x.seq `

// deadLettersWhere is the condition of a query.
func (t *tx) deadLettersWhere(ctx context.Context, q parley.DeadLetterQuery) (where string, args []any, err error) {
	tenant, err := t.s.tenantKey(ctx, t.db, q.Tenant)
	if err != nil {
		return "", nil, err
	}
	parts := []string{"x.tenant = ?"}
	args = append(args, tenant)
	also := func(part string, arg any) {
		parts, args = append(parts, part), append(args, arg)
	}
	if !q.Delivery.IsZero() {
		also("x.delivery = ?", q.Delivery[:])
	}
	if !q.Application.IsZero() {
		also("r.application = ?", q.Application[:])
	}
	if q.Role != "" {
		also("r.role = ?", string(q.Role))
	}
	if !q.Conversation.IsZero() {
		also("c.id = ?", q.Conversation[:])
	}
	if q.State != "" {
		also("x.state = ?", string(q.State))
	}
	if !findable(q.Reason, string(q.Role), string(q.State)) {
		return "WHERE FALSE", nil, nil
	}
	if q.Reason != "" {
		also(`x.reason LIKE ? ESCAPE '\'`, "%"+likeEscape.Replace(q.Reason)+"%")
	}
	if !q.From.IsZero() {
		also("x.at >= ?", q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		also("x.at < ?", q.To.UnixMilli())
	}
	if q.Until != 0 {
		also("x.seq > ?", q.After)
		also("x.seq <= ?", q.Until)
	}
	return "WHERE " + strings.Join(parts, " AND "), args, nil
}

var likeEscape = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// DeadLetters implements [parley.DeadLetters].
func (t *tx) DeadLetters(ctx context.Context, q parley.DeadLetterQuery, offset, limit int) (page []parley.DeadLetter, count int, err error) {
	where, args, err := t.deadLettersWhere(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if err := t.db.NewRaw("SELECT count(*)"+deadLettersFrom+where, args...).Scan(ctx, &count); err != nil {
		return nil, 0, fmt.Errorf("count dead letters: %w", err)
	}
	rows, err := t.db.QueryContext(ctx, "SELECT x.delivery, x.lane, r.key, r.application, r.role, r.disabled, x.state, x.reason, x.at, COALESCE(l.blocked = x.seq, FALSE), "+
		messageColumns+deadLettersFrom+where+" ORDER BY x.at, x.lane, x.seq LIMIT ? OFFSET ?", append(args, limit, offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list dead letters: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		d := parley.DeadLetter{Receiver: parley.Receiver{Tenant: q.Tenant}}
		var delivery, application []byte
		var at int64
		if d.Message, err = scanMessage(rows, &delivery, &d.Lane, &d.Receiver.Key, &application, &d.Receiver.Role, &d.Receiver.Disabled, &d.State, &d.Reason, &at, &d.Blocks); err != nil {
			return nil, 0, err
		}
		if delivery != nil { // given up before ids were kept
			d.Delivery = parley.DeliveryID(delivery)
		}
		d.Receiver.Application, d.At = parley.ApplicationID(application), moment(&at)
		page = append(page, d)
	}
	return page, count, rows.Err()
}

// An exceptionRow is a dead letter as the decisions about it need it.
type exceptionRow struct {
	lane, seq int64
	blocks    bool
}

// decidable are the oldest dead letters selected that are in one of the states.
func (t *tx) decidable(ctx context.Context, q parley.DeadLetterQuery, limit int, states ...string) ([]exceptionRow, error) {
	where, args, err := t.deadLettersWhere(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := t.db.QueryContext(ctx, "SELECT x.lane, x.seq, COALESCE(l.blocked = x.seq, FALSE)"+deadLettersFrom+where+
		" AND x.state IN (?) ORDER BY x.at, x.lane, x.seq LIMIT ?", append(args, bun.List(states), limit)...)
	if err != nil {
		return nil, fmt.Errorf("look for dead letters: %w", err)
	}
	defer rows.Close()
	var found []exceptionRow
	for rows.Next() {
		var x exceptionRow
		if err := rows.Scan(&x.lane, &x.seq, &x.blocks); err != nil {
			return nil, err
		}
		found = append(found, x)
	}
	return found, rows.Err()
}

// Replay implements [parley.DeadLetters].
func (t *tx) Replay(ctx context.Context, q parley.DeadLetterQuery, limit int, first time.Time, pause time.Duration) (int, error) {
	found, err := t.decidable(ctx, q, limit, string(parley.StateDead))
	if err != nil {
		return 0, err
	}
	for i, x := range found {
		due := first.Add(time.Duration(i) * pause).UnixMilli()
		if x.blocks {
			if err := t.run(ctx, "DELETE FROM exceptions WHERE lane = ? AND seq = ?", x.lane, x.seq); err != nil {
				return 0, err
			}
			if err := t.run(ctx, "UPDATE lanes SET blocked = NULL, attempts = 0, due = ? WHERE key = ?", due, x.lane); err != nil {
				return 0, err
			}
			continue
		}
		if err := t.run(ctx, "UPDATE exceptions SET state = ?, at = ? WHERE lane = ? AND seq = ?", string(parley.StateAgain), due, x.lane, x.seq); err != nil {
			return 0, err
		}
		if err := t.run(ctx, "UPDATE lanes SET again = again + 1, due = CASE WHEN blocked IS NULL THEN CASE WHEN due < ? THEN due ELSE ? END END WHERE key = ?", due, due, x.lane); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

// Skip implements [parley.DeadLetters].
func (t *tx) Skip(ctx context.Context, q parley.DeadLetterQuery, limit int) (int, error) {
	found, err := t.decidable(ctx, q, limit, string(parley.StateDead), string(parley.StateAgain))
	if err != nil {
		return 0, err
	}
	now := t.s.now().UnixMilli()
	for _, x := range found {
		if err := t.run(ctx, "UPDATE exceptions SET state = ?, at = ?, told = 1 WHERE lane = ? AND seq = ?", string(parley.StateSkipped), now, x.lane, x.seq); err != nil {
			return 0, err
		}
		acked := "acked"
		if x.blocks {
			acked = "blocked"
		}
		left := "(SELECT count(*) FROM exceptions AS x WHERE x.lane = lanes.key AND x.state = 'again')"
		stays := "blocked IS NOT NULL" // by another one
		if x.blocks {
			stays = "FALSE"
		}
		if err := t.run(ctx, `UPDATE lanes SET acked = `+acked+`, attempts = CASE WHEN `+acked+` > acked THEN 0 ELSE attempts END, again = `+left+`,
			blocked = CASE WHEN `+stays+` THEN blocked END,
			due = CASE WHEN NOT (`+stays+`) AND (tail > `+acked+` OR `+left+` > 0) THEN COALESCE(due, ?) END WHERE key = ?`, now, x.lane); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

func (t *tx) run(ctx context.Context, text string, args ...any) error {
	_, err := t.db.NewRaw(text, args...).Exec(ctx)
	return err
}

// lateReplay is by how much a replay may be late without those after it being put off.
const lateReplay = time.Second

// putOff puts the replays of a lane off by as much as the first of them is late, but for those that are due with it.
func (s *Store) putOff(ctx context.Context, lane int64) error {
	var first, last *int64
	if err := s.read.NewRaw("SELECT min(at), max(at) FROM exceptions WHERE lane = ? AND state = 'again'", lane).Scan(ctx, &first, &last); err != nil || first == nil {
		return err
	}
	late := s.now().UnixMilli() - *first
	if late <= lateReplay.Milliseconds() || *last == *first {
		return nil
	}
	return s.exec(ctx, "UPDATE exceptions SET at = at + ? WHERE lane = ? AND state = 'again' AND at > ?", late, lane, *first)
}

// Again implements [parley.Lanes].
func (s *Store) Again(ctx context.Context, lane *parley.Lane, limit int) (c parley.Conversation, again []parley.Message, err error) {
	if err := s.putOff(ctx, lane.Key); err != nil {
		return c, nil, fmt.Errorf("put replays off: %w", err)
	}
	again, err = selectMessages(ctx, s.read, `FROM exceptions AS x JOIN lanes AS l ON l.key = x.lane JOIN conversations AS c ON c.key = l.conversation
		JOIN messages AS m ON m.conversation = l.conversation AND m.seq = x.seq WHERE x.lane = ? AND x.state = 'again' AND x.at <= ? ORDER BY x.seq LIMIT ?`,
		lane.Key, s.now().UnixMilli(), limit)
	if err != nil || len(again) == 0 {
		return c, again, err
	}
	c, err = oneConversation(selectConversations(ctx, s.read, "WHERE c.key = (SELECT conversation FROM lanes WHERE key = ?)", lane.Key))
	return c, again, err
}

// Attempts implements [parley.DeadLetters].
func (t *tx) Attempts(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID, after, upto int64) ([]parley.LaneAttempt, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT r.key, r.application, r.role, l.slot, a.seq, a.at, a.duration, a.status, a.error, a.answer
		FROM conversations AS c JOIN lanes AS l ON l.conversation = c.key JOIN receivers AS r ON r.key = l.receiver
		JOIN attempts AS a ON a.lane = l.key AND a.seq > ? AND a.seq <= ?
		WHERE c.tenant = (SELECT key FROM tenants WHERE id = ?) AND c.id = ? ORDER BY a.seq, a.at, a.key`, after, upto, tenant[:], conversation[:])
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	defer rows.Close()
	var found []parley.LaneAttempt
	for rows.Next() {
		a := parley.LaneAttempt{Receiver: parley.Receiver{Tenant: tenant}}
		var application []byte
		var at, took int64
		if err := rows.Scan(&a.Receiver.Key, &application, &a.Receiver.Role, &a.Slot, &a.Seq, &at, &took, &a.Status, &a.Error, &a.Answer); err != nil {
			return nil, err
		}
		a.Receiver.Application, a.At, a.Duration = parley.ApplicationID(application), moment(&at), time.Duration(took)*time.Microsecond
		found = append(found, a)
	}
	return found, rows.Err()
}

// InsertAudit implements [parley.Audit].
func (t *tx) InsertAudit(ctx context.Context, e parley.AuditEntry) error {
	tenant, err := t.s.tenantKey(ctx, t.db, e.Tenant)
	if err != nil {
		return err
	}
	if !json.Valid([]byte(e.Detail)) {
		return fmt.Errorf("detail of audit entry %s is no JSON", e.Action)
	}
	return t.run(ctx, "INSERT INTO audit (tenant, at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?)",
		tenant, e.At.UnixMilli(), e.Actor, e.Action, e.Subject, e.Detail)
}

// AuditEntries implements [parley.Audit].
func (t *tx) AuditEntries(ctx context.Context, tenant parley.TenantID, offset, limit int) (page []parley.AuditEntry, count int, err error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, 0, err
	}
	if err := t.db.NewRaw("SELECT count(*) FROM audit WHERE tenant = ?", key).Scan(ctx, &count); err != nil {
		return nil, 0, err
	}
	rows, err := t.db.QueryContext(ctx, "SELECT at, actor, action, subject, detail FROM audit WHERE tenant = ? ORDER BY at DESC, key DESC LIMIT ? OFFSET ?", key, limit, offset)
	if err != nil {
		return nil, 0, fmt.Errorf("read audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e := parley.AuditEntry{Tenant: tenant}
		var at int64
		if err := rows.Scan(&at, &e.Actor, &e.Action, &e.Subject, &e.Detail); err != nil {
			return nil, 0, err
		}
		e.At = moment(&at)
		page = append(page, e)
	}
	return page, count, rows.Err()
}
