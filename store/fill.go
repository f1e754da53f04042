package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

const (
	// fillEach is how many messages a filled conversation has.
	fillEach = 100
	// fillAtOnce is how many messages one transaction writes.
	fillAtOnce = 500_000
)

// Fill adds ended conversations with so many messages in all to the default tenant, quickly and without the rules: for
// benchmarks, which want to know what an old record costs. All in it counts as looked at and counted: as long as that goes on it costs what many
// new messages do. Nobody else may write meanwhile.
func (s *Store) Fill(ctx context.Context, messages int) error {
	tenant, err := s.tenantKey(ctx, s.read, parley.DefaultTenant)
	if err != nil {
		return err
	}
	series, id := s.series()
	const text = "The parcel with the blue ribbon was handed over at the back door on Tuesday, and nobody has seen it since; please tell me whom I may ask."
	for done := 0; done < messages; done += fillAtOnce {
		n := min(messages-done, fillAtOnce)
		err := s.Update(ctx, func(t parley.Tx) error {
			db := t.(*tx).db
			var first int64
			if err := db.NewRaw("SELECT COALESCE(MAX(key), 0) + 1 FROM conversations").Scan(ctx, &first); err != nil {
				return err
			}
			conversations := (n + fillEach - 1) / fillEach
			if _, err := db.NewRaw(series+` INSERT INTO conversations (key, id, tenant, account, contact, epoch, seq, touched, status, owner_kind, owner, state, created, ended)
				SELECT ? + i, `+id+`, ?, ?, 'filled', 1, ?, 1700000000000, 'ended', 'none', '{"kind":"none"}',
				'{"channelType":"web_chat","address":"filled","customer":{},"parties":[{"role":"customer"}]}', 1700000000000, 1700000000000 FROM n`,
				conversations, first, tenant, parley.WebChatChannel[:], fillEach).Exec(ctx); err != nil {
				return fmt.Errorf("fill conversations: %w", err)
			}
			if _, err := db.NewRaw(series+` INSERT INTO messages (tenant, conversation, seq, id, type, sender, created, addressed, repeat_hash, explanation, body)
				SELECT ?, ? + i / ?, 1 + i % ?, `+id+`, 'text', 'customer', 1700000000000, 1, i * 7919, 'filled', ? FROM n`,
				n, tenant, first, fillEach, fillEach, `{"content":{"text":"`+text+`"}}`).Exec(ctx); err != nil {
				return fmt.Errorf("fill messages: %w", err)
			}
			if s.dialect.unnest { // keys were given by hand
				_, err := db.NewRaw("SELECT setval(pg_get_serial_sequence('conversations', 'key'), (SELECT MAX(key) FROM conversations))").Exec(ctx)
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := s.Update(ctx, func(t parley.Tx) error { return followed(ctx, t) }); err != nil {
		return fmt.Errorf("fill followers: %w", err)
	}
	if s.dialect.unnest {
		_, err = s.write.ExecContext(ctx, "ANALYZE")
	}
	return err
}

// followed puts those who follow the record at its end.
func followed(ctx context.Context, t parley.Tx) error {
	last, err := t.LastFed(ctx)
	if err != nil {
		return err
	}
	for name, key := range map[string]int64{parley.FeedDetection: last, parley.FeedHistory: last, parley.FeedHistoryEnd: last, parley.FeedDetectionStarted: 1} {
		if err := t.SetFeedCursor(ctx, name, key); err != nil {
			return err
		}
	}
	p, err := t.FigureProgress(ctx)
	if err != nil {
		return err
	}
	p.Generation, p.Cursor = max(p.Generation, 1), last
	return t.PutFigures(ctx, &p, nil)
}

// series is a common table n of the numbers from 0, as many as its parameter says, and an expression that makes an id.
func (s *Store) series() (series, id string) {
	if s.dialect.unnest {
		return "WITH n(i) AS (SELECT generate_series(0, ?::bigint - 1))", "uuid_send(gen_random_uuid())"
	}
	return "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)", "randomblob(16)"
}

// FillHeld adds copies of the newest conversation that has a lane, so many, each of whose lanes owes so many messages to the same
// receiver since a minute ago: for benchmarks, as [Store.Fill] is.
func (s *Store) FillHeld(ctx context.Context, lanes, each int) error {
	series, id := s.series()
	due := s.now().Add(-time.Minute).UnixMilli()
	err := s.Update(ctx, func(t parley.Tx) error {
		db := t.(*tx).db
		var first, like int64
		if err := db.NewRaw("SELECT MAX(key) + 1 FROM conversations").Scan(ctx, &first); err != nil {
			return err
		}
		if err := db.NewRaw("SELECT MAX(conversation) FROM lanes").Scan(ctx, &like); err != nil {
			return err
		}
		for _, statement := range []struct {
			text string
			args []any
		}{
			{`INSERT INTO conversations (key, id, tenant, account, contact, epoch, seq, touched, status, owner_kind, owner_app, owner, state, created)
				SELECT ? + i, ` + id + `, tenant, account, 'held-' || i, epoch, ?, touched, status, owner_kind, owner_app, owner, state, created
				FROM n CROSS JOIN conversations WHERE key = ?`, []any{lanes, first, each, like}},
			{`INSERT INTO messages (tenant, conversation, seq, id, type, sender, created, addressed, explanation, body)
				SELECT m.tenant, ? + i / ?, 1 + i % ?, ` + id + `, m.type, m.sender, m.created, m.addressed, m.explanation, m.body
				FROM n CROSS JOIN (SELECT * FROM messages WHERE conversation = ? ORDER BY seq LIMIT 1) AS m`, []any{lanes * each, first, each, each, like}},
			{`INSERT INTO lanes (tenant, conversation, slot, receiver, tail, due) SELECT tenant, ? + i, slot, receiver, ?, ?
				FROM n CROSS JOIN lanes WHERE conversation = ?`, []any{lanes, first, each, due, like}},
		} {
			if _, err := db.NewRaw(series+" "+statement.text, statement.args...).Exec(ctx); err != nil {
				return fmt.Errorf("fill with lanes: %w", err)
			}
		}
		if s.dialect.unnest { // keys were given by hand
			_, err := db.NewRaw("SELECT setval(pg_get_serial_sequence('conversations', 'key'), (SELECT MAX(key) FROM conversations))").Exec(ctx)
			return err
		}
		return nil
	})
	if err == nil && s.dialect.unnest {
		_, err = s.write.ExecContext(ctx, "ANALYZE")
	}
	return err
}
