package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"parley"
)

// errUnknownOutcome marks a failure after which nobody knows whether the commit happened: it must not be run again.
var errUnknownOutcome = errors.New("commit: answer lost")

// A chain is the steps of one conversation in a batch, in order. Each was routed on the state that the one before it
// leaves, so the conversation row is checked against the first and takes the state of the last.
type chain struct {
	entries []*entry // those that still hold; refused ones are taken out from the end
	key     int64    // of the conversation's row
	tenant  int64
}

func (c *chain) first() *parley.Step { return c.entries[0].step }
func (c *chain) last() *parley.Step  { return c.entries[len(c.entries)-1].step }

// refuse gives the entry at i, and all that were routed on top of it, their errors.
func (c *chain) refuse(i int, err error) {
	c.entries[i].err = err
	for _, later := range c.entries[i+1:] {
		later.err = errStale
	}
	c.entries = c.entries[:i]
}

var errStale = &parley.Error{Kind: parley.Conflict, Msg: "the conversation changed meanwhile"}

// commitBatch runs one transaction for all entries. Refusals are in the entries; the error is for what fails them all.
func (s *Store) commitBatch(ctx context.Context, batch []*entry) error {
	if err := s.fault("begin"); err != nil {
		return err
	}
	// The default isolation is enough: a step holds only if its row still has (epoch, seq), and the row is locked then.
	t, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback()
	chains := chainsOf(batch)
	learned, err := s.writeBatch(ctx, t, batch, chains)
	if err != nil {
		return err
	}
	if err := s.fault("commit"); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		if isTransient(err) {
			return err
		}
		return fmt.Errorf("%w: %w", errUnknownOutcome, err)
	}
	s.mu.Lock()
	for name, key := range learned {
		s.receivers[name] = key
	}
	s.mu.Unlock()
	for _, c := range chains {
		if len(c.entries) > 0 {
			s.shard(c.last().Conversation.ID).recent.keep(c)
		}
	}
	if err := s.fault("committed"); err != nil {
		return fmt.Errorf("%w: %w", errUnknownOutcome, err)
	}
	return nil
}

// writeBatch writes everything of a batch. The receivers it made are true only if the transaction commits.
func (s *Store) writeBatch(ctx context.Context, t bun.Tx, batch []*entry, chains []*chain) (learned map[receiverName]int64, err error) {
	if len(chains) > 0 {
		for _, c := range chains {
			if len(c.entries) == 0 {
				continue
			}
			if c.tenant, err = s.tenantKey(ctx, t, c.first().Conversation.Tenant); parley.KindOf(err) == parley.NotFound {
				c.refuse(0, err)
			} else if err != nil {
				return nil, fmt.Errorf("look up tenant: %w", err)
			}
		}
		if err := s.refuseRepeats(ctx, t, chains); err != nil {
			return nil, fmt.Errorf("look for repeats: %w", err)
		}
		if err := s.fault("conversations"); err != nil {
			return nil, err
		}
		if err := s.writeConversations(ctx, t, chains); err != nil {
			return nil, fmt.Errorf("write conversations: %w", err)
		}
		if err := s.fault("messages"); err != nil {
			return nil, err
		}
		if err := s.writeMessages(ctx, t, chains); err != nil {
			return nil, fmt.Errorf("write messages: %w", err)
		}
		if err := s.fault("lanes"); err != nil {
			return nil, err
		}
		if learned, err = s.writeLanes(ctx, t, chains); err != nil {
			return nil, fmt.Errorf("write lanes: %w", err)
		}
	}
	return learned, s.writeLaneWork(ctx, t, batch)
}

// chainsOf groups the steps of a batch by conversation, in order of the conversation's id: locks are taken in one order.
func chainsOf(batch []*entry) []*chain {
	byID := map[parley.ConversationID]*chain{}
	var chains []*chain
	for _, e := range batch {
		if e.step == nil {
			continue
		}
		c := byID[e.chain]
		if c == nil {
			c = &chain{}
			byID[e.chain] = c
			chains = append(chains, c)
		}
		c.entries = append(c.entries, e)
	}
	slices.SortFunc(chains, func(a, b *chain) int {
		x, y := a.entries[0].chain, b.entries[0].chain
		return slices.Compare(x[:], y[:])
	})
	for _, c := range chains { // a step that does not continue the one before it was routed on something else
		for i, e := range c.entries {
			if e.step.Run.Broken() {
				c.refuse(i, errStale)
				break
			}
			if i == 0 {
				continue
			}
			before, step := c.entries[i-1].step.Conversation, e.step
			if step.BaseEpoch != before.Epoch || step.BaseSeq != before.Seq {
				c.refuse(i, errStale)
				break
			}
		}
	}
	return chains
}

// refuseRepeats refuses the steps that were committed before, for those of which the hub could not tell. One that repeats
// an earlier step of the same batch hears that its base is old: that one is not true yet, and may never be.
func (s *Store) refuseRepeats(ctx context.Context, db bun.IDB, chains []*chain) error {
	for _, c := range chains {
		var doubtful []parley.RepeatKey
		for _, e := range c.entries {
			if mayRepeat(e.step) {
				doubtful = append(doubtful, e.step.Repeats...)
			}
		}
		if len(doubtful) == 0 {
			continue
		}
		committed, err := findRepeats(ctx, db, c.tenant, c.first().Conversation.ID, doubtful)
		if err != nil {
			return err
		}
		before := map[parley.RepeatKey]bool{}
		for i, e := range c.entries { // refuse shortens c.entries; those after i are refused with it
			if i >= len(c.entries) {
				break
			}
			inBatch := slices.ContainsFunc(e.step.Repeats, func(k parley.RepeatKey) bool { return before[k] })
			for _, k := range e.step.Repeats {
				before[k] = true
			}
			if !mayRepeat(e.step) {
				continue
			}
			if inBatch {
				c.refuse(i, errStale)
				continue
			}
			var found []parley.FoundRepeat
			for _, f := range committed {
				if slices.Contains(e.step.Repeats, f.Key) {
					found = append(found, f)
				}
			}
			if len(found) > 0 {
				c.refuse(i, &parley.Repeated{Conversation: e.step.Conversation.ID, Found: found})
			}
		}
	}
	return nil
}

// mayRepeat says whether the record must be asked if messages of a step were committed before.
func mayRepeat(step *parley.Step) bool {
	return !step.RepeatsKnown && len(step.Repeats) > 0 && !step.New
}

var (
	insertConversations = newBulk(`INSERT INTO conversations
		(id, tenant, account, contact, start_key, epoch, seq, touched, waiting, wake_at, status, owner_kind, owner_app, held, owner, state, created, ended)
		SELECT id, tenant, account, contact, start_key, epoch, seq, touched, waiting, wake_at, status, owner_kind, owner_app, held, owner, state, created, ended
		FROM %ROWS% WHERE true ON CONFLICT DO NOTHING RETURNING key, id`,
		column{"id", bytea}, column{"tenant", bigint}, column{"account", bytea}, column{"contact", text}, column{"start_key", bytea},
		column{"epoch", bigint}, column{"seq", bigint}, column{"touched", bigint}, column{"waiting", bigint}, column{"wake_at", bigint},
		column{"status", text}, column{"owner_kind", text}, column{"owner_app", bytea}, column{"held", bigint}, column{"owner", text},
		column{"state", text}, column{"created", bigint}, column{"ended", bigint})

	// The row is found by its id alone, hence tenant + 0: without statistics, or with old ones, PostgreSQL looked in an index that
	// begins with the tenant, through all of its conversations. With 100,000 opened within a minute a message cost 16
	// times as much (parley bench growth, 2026-11-26).
	// Most messages change nothing but these; indexed and large columns are left alone.
	touchConversations = newBulk(`UPDATE conversations AS c
		SET epoch = v.new_epoch, seq = v.new_seq, touched = v.touched, waiting = v.waiting
		FROM %ROWS% WHERE c.id = v.cid AND c.tenant + 0 = v.owner_tenant AND c.epoch = v.epoch AND c.seq = v.seq RETURNING key, id`,
		column{"cid", bytea}, column{"owner_tenant", bigint}, column{"epoch", bigint}, column{"seq", bigint},
		column{"new_epoch", bigint}, column{"new_seq", bigint}, column{"touched", bigint}, column{"waiting", bigint})

	changeConversations = newBulk(`UPDATE conversations AS c
		SET epoch = v.new_epoch, seq = v.new_seq, touched = v.touched, waiting = v.waiting, wake_at = v.wake_at, status = v.status,
			owner_kind = v.owner_kind, owner_app = v.owner_app, held = v.held, owner = v.owner, state = v.state, ended = v.ended
		FROM %ROWS% WHERE c.id = v.cid AND c.tenant + 0 = v.owner_tenant AND c.epoch = v.epoch AND c.seq = v.seq RETURNING key, id`,
		column{"cid", bytea}, column{"owner_tenant", bigint}, column{"epoch", bigint}, column{"seq", bigint},
		column{"new_epoch", bigint}, column{"new_seq", bigint}, column{"touched", bigint}, column{"waiting", bigint},
		column{"wake_at", bigint}, column{"status", text}, column{"owner_kind", text}, column{"owner_app", bytea},
		column{"held", bigint}, column{"owner", text}, column{"state", text}, column{"ended", bigint})
)

// writeConversations makes the rows of new conversations and moves those of the others, if they still are what the
// first step of the chain was routed on. Chains whose row did not match are refused whole.
func (s *Store) writeConversations(ctx context.Context, t bun.Tx, chains []*chain) error {
	var inserted, touched, changed [][]any
	moving := map[parley.ConversationID]*chain{}
	for _, c := range chains {
		if len(c.entries) == 0 {
			continue
		}
		first, last := c.first(), c.last().Conversation
		moving[last.ID] = c
		id := first.Conversation.ID
		if !first.New && !slices.ContainsFunc(c.entries, func(e *entry) bool { return e.step.StateChanged }) {
			touched = append(touched, []any{id[:], c.tenant, first.BaseEpoch, first.BaseSeq, last.Epoch, last.Seq,
				last.Touched.UnixMilli(), millis(last.Waiting)})
			continue
		}
		owner, err := json.Marshal(last.Owner)
		if err != nil {
			return err
		}
		state, err := json.Marshal(&last.State)
		if err != nil {
			return err
		}
		var ownerApp []byte
		if !last.Owner.Application.IsZero() {
			ownerApp = last.Owner.Application[:]
		}
		account := last.Account
		switch {
		case first.New:
			inserted = append(inserted, []any{id[:], c.tenant, account[:], lookupContact(&last.State), first.StartKey, last.Epoch, last.Seq,
				last.Touched.UnixMilli(), millis(last.Waiting), millis(last.WakeAt), string(last.Status), string(last.Owner.Kind),
				ownerApp, held(last), string(owner), string(state), last.Created.UnixMilli(), millis(last.Ended)})
		default:
			changed = append(changed, []any{id[:], c.tenant, first.BaseEpoch, first.BaseSeq, last.Epoch, last.Seq, last.Touched.UnixMilli(),
				millis(last.Waiting), millis(last.WakeAt), string(last.Status), string(last.Owner.Kind), ownerApp, held(last),
				string(owner), string(state), millis(last.Ended)})
		}
	}
	seen := map[parley.ConversationID]bool{}
	note := func(rows *sql.Rows) error {
		var key int64
		var id []byte
		if err := rows.Scan(&key, &id); err != nil {
			return err
		}
		moving[parley.ConversationID(id)].key = key
		seen[parley.ConversationID(id)] = true
		return nil
	}
	if err := insertConversations.run(ctx, s.conn(s.writes, t.Tx), inserted, note); err != nil {
		return err
	}
	if err := touchConversations.run(ctx, s.conn(s.writes, t.Tx), touched, note); err != nil {
		return err
	}
	if err := changeConversations.run(ctx, s.conn(s.writes, t.Tx), changed, note); err != nil {
		return err
	}
	for id, c := range moving {
		if seen[id] || len(c.entries) == 0 {
			continue
		}
		if err := s.refuseUnmatched(ctx, t, c); err != nil {
			return err
		}
	}
	return nil
}

// refuseUnmatched says why a chain's row was not written: a start that happened before, or a base that no longer holds.
func (s *Store) refuseUnmatched(ctx context.Context, t bun.Tx, c *chain) error {
	step := c.first()
	if !step.New || step.StartKey == nil {
		c.refuse(0, errStale)
		return nil
	}
	found, conversation, err := startedBy(ctx, t, c.tenant, step.StartKey)
	if parley.KindOf(err) == parley.NotFound { // no start of this tenant's: nothing that the step may hear of
		c.refuse(0, errStale)
		return nil
	}
	if err != nil {
		return err
	}
	if len(step.Repeats) > 0 {
		found.Key = step.Repeats[0]
	}
	c.refuse(0, &parley.Repeated{Start: true, Conversation: conversation, Found: []parley.FoundRepeat{found}})
	return nil
}

// held is the column that finds what waits for an agent program.
func held(c *parley.Conversation) int64 { return int64(flag(c.State.Held)) }

// lookupContact is the address that identifies the customer of a conversation.
func lookupContact(state *parley.ConversationState) string {
	c, _ := state.Contact()
	return c.Address
}

var insertMessages = newBulk(`INSERT INTO messages
	(tenant, conversation, seq, id, type, sender, created, addressed, repeat_hash, explanation, body)
	SELECT tenant, conversation, seq, id, type, sender, created, addressed, repeat_hash, explanation, body FROM %ROWS% WHERE true`,
	column{"tenant", bigint}, column{"conversation", bigint}, column{"seq", bigint}, column{"id", bytea}, column{"type", text},
	column{"sender", text}, column{"created", bigint}, column{"addressed", bigint}, column{"repeat_hash", bigint},
	column{"explanation", text}, column{"body", text})

// writeMessages appends the messages of the chains that hold, with the turns they open and close, then does what deletes and undos do to earlier ones.
func (s *Store) writeMessages(ctx context.Context, t bun.Tx, chains []*chain) error {
	var rows [][]any
	for _, c := range chains {
		for _, e := range c.entries {
			hashes := map[string]int64{}
			for _, k := range e.step.Repeats {
				hashes[string(k.Sender)+" "+k.MessageID] = k.Hash
			}
			for i := range e.step.Messages {
				m := &e.step.Messages[i]
				body, err := json.Marshal(&m.Body)
				if err != nil {
					return err
				}
				var hash *int64
				if h, ok := hashes[string(m.Sender)+" "+m.Body.MessageID]; ok {
					hash = &h
				}
				e.written = append(e.written, written{message: m, size: len(body)})
				rows = append(rows, []any{c.tenant, c.key, m.Seq, m.ID[:], string(m.Type), string(m.Sender), m.Created.UnixMilli(),
					m.To, hash, m.Explanation, string(body)})
			}
		}
	}
	if err := insertMessages.run(ctx, s.conn(s.writes, t.Tx), rows, discard); err != nil {
		return err
	}
	if err := s.writeTurns(ctx, t, chains); err != nil {
		return fmt.Errorf("write turns: %w", err)
	}
	if err := s.writeInteractions(ctx, t, chains); err != nil {
		return fmt.Errorf("write interactions: %w", err)
	}
	for _, c := range chains {
		for _, e := range c.entries {
			for _, d := range e.step.Deletions {
				if err := changeDeletion(ctx, t, c.tenant, c.key, d); err != nil {
					return fmt.Errorf("change message %d: %w", d.Seq, err)
				}
			}
			if err := s.useAssets(ctx, t, c.tenant, e.step.UsedAssets); err != nil {
				return fmt.Errorf("mark assets used: %w", err)
			}
		}
	}
	return nil
}

// changeDeletion hides, shows or erases an earlier message. Erased content is gone from the row.
func changeDeletion(ctx context.Context, t bun.Tx, tenant, conversation int64, d parley.DeletionChange) error {
	if d.To != parley.Erased {
		_, err := t.NewRaw("UPDATE messages SET deleted = ? WHERE conversation = ? AND seq = ? AND deleted <> ?",
			d.To, conversation, d.Seq, parley.Erased).Exec(ctx)
		return err
	}
	var stored string
	if err := t.NewRaw("SELECT body FROM messages WHERE conversation = ? AND seq = ?", conversation, d.Seq).Scan(ctx, &stored); err != nil {
		return err
	}
	var body parley.Body
	if err := json.Unmarshal([]byte(stored), &body); err != nil {
		return err
	}
	files := filesOf(&body)
	body = withoutContent(body)
	erased, err := json.Marshal(&body)
	if err != nil {
		return err
	}
	if err := releaseAssets(ctx, t, tenant, files); err != nil {
		return err
	}
	// What was found in it quotes it.
	for _, hits := range []string{"tracker_hits", "entity_hits"} {
		if _, err := t.NewRaw("DELETE FROM ? WHERE conversation = ? AND seq = ?", bun.Ident(hits), conversation, d.Seq).Exec(ctx); err != nil {
			return err
		}
	}
	_, err = t.NewRaw("UPDATE messages SET deleted = ?, body = ? WHERE conversation = ? AND seq = ?",
		d.To, string(erased), conversation, d.Seq).Exec(ctx)
	return err
}
