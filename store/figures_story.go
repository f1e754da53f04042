package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

var (
	storyHeads = newBulk(`SELECT c.key, c.id, tn.id, c.state, c.ended, CASE WHEN EXISTS (SELECT 1 FROM forgotten AS f WHERE f.conversation = c.key AND f.anonymous = 0) THEN 1 ELSE 0 END
		FROM %ROWS% CROSS JOIN conversations AS c JOIN tenants AS tn ON tn.key = c.tenant WHERE c.key = v.conversation`, column{"conversation", bigint})
	storyMessages = newBulk(`SELECT m.conversation, m.seq, m.type, m.sender, m.created, m.addressed,
			CASE WHEN m.sender IN ('custom_bot', 'egain_bot') OR m.type IN ('escalation.transfer', 'conversation.end') OR m.sender = 'customer' AND m.body LIKE '%"turn":{%' THEN m.body ELSE '' END
		FROM %ROWS% CROSS JOIN messages AS m WHERE m.conversation = v.conversation AND m.seq > v.seq ORDER BY m.conversation, m.seq`,
		column{"conversation", bigint}, column{"seq", bigint})
	storyTurns = newBulk(`SELECT t.conversation, t.seq, t.status, t.failure, t.first, t.last, t.result, t.opened, t.closed, COALESCE(t.closed_seq, 0)
		FROM %ROWS% CROSS JOIN turns AS t WHERE t.conversation = v.conversation AND t.seq > v.seq ORDER BY t.conversation, t.seq`,
		column{"conversation", bigint}, column{"seq", bigint})
	storyRatings = newBulk("SELECT r.conversation, r.seq, r.helpful FROM %ROWS% CROSS JOIN ratings AS r WHERE r.conversation = v.conversation ORDER BY r.conversation, r.seq",
		column{"conversation", bigint})
	storyFeedbacks = newBulk("SELECT f.conversation, f.seq, f.body FROM %ROWS% CROSS JOIN agent_feedbacks AS f WHERE f.conversation = v.conversation ORDER BY f.conversation, f.seq",
		column{"conversation", bigint})
	storySurveys = newBulk("SELECT s.conversation, s.evaluation, s.answered FROM %ROWS% CROSS JOIN surveys AS s WHERE s.conversation = v.conversation",
		column{"conversation", bigint})
)

// Stories implements [parley.Figures].
func (t *tx) Stories(ctx context.Context, generation int64, conversations []int64, whole bool) ([]parley.Story, error) {
	all := make([]parley.Story, 0, len(conversations))
	keys := make([][]any, len(conversations))
	for i, key := range conversations {
		keys[i] = []any{key}
	}
	read := func(b *bulk, rows [][]any, scan func(*sql.Rows) error) error {
		return b.run(ctx, t.conn(), rows, scan)
	}
	if err := read(storyHeads, keys, func(rows *sql.Rows) error {
		h := parley.Story{Whole: whole}
		var id, tenant, state []byte
		var forgotten int64
		var ended *int64
		if err := rows.Scan(&h.Key, &id, &tenant, &state, &ended, &forgotten); err != nil {
			return err
		}
		h.ID, h.Tenant, h.Ended, h.Forgotten = parley.ConversationID(id), parley.TenantID(tenant), moment(ended), forgotten != 0
		err := json.Unmarshal(state, &h.State)
		all = append(all, h)
		return err
	}); err != nil {
		return nil, fmt.Errorf("read conversations to count: %w", err)
	}
	at := make(map[int64]*parley.Story, len(all))
	for i := range all {
		at[all[i].Key] = &all[i]
	}
	visits, err := t.storedVisits(ctx, generation, conversations, whole)
	if err != nil {
		return nil, err
	}
	for _, v := range visits {
		if h := at[v.Conversation]; h != nil {
			h.Visits = append(h.Visits, v)
		}
	}
	var messages, turns [][]any
	for i := range all {
		h := &all[i]
		if h.Forgotten {
			continue
		}
		var seq, turn int64
		if n := len(h.Visits); n > 0 && !whole {
			seq, turn = h.Visits[n-1].Facts.ReadSeq, h.Visits[n-1].Facts.ReadTurn
		}
		messages, turns = append(messages, []any{h.Key, seq}), append(turns, []any{h.Key, turn})
	}
	if err := read(storyMessages, messages, func(rows *sql.Rows) error {
		conversation, m, err := scanSaid(rows)
		if err == nil {
			at[conversation].Messages = append(at[conversation].Messages, m)
		}
		return err
	}); err != nil {
		return nil, fmt.Errorf("read messages to count: %w", err)
	}
	if err := read(storyTurns, turns, func(rows *sql.Rows) error {
		conversation, turn, err := scanTurnToCount(rows)
		if err == nil {
			at[conversation].Turns = append(at[conversation].Turns, turn)
		}
		return err
	}); err != nil {
		return nil, fmt.Errorf("read turns to count: %w", err)
	}
	if !whole {
		return all, nil
	}
	return all, t.opinions(keys, at, read)
}

// opinions reads what customers thought.
func (t *tx) opinions(keys [][]any, at map[int64]*parley.Story, read func(*bulk, [][]any, func(*sql.Rows) error) error) error {
	if err := read(storyRatings, keys, func(rows *sql.Rows) error {
		var conversation, helpful int64
		var r parley.Rating
		err := rows.Scan(&conversation, &r.Seq, &helpful)
		if h := at[conversation]; err == nil && h != nil {
			r.Helpful = helpful != 0
			h.Ratings = append(h.Ratings, r)
		}
		return err
	}); err != nil {
		return fmt.Errorf("read ratings to count: %w", err)
	}
	if err := read(storyFeedbacks, keys, func(rows *sql.Rows) error {
		var conversation int64
		var r parley.Rating
		var stored []byte
		if err := rows.Scan(&conversation, &r.Seq, &stored); err != nil {
			return err
		}
		var f parley.Feedback
		if err := json.Unmarshal(stored, &f); err != nil {
			return err
		}
		if h := at[conversation]; h != nil {
			r.Helpful = f.Up
			h.Ratings = append(h.Ratings, r)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("read feedbacks to count: %w", err)
	}
	if err := read(storySurveys, keys, func(rows *sql.Rows) error {
		var conversation, answered int64
		var s parley.Survey
		err := rows.Scan(&conversation, &s.Evaluation, &answered)
		if h := at[conversation]; err == nil && h != nil {
			s.Answered = answered != 0
			h.Survey = &s
		}
		return err
	}); err != nil {
		return fmt.Errorf("read surveys to count: %w", err)
	}
	return nil
}

func scanSaid(rows *sql.Rows) (conversation int64, m parley.SaidMessage, err error) {
	var created int64
	var stored []byte
	if err := rows.Scan(&conversation, &m.Seq, &m.Type, &m.Sender, &created, &m.To, &stored); err != nil {
		return 0, m, err
	}
	m.Created = moment(&created)
	if len(stored) == 0 {
		return conversation, m, nil
	}
	var body struct { // only what counts: most of a body is its content
		Application parley.ApplicationID `json:"application"`
		Question    int64                `json:"question"`
		HandOver    bool                 `json:"handOver"`
		Idle        int64                `json:"idle"`
		Turn        *struct {
			NoText bool   `json:"noText"`
			Code   string `json:"code"`
			Intent string `json:"intent"`
		} `json:"turn"`
		Steps []parley.FlowStep `json:"steps"`
	}
	if err := json.Unmarshal(stored, &body); err != nil {
		return 0, m, fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	m.Application, m.Question, m.HandOver, m.Idle = body.Application, body.Question, body.HandOver, time.Duration(body.Idle)*time.Millisecond
	m.Steps = body.Steps
	if t := body.Turn; t != nil {
		m.NoText, m.Intent = t.NoText && t.Code != "", t.Intent
	}
	return conversation, m, nil
}

func scanTurnToCount(rows *sql.Rows) (conversation int64, turn parley.Turn, err error) {
	var result []byte
	var opened int64
	var closed *int64
	if err := rows.Scan(&conversation, &turn.Seq, &turn.Status, &turn.Failure, &turn.First, &turn.Last, &result, &opened, &closed, &turn.ClosedSeq); err != nil {
		return 0, turn, err
	}
	turn.Opened, turn.Closed = moment(&opened), moment(closed)
	return conversation, turn, json.Unmarshal(result, &turn.Result)
}

const visitColumns = `, v.key, v.conversation, v.part, v.hour, v.cell, v.first_seq, v.last_seq, v.started, v.last, v.closes, v.person, v.facts `

// scanVisit reads dimensionColumns without their FROM, and visitColumns; more are the columns that follow.
func scanVisit(rows *sql.Rows, more ...any) (v parley.StoredVisit, err error) {
	var key, started, last int64
	var closes *int64
	var facts []byte
	d, err := scanDimension(rows, append([]any{&key, &v.Conversation, &v.Part, &v.Cell.Start, &v.Cell.Part, &v.FirstSeq, &v.LastSeq, &started, &last, &closes, &v.Person, &facts}, more...)...)
	if err != nil {
		return v, err
	}
	v.Dimensions, v.Cell.Dimension = d.Dimensions, d.Key
	v.Started, v.Last, v.Closes = moment(&started), moment(&last), moment(closes)
	return v, json.Unmarshal(facts, &v.Facts)
}

const selectVisits = "SELECT d.key, d.series, tn.id, d.bot, d.version, d.channel, d.language, d.campaign, d.source, d.owner" + visitColumns

const ofDimension = " JOIN visit_dimensions AS d ON d.key = v.dimension JOIN tenants AS tn ON tn.key = d.tenant "

var (
	visitsOfConversations = newBulk(selectVisits+`FROM (SELECT conversation AS wanted, generation AS made FROM %ROWS%) AS w CROSS JOIN visits AS v`+ofDimension+
		`WHERE v.conversation = w.wanted AND v.generation = w.made ORDER BY v.conversation, v.part`, column{"conversation", bigint}, column{"generation", bigint})
	lastVisits = newBulk(selectVisits+`FROM (SELECT conversation AS wanted, generation AS made FROM %ROWS%) AS w CROSS JOIN visits AS v`+ofDimension+
		`WHERE v.conversation = w.wanted AND v.generation = w.made
			AND v.part = (SELECT MAX(x.part) FROM visits AS x WHERE x.conversation = w.wanted AND x.generation = w.made)`, column{"conversation", bigint}, column{"generation", bigint})
	visitsOfCells = newBulk(selectVisits+`FROM (SELECT dimension AS in_dimension, hour AS in_hour, cell AS in_cell FROM %ROWS%) AS w CROSS JOIN visits AS v`+ofDimension+
		`WHERE v.dimension = w.in_dimension AND v.hour = w.in_hour AND v.cell = w.in_cell`, column{"dimension", bigint}, column{"hour", bigint}, column{"cell", bigint})
)

func (t *tx) storedVisits(ctx context.Context, generation int64, conversations []int64, all bool) ([]parley.StoredVisit, error) {
	b := lastVisits
	if all {
		b = visitsOfConversations
	}
	rows := make([][]any, len(conversations))
	for i, c := range conversations {
		rows[i] = []any{c, generation}
	}
	return t.visits(ctx, b, rows)
}

func (t *tx) visits(ctx context.Context, b *bulk, rows [][]any) ([]parley.StoredVisit, error) {
	return collectVisits(func(scan func(*sql.Rows) error) error { return b.run(ctx, t.conn(), rows, scan) })
}

// someVisits reads those that the rest of a query selects.
func (t *tx) someVisits(ctx context.Context, rest string, args ...any) ([]parley.StoredVisit, error) {
	return collectVisits(func(scan func(*sql.Rows) error) error {
		return query(ctx, t.db, selectVisits+"FROM visits AS v"+ofDimension+rest, args, scan)
	})
}

// collectVisits reads the rows of a query of selectVisits.
func collectVisits(run func(scan func(*sql.Rows) error) error) (found []parley.StoredVisit, err error) {
	err = run(func(rows *sql.Rows) error {
		v, err := scanVisit(rows)
		found = append(found, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	return found, nil
}

// VisitsIn implements [parley.Figures].
func (t *tx) VisitsIn(ctx context.Context, cells []parley.CellName) ([]parley.StoredVisit, error) {
	rows := make([][]any, len(cells))
	for i, c := range cells {
		rows[i] = []any{c.Dimension, c.Start, int64(c.Part)}
	}
	return t.visits(ctx, visitsOfCells, rows)
}

// VisitsOf implements [parley.Figures].
func (t *tx) VisitsOf(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) (found []parley.Visit, err error) {
	p, err := t.FigureProgress(ctx)
	if err != nil {
		return nil, err
	}
	key, err := t.conversationKey(ctx, tenant, conversation)
	if err != nil {
		return nil, err
	}
	stored, err := t.storedVisits(ctx, p.Generation, []int64{key}, true)
	for _, v := range stored {
		found = append(found, v.Visit)
	}
	return found, err
}

// EachVisit implements [parley.Figures].
func (t *tx) EachVisit(ctx context.Context, dimensions []int64, from, until time.Time, fn func(*parley.Visit) error) error {
	const hour = int64(time.Hour / time.Millisecond)
	first, last := from.UnixMilli(), until.UnixMilli()
	return t.byDimension(ctx, selectVisits+"FROM visits AS v"+ofDimension+"WHERE v.dimension IN (?) AND v.hour >= ? AND v.hour < ? AND v.started >= ? AND v.started < ?",
		dimensions, []any{first - first%hour, last, first, last}, func(rows *sql.Rows) error {
			v, err := scanVisit(rows)
			if err != nil {
				return fmt.Errorf("read visit: %w", err)
			}
			return fn(&v.Visit)
		})
}

// NewPeople implements [parley.Figures].
func (t *tx) NewPeople(ctx context.Context, dimensions []int64, from, until time.Time) (int64, error) {
	const hour = int64(time.Hour / time.Millisecond)
	first, last := from.UnixMilli(), until.UnixMilli()
	people := map[int64]bool{} // a person may have visits of several dimensions
	err := t.byDimension(ctx, `SELECT DISTINCT v.person FROM visits AS v WHERE v.dimension IN (?) AND v.hour >= ? AND v.hour < ? AND v.started >= ? AND v.started < ? AND v.person <> 0
		AND NOT EXISTS (SELECT 1 FROM visits AS e WHERE e.generation = v.generation AND e.person = v.person AND e.person <> 0 AND e.started < ?)`,
		dimensions, []any{first - first%hour, last, first, last, first}, func(rows *sql.Rows) error {
			var person int64
			err := rows.Scan(&person)
			people[person] = true
			return err
		})
	if err != nil {
		return 0, fmt.Errorf("look for new people: %w", err)
	}
	return int64(len(people)), nil
}
