package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"parley"
)

const (
	// visitsAtOnce is how many conversations one transaction of FillVisits writes.
	visitsAtOnce = 10_000
	// FilledDays is how far back the starts of filled conversations lie.
	FilledDays = 731
)

// FilledBots are the bots that had the conversations of FillVisits, the first of them most.
var FilledBots = []parley.ApplicationID{{6: 0x70, 8: 0x80, 15: 0xB1}, {6: 0x70, 8: 0x80, 15: 0xB2}, {6: 0x70, 8: 0x80, 15: 0xB3}}

// FillVisits adds ended conversations of eight messages on average to the default tenant, so many, spread over the last
// [FilledDays] days: for benchmarks, as [Store.Fill] is. They are the same in each run: of three bots, one in ten is a test, four channels, four
// languages, three campaigns, one in eight handed over, and steps of a flow for every answer. It says how many messages there are.
func (s *Store) FillVisits(ctx context.Context, n int) (messages int, err error) {
	tenant, err := s.tenantKey(ctx, s.read, parley.DefaultTenant)
	if err != nil {
		return 0, err
	}
	random := rand.New(rand.NewPCG(11, 11))
	const span = FilledDays * 24 * time.Hour
	first := s.now().UTC().Add(-span)
	for done := 0; done < n; done += visitsAtOnce {
		err := s.Update(ctx, func(p parley.Tx) error {
			t := p.(*tx)
			var key int64
			if err := t.db.NewRaw("SELECT COALESCE(MAX(key), 0) + 1 FROM conversations").Scan(ctx, &key); err != nil {
				return err
			}
			var conversations, said, turns [][]any
			for i := done; i < min(done+visitsAtOnce, n); i++ {
				f := filledVisit{random: random, key: key, tenant: tenant, at: first.Add(span / time.Duration(n) * time.Duration(i)).Truncate(time.Millisecond)}
				if err := f.make(i); err != nil {
					return err
				}
				conversations, said, turns = append(conversations, f.conversation), append(said, f.messages...), append(turns, f.turns...)
				key++
			}
			messages += len(said)
			for _, w := range []struct {
				b    *bulk
				rows [][]any
			}{{fillVisits, conversations}, {insertMessages, said}, {upsertTurns, turns}} {
				if err := w.b.run(ctx, t.conn(), w.rows, discard); err != nil {
					return fmt.Errorf("fill conversations: %w", err)
				}
			}
			if s.dialect.unnest { // keys were given by hand
				return t.run(ctx, "SELECT setval(pg_get_serial_sequence('conversations', 'key'), (SELECT MAX(key) FROM conversations))")
			}
			return nil
		})
		if err != nil {
			return messages, err
		}
	}
	if s.dialect.unnest { // as autovacuum would, in time
		_, err = s.write.ExecContext(ctx, "VACUUM ANALYZE conversations, messages, turns")
	}
	return messages, err
}

var fillVisits = newBulk(`INSERT INTO conversations (key, id, tenant, account, contact, epoch, seq, touched, status, owner_kind, owner, state, created, ended)
	SELECT key, id, tenant, id, 'filled', 1, seq, ended, 'ended', 'none', '{"kind":"none"}', state, at, ended FROM %ROWS%`,
	column{"key", bigint}, column{"id", bytea}, column{"tenant", bigint}, column{"seq", bigint}, column{"state", text}, column{"at", bigint}, column{"ended", bigint})

// A filledVisit is the rows of one conversation.
type filledVisit struct {
	random      *rand.Rand
	key, tenant int64
	at          time.Time
	seq         int64
	bot         parley.ApplicationID

	conversation    []any
	messages, turns [][]any
}

func (f *filledVisit) make(i int) error {
	pick := func(of ...string) string { return of[f.random.IntN(len(of))] }
	f.bot = FilledBots[min(f.random.IntN(5), 2)%3]
	if f.random.IntN(2) == 0 {
		f.bot = FilledBots[0]
	}
	state := parley.ConversationState{ChannelType: pick("web_chat", "whatsapp", "api", "messenger"), Language: pick("en", "en-US", "de-DE", "fr"),
		Customer: parley.CustomerData{Contacts: []parley.Contact{{Type: "email", Address: fmt.Sprintf("customer-%d@example.org", f.random.IntN(1+i/3+100))}}},
		Parties:  []parley.Party{{Role: parley.Customer}, {Application: f.bot, Role: parley.CustomBot}, {Role: parley.CustomAgent}},
		Campaign: parley.Campaign{ID: pick("", "", "spring", "summer"), Source: pick("", "mail")}, Bot: parley.BotState{Test: f.random.IntN(10) == 0}}
	stored, err := json.Marshal(&state)
	if err != nil {
		return err
	}
	began, handed := f.at, f.random.IntN(8) == 0
	for range 1 + f.random.IntN(5) { // questions, each with one or two answers
		if err := f.turn(pick("size", "colour", "done", "refund"), 1+f.random.IntN(2)); err != nil {
			return err
		}
	}
	if handed {
		f.say(parley.System, parley.TypeEscalationTransfer, `{"handOver":true}`)
		f.say(parley.CustomAgent, parley.TypeText, `{"content":{"text":"How can I help?"}}`)
	}
	f.say(parley.System, parley.TypeConversationEnd, `{"idle":900000}`)
	id := parley.ConversationID{6: 0x70, 8: 0x80}
	for b := range 8 {
		id[8+b] = byte(f.key >> (8 * (7 - b)))
	}
	id[0] = 0xF1
	f.conversation = []any{f.key, id[:], f.tenant, f.seq, string(stored), began.UnixMilli(), f.at.UnixMilli()}
	return nil
}

// turn is a question and its answers.
func (f *filledVisit) turn(step string, answers int) error {
	f.say(parley.Customer, parley.TypeText, `{"content":{"text":"Where is the parcel with the blue ribbon that was handed over on Tuesday?"}}`)
	question, opened := f.seq, f.at
	for range answers {
		f.say(parley.CustomBot, parley.TypeText, fmt.Sprintf(`{"application":%q,"question":%d,"content":{"text":"It is on its way; you will have it tomorrow before noon."}}`, f.bot, question))
	}
	result, err := json.Marshal(&parley.TurnResult{Steps: []parley.FlowStep{{ID: step}}, Fallback: f.random.IntN(12) == 0})
	if err != nil {
		return err
	}
	closed, last := f.at.UnixMilli(), f.seq
	f.turns = append(f.turns, []any{f.key, question, f.id(), "", string(parley.TurnAnswered), "", "", question + 1, last, string(result), opened.UnixMilli(), &closed, &last})
	return nil
}

func (f *filledVisit) id() []byte {
	id := make([]byte, 16)
	for i := range 2 {
		v := f.random.Uint64()
		for b := range 8 {
			id[8*i+b] = byte(v >> (8 * b))
		}
	}
	return id
}

func (f *filledVisit) say(sender parley.Role, t parley.MessageType, body string) {
	f.seq++
	f.at = f.at.Add(time.Duration(200+f.random.IntN(30_000)) * time.Millisecond)
	to := int64(1)
	if sender == parley.Customer {
		to = 0b10
	}
	var noHash *int64
	f.messages = append(f.messages, []any{f.tenant, f.key, f.seq, f.id(), string(t), string(sender), f.at.UnixMilli(), to, noHash, "filled", body})
}

// ScanConversations is how many conversations began on each day of a range, by a plain query over all messages: the baseline of benchmarks.
func (s *Store) ScanConversations(ctx context.Context, tenant parley.TenantID, from, until time.Time) (days int, err error) {
	key, err := s.tenantKey(ctx, s.read, tenant)
	if err != nil {
		return 0, err
	}
	err = query(ctx, s.read, `SELECT f.began / 86400000, COUNT(*) FROM (SELECT conversation, MIN(created) AS began FROM messages
			WHERE tenant = ? AND sender <> 'system' GROUP BY conversation) AS f WHERE f.began >= ? AND f.began < ? GROUP BY 1`,
		[]any{key, from.UnixMilli(), until.UnixMilli()}, func(rows *sql.Rows) error {
			var day, n int64
			days++
			return rows.Scan(&day, &n)
		})
	return days, err
}
