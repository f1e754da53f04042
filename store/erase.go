package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/cases"

	"parley"
)

// personPage is how many conversations one PersonIn looks through.
const personPage = 5000

// PersonIn implements [parley.Erasures].
func (t *tx) PersonIn(ctx context.Context, tenant parley.TenantID, address string, after int64) (found []parley.ConversationID, next int64, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, 0, err
	}
	wanted := cases.Fold().String(address)
	same := func(text string) bool { return cases.Fold().String(text) == wanted }
	n := 0
	err = query(ctx, t.db, `SELECT c.key, c.id, c.contact, c.state, COALESCE(s.business_key, ''), COALESCE(u.email, ''), COALESCE(u.phone, ''), COALESCE(u.foreign_id, '')
		FROM (SELECT key, id, contact, state FROM conversations WHERE tenant = ? AND key > ? ORDER BY key LIMIT ?) AS c
		LEFT JOIN bot_sessions AS s ON s.conversation = c.key LEFT JOIN agent_conversations AS a ON a.conversation = c.key
		LEFT JOIN agent_users AS u ON u.key = a.agent_user ORDER BY c.key`, []any{owner, after, personPage}, func(rows *sql.Rows) error {
		var id []byte
		var contact, stored, business, email, phone, foreign string
		if err := rows.Scan(&next, &id, &contact, &stored, &business, &email, &phone, &foreign); err != nil {
			return err
		}
		n++
		is := same(contact) || same(business) || same(email) || same(phone) || same(foreign)
		if !is {
			var state struct {
				Customer parley.CustomerData `json:"customer"`
			}
			if err := json.Unmarshal([]byte(stored), &state); err != nil {
				return err
			}
			is = slices.ContainsFunc(state.Customer.Contacts, func(c parley.Contact) bool { return same(c.Address) })
		}
		if is {
			found = append(found, parley.ConversationID(id))
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("look for a person: %w", err)
	}
	if n < personPage {
		next = 0
	}
	return found, next, nil
}

// ErasePerson implements [parley.Erasures].
func (t *tx) ErasePerson(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) (removed parley.ErasedParts, err error) {
	key, err := t.conversationKey(ctx, tenant, conversation)
	if err != nil {
		return removed, err
	}
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return removed, err
	}
	if err := t.run(ctx, "INSERT INTO forgotten (conversation, at, anonymous) VALUES (?, ?, 1) ON CONFLICT DO NOTHING", key, t.s.now().UnixMilli()); err != nil {
		return removed, fmt.Errorf("mark as anonymous: %w", err)
	}
	var jobs []parley.JobID
	if removed.Messages, jobs, err = t.emptyMessages(ctx, owner, key, counted, ""); err != nil {
		return removed, fmt.Errorf("erase messages: %w", err)
	}
	if removed.Jobs, err = t.eraseJobs(ctx, tenant, jobs); err != nil {
		return removed, fmt.Errorf("erase jobs: %w", err)
	}
	if removed.Insights, err = t.eraseInsight(ctx, owner, key, tenant, conversation); err != nil {
		return removed, fmt.Errorf("erase what is known: %w", err)
	}
	if removed.Turns, err = t.eraseTurns(ctx, key, math.MaxInt64); err != nil {
		return removed, fmt.Errorf("erase turns: %w", err)
	}
	if removed.Customers, err = t.eraseCustomer(ctx, key); err != nil {
		return removed, fmt.Errorf("erase the customer: %w", err)
	}
	if err := t.eraseBeside(ctx, key, &removed); err != nil {
		return removed, fmt.Errorf("erase what is beside the messages: %w", err)
	}
	if _, err := t.forgetEvents(ctx, owner, "conversation = ?", conversation[:]); err != nil {
		return removed, fmt.Errorf("erase events: %w", err)
	}
	n, err := t.eraseProfile(ctx, key, &removed)
	if err != nil {
		return removed, fmt.Errorf("erase profile: %w", err)
	}
	removed.Profiles = n
	if err := t.run(ctx, "DELETE FROM agent_files WHERE conversation = ?", key); err != nil {
		return removed, err
	}
	return removed, t.recount(ctx, key)
}

// eraseBeside erases the words that are kept of a conversation beside its messages: what was refused, what receivers answered, the name that a
// channel has for its customer, and what people thought of it.
func (t *tx) eraseBeside(ctx context.Context, conversation int64, removed *parley.ErasedParts) error {
	for _, part := range []struct {
		n    *int64
		text string
	}{
		{&removed.Refused, "DELETE FROM refused WHERE conversation = ?"},
		{&removed.Attempts, "UPDATE attempts SET answer = '', error = '' WHERE lane IN (SELECT key FROM lanes WHERE conversation = ?) AND (answer <> '' OR error <> '')"},
		{&removed.Sessions, "UPDATE bot_sessions SET business_key = '' WHERE conversation = ? AND business_key <> ''"},
		{&removed.Opinions, "UPDATE ratings SET requester = '' WHERE conversation = ? AND requester <> ''"},
		{&removed.Opinions, "UPDATE surveys SET comments = '' WHERE conversation = ? AND comments <> ''"},
	} {
		n, err := t.affected(ctx, part.text, conversation)
		if err != nil {
			return err
		}
		*part.n += n
	}
	return nil
}

// affected runs a statement and says how many rows it changed.
func (t *tx) affected(ctx context.Context, text string, args ...any) (int64, error) {
	result, err := t.db.NewRaw(text, args...).Exec(ctx)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// eraseJobs empties the requests of jobs.
func (t *tx) eraseJobs(ctx context.Context, tenant parley.TenantID, ids []parley.JobID) (n int64, err error) {
	for _, id := range ids {
		j, err := t.Job(ctx, tenant, id)
		if err != nil {
			return n, err
		}
		before := j.Request
		j.Request = parley.JobRequest{Webhook: j.Request.Webhook, WebhookTry: j.Request.WebhookTry}
		if !j.Status.Over() {
			j.Status, j.Finished, j.Reason = parley.JobFailed, t.s.now(), "the person was erased"
		}
		if err := t.ReplaceJob(ctx, j); err != nil {
			return n, err
		}
		if before.Name != "" || len(before.Metadata)+len(before.Trackers)+len(before.Entities) > 0 {
			n++
		}
	}
	return n, nil
}

// eraseInsight removes what detection knows.
func (t *tx) eraseInsight(ctx context.Context, owner, key int64, tenant parley.TenantID, conversation parley.ConversationID) (int64, error) {
	if err := t.DropHits(ctx, tenant, conversation, math.MaxInt64, nil); err != nil {
		return 0, err
	}
	_, place, err := t.insight(ctx, tenant, "conversation = ?", key)
	if parley.KindOf(err) == parley.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return 1, t.removeInsight(ctx, owner, place)
}

// eraseTurns keeps of turns that are over, up to a question, what figures count.
func (t *tx) eraseTurns(ctx context.Context, conversation, upTo int64) (n int64, err error) {
	type left struct {
		seq    int64
		result string
	}
	var all []left
	err = query(ctx, t.db, "SELECT seq, result, problem FROM turns WHERE conversation = ? AND seq <= ? AND closed IS NOT NULL", []any{conversation, upTo}, func(rows *sql.Rows) error {
		var seq int64
		var stored, problem string
		if err := rows.Scan(&seq, &stored, &problem); err != nil {
			return err
		}
		var result parley.TurnResult
		if err := json.Unmarshal([]byte(stored), &result); err != nil {
			return err
		}
		result.Await, result.Open, result.Visible = nil, nil, nil
		if result.NLP != nil {
			result.NLP.Entities = nil
		}
		text, err := json.Marshal(&result)
		if err == nil && (string(text) != stored || problem != "") {
			all = append(all, left{seq, string(text)})
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, l := range all {
		if err := t.run(ctx, "UPDATE turns SET result = ?, problem = '' WHERE conversation = ? AND seq = ?", l.result, conversation, l.seq); err != nil {
			return 0, err
		}
	}
	return int64(len(all)), nil
}

// eraseCustomer empties what the conversation itself says of its customer, and by what it was found.
func (t *tx) eraseCustomer(ctx context.Context, conversation int64) (int64, error) {
	var before string
	if err := t.db.NewRaw("SELECT state FROM conversations WHERE key = ?", conversation).Scan(ctx, &before); err != nil {
		return 0, err
	}
	if err := t.forgetCustomer(ctx, conversation); err != nil {
		return 0, err
	}
	var stored []byte
	if err := t.db.NewRaw("SELECT state FROM conversations WHERE key = ?", conversation).Scan(ctx, &stored); err != nil {
		return 0, err
	}
	var state parley.ConversationState
	if err := json.Unmarshal(stored, &state); err != nil {
		return 0, err
	}
	if state.Import.ID != "" && !strings.HasPrefix(state.Import.ID, erasedImport) { // it may be the person's own number
		state.Import.ID = erasedImport + strconv.FormatInt(conversation, 10)
	}
	for i := range state.Parties {
		if state.Parties[i].Role == parley.Customer {
			state.Parties[i].Name = ""
		}
	}
	left, err := json.Marshal(&state)
	if err != nil {
		return 0, err
	}
	if err := t.run(ctx, "UPDATE conversations SET state = ?, contact = '', start_key = NULL WHERE key = ?", string(left), conversation); err != nil {
		return 0, err
	}
	if string(left) == before {
		return 0, nil
	}
	return 1, nil
}

// erasedImport begins the ids of imported conversations that were erased.
const erasedImport = "erased-"

// eraseProfile empties what the agent-conversations surface knows of a conversation.
func (t *tx) eraseProfile(ctx context.Context, conversation int64, removed *parley.ErasedParts) (n int64, err error) {
	var profile string
	err = t.db.NewRaw("SELECT COALESCE(MAX(profile), '') FROM agent_conversations WHERE conversation = ?", conversation).Scan(ctx, &profile)
	if err != nil || profile == "" {
		return 0, err
	}
	var a parley.AgentConversation
	if err := json.Unmarshal([]byte(profile), &a); err != nil {
		return 0, err
	}
	left, err := json.Marshal(&parley.AgentConversation{Score: a.Score, State: a.State, PublicID: a.PublicID, Titled: true, Anonymised: true})
	if err != nil {
		return 0, err
	}
	if string(left) != profile {
		n = 1
	}
	if err := t.run(ctx, "UPDATE agent_conversations SET profile = ?, search = '', judge_at = NULL WHERE conversation = ?", string(left), conversation); err != nil {
		return 0, err
	}
	opinions, err := t.eraseFeedbacks(ctx, conversation, math.MaxInt64)
	removed.Opinions += opinions
	return n, err
}

// eraseFeedbacks keeps of what users thought of messages, up to one, whether they helped.
func (t *tx) eraseFeedbacks(ctx context.Context, conversation, upTo int64) (int64, error) {
	type opinion struct {
		seq, user int64
		body      string
	}
	var opinions []opinion
	if err := query(ctx, t.db, "SELECT seq, agent_user, body FROM agent_feedbacks WHERE conversation = ? AND seq <= ?", []any{conversation, upTo}, func(rows *sql.Rows) error {
		var o opinion
		if err := rows.Scan(&o.seq, &o.user, &o.body); err != nil {
			return err
		}
		var f parley.Feedback
		if err := json.Unmarshal([]byte(o.body), &f); err != nil {
			return err
		}
		text, err := json.Marshal(&parley.Feedback{Up: f.Up})
		if err == nil && string(text) != o.body {
			o.body = string(text)
			opinions = append(opinions, o)
		}
		return err
	}); err != nil {
		return 0, err
	}
	for _, o := range opinions {
		if err := t.run(ctx, "UPDATE agent_feedbacks SET body = ? WHERE conversation = ? AND seq = ? AND agent_user = ?", o.body, conversation, o.seq, o.user); err != nil {
			return 0, err
		}
	}
	return int64(len(opinions)), nil
}

// FilesOf implements [parley.Erasures].
func (t *tx) FilesOf(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) (files []parley.AssetID, err error) {
	key, err := t.conversationKey(ctx, tenant, conversation)
	if err != nil {
		return nil, err
	}
	uses := map[parley.AssetID]int64{}
	if err := query(ctx, t.db, "SELECT body FROM messages WHERE conversation = ? AND body LIKE '%\"attachments\"%'", []any{key}, func(rows *sql.Rows) error {
		var stored []byte
		if err := rows.Scan(&stored); err != nil {
			return err
		}
		var body parley.Body
		err := json.Unmarshal(stored, &body)
		for _, id := range filesOf(&body) {
			uses[id]++
		}
		return err
	}); err != nil {
		return nil, fmt.Errorf("read attachments: %w", err)
	}
	if err := query(ctx, t.db, "SELECT asset FROM agent_files WHERE conversation = ?", []any{key}, func(rows *sql.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		if err == nil {
			uses[parley.AssetID(id)] += 0 // it may be announced only
		}
		return err
	}); err != nil {
		return nil, fmt.Errorf("read announced files: %w", err)
	}
	for id, here := range uses {
		a, err := t.Asset(ctx, tenant, id)
		if err != nil && parley.KindOf(err) != parley.NotFound {
			return nil, err
		}
		var used int64
		if err == nil {
			if err := t.db.NewRaw("SELECT used FROM assets WHERE id = ?", id[:]).Scan(ctx, &used); err != nil {
				return nil, err
			}
		}
		if used <= here || a.Sender == parley.Customer {
			files = append(files, id)
		}
	}
	slices.SortFunc(files, func(a, b parley.AssetID) int { return bytes.Compare(a[:], b[:]) })
	return files, nil
}
