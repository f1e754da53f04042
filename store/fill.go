package store

import (
	"context"
	"fmt"

	"parley"
)

const (
	// fillEach is how many messages a filled conversation has.
	fillEach = 100
	// fillAtOnce is how many messages one transaction writes.
	fillAtOnce = 500_000
)

// Fill adds ended conversations with so many messages in all to the default tenant, quickly and without the rules: for
// benchmarks, which want to know what an old record costs. Nobody else may write meanwhile.
func (s *Store) Fill(ctx context.Context, messages int) error {
	tenant, err := s.tenantKey(ctx, s.read, parley.DefaultTenant)
	if err != nil {
		return err
	}
	series, id := "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)", "randomblob(16)"
	if s.dialect.unnest {
		series, id = "WITH n(i) AS (SELECT generate_series(0, ?::bigint - 1))", "uuid_send(gen_random_uuid())"
	}
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
	if s.dialect.unnest {
		_, err = s.write.ExecContext(ctx, "ANALYZE")
	}
	return err
}
