package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

var upsertTurns = newBulk(`INSERT INTO turns (conversation, seq, question, request, status, failure, problem, first, last, result, opened, closed, closed_seq)
	SELECT conversation, seq, question, request, status, failure, problem, first, last, result, opened, closed, closed_seq FROM %ROWS% WHERE true
	ON CONFLICT (conversation, seq) DO UPDATE SET status = excluded.status, failure = excluded.failure, problem = excluded.problem,
		first = excluded.first, last = excluded.last, result = excluded.result, closed = excluded.closed,
		closed_seq = COALESCE(turns.closed_seq, excluded.closed_seq)`,
	column{"conversation", bigint}, column{"seq", bigint}, column{"question", bytea}, column{"request", text}, column{"status", text},
	column{"failure", text}, column{"problem", text}, column{"first", bigint}, column{"last", bigint}, column{"result", text},
	column{"opened", bigint}, column{"closed", bigint}, column{"closed_seq", bigint})

// writeTurns keeps the turns of the chains that hold. Later steps of a chain win: a statement may not change a row twice.
func (s *Store) writeTurns(ctx context.Context, t bun.Tx, chains []*chain) error {
	type place struct{ conversation, seq int64 }
	var rows, changed [][]any
	at := map[place]int{}
	for _, c := range chains {
		for _, e := range c.entries {
			if len(e.step.Turns) > 0 && len(e.step.Messages) == 0 { // else who counts sees the messages
				changed = append(changed, []any{c.key, int64(0)})
			}
			for i := range e.step.Turns {
				turn := &e.step.Turns[i]
				result, err := json.Marshal(&turn.Result)
				if err != nil {
					return err
				}
				var closedSeq *int64
				if !turn.Closed.IsZero() { // what the same step says after the answers comes after the turn
					closedSeq = new(max(e.step.BaseSeq, turn.Seq, turn.Last))
				}
				row := []any{c.key, turn.Seq, turn.Question[:], turn.Request, string(turn.Status), string(turn.Failure), turn.Problem, turn.First, turn.Last,
					string(result), turn.Opened.UnixMilli(), millis(turn.Closed), closedSeq}
				p := place{c.key, turn.Seq}
				if j, ok := at[p]; ok {
					rows[j] = row
					continue
				}
				at[p] = len(rows)
				rows = append(rows, row)
			}
		}
	}
	if err := insertChanges.run(ctx, s.conn(s.writes, t.Tx), changed, discard); err != nil {
		return fmt.Errorf("note what is to be counted: %w", err)
	}
	return upsertTurns.run(ctx, s.conn(s.writes, t.Tx), rows, discard)
}

// Turn implements [parley.Conversations].
func (t *tx) Turn(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, seq int64) (parley.Turn, error) {
	return t.oneTurn(ctx, tenant, id, "AND t.seq = ?", seq)
}

// TurnsOf implements [parley.Conversations].
func (t *tx) TurnsOf(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, after int64, limit int) ([]parley.Turn, error) {
	return t.selectTurns(ctx, tenant, id, "AND t.seq > ? ORDER BY t.seq LIMIT ?", after, limit)
}

// TurnOfRequest implements [parley.Conversations].
func (t *tx) TurnOfRequest(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, request string, since time.Time) (parley.Turn, error) {
	if !findable(request) {
		return parley.Turn{}, errNoTurn
	}
	return t.oneTurn(ctx, tenant, id, "AND t.request = ? AND t.opened >= ? ORDER BY t.seq DESC LIMIT 1", request, since.UnixMilli())
}

var errNoTurn = &parley.Error{Kind: parley.NotFound, Msg: "turn not found"}

func (t *tx) oneTurn(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, rest string, args ...any) (parley.Turn, error) {
	all, err := t.selectTurns(ctx, tenant, id, rest, args...)
	if err != nil {
		return parley.Turn{}, err
	}
	if len(all) == 0 {
		return parley.Turn{}, errNoTurn
	}
	return all[0], nil
}

func (t *tx) selectTurns(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, rest string, args ...any) (all []parley.Turn, err error) {
	err = query(ctx, t.db, `SELECT t.seq, t.question, t.request, t.status, t.failure, t.problem, t.first, t.last, t.result, t.opened, t.closed, COALESCE(t.closed_seq, 0)
		FROM turns AS t JOIN conversations AS c ON c.key = t.conversation JOIN tenants AS tn ON tn.key = c.tenant
		WHERE c.id = ? AND tn.id = ? `+rest, append([]any{id[:], tenant[:]}, args...), func(rows *sql.Rows) error {
		turn := parley.Turn{Conversation: id}
		var question []byte
		var result string
		var opened int64
		var closed *int64
		if err := rows.Scan(&turn.Seq, &question, &turn.Request, &turn.Status, &turn.Failure, &turn.Problem, &turn.First, &turn.Last, &result, &opened, &closed, &turn.ClosedSeq); err != nil {
			return err
		}
		turn.Question, turn.Opened, turn.Closed = parley.MessageID(question), moment(&opened), moment(closed)
		if err := json.Unmarshal([]byte(result), &turn.Result); err != nil {
			return err
		}
		all = append(all, turn)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read turns: %w", err)
	}
	return all, nil
}
