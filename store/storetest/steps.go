package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley"
	"parley/ident"
)

// Parties that the conversations made here have: the customer without a program, and a bot with a callback.
var (
	BotApplication = ident.New[parley.ClientApplication]()
	BotParticipant = ident.New[parley.Participant]()
	AccountID      = ident.New[parley.Account]()
)

// Start is the step that begins a conversation with one customer message to the bot. An empty messageID has no StartKey.
func Start(messageID string) *parley.Step {
	now := time.Now().UTC().Truncate(time.Millisecond)
	c := &parley.Conversation{ID: ident.New[parley.Conversation](), Tenant: parley.DefaultTenant, Account: AccountID,
		Epoch: 1, Touched: now, Status: parley.Open, Created: now,
		Owner: parley.Owner{Kind: parley.OwnerBot, Application: BotApplication, Role: parley.CustomBot, Participant: BotParticipant},
		State: parley.ConversationState{ChannelType: "web_chat", Address: "shop",
			Customer: parley.CustomerData{Contacts: []parley.Contact{{Type: "email", Address: "anna@example.org"}}},
			Parties: []parley.Party{{Role: parley.Customer},
				{Application: BotApplication, Role: parley.CustomBot, Participant: BotParticipant, Callback: true}}}}
	step := Say(c, parley.Customer, messageID, 0b10)
	step.New = true
	if messageID != "" {
		step.StartKey = ident.StartKey(AccountID, "anna@example.org", messageID)
	}
	return step
}

// Say is the step that adds one message to the state c, addressed to the given slots.
func Say(c *parley.Conversation, sender parley.Role, messageID string, to int64) *parley.Step {
	next := *c
	next.Seq++
	m := parley.Message{ID: ident.New[parley.Message](), Conversation: c.ID, Seq: next.Seq, Type: parley.TypeText, Sender: sender,
		Created: c.Created, To: to, Explanation: "test",
		Body: parley.Body{MessageID: messageID, Content: &parley.Content{Text: fmt.Sprintf("message %d", next.Seq)}}}
	step := &parley.Step{Conversation: &next, BaseEpoch: c.Epoch, BaseSeq: c.Seq, Messages: []parley.Message{m}}
	if messageID != "" {
		step.Repeats = []parley.RepeatKey{{Hash: ident.RepeatHash(c.ID, sender, messageID), Sender: sender, MessageID: messageID}}
	}
	return step
}

// Delete is the step that deletes earlier messages of the state c, or brings them back, without saying so.
func Delete(c *parley.Conversation, changes ...parley.DeletionChange) *parley.Step {
	next := *c
	next.Epoch++
	return &parley.Step{Conversation: &next, BaseEpoch: c.Epoch, BaseSeq: c.Seq, StateChanged: true, Deletions: changes}
}

// Commit submits steps together and waits for all of their answers.
func Commit(t testing.TB, s parley.Store, steps ...*parley.Step) ([]parley.Committed, []error) {
	t.Helper()
	type answer struct {
		i int
		c parley.Committed
		e error
	}
	answers := make(chan answer, len(steps))
	for i, step := range steps {
		if err := s.Submit(step, func(c parley.Committed, err error) { answers <- answer{i, c, err} }); err != nil {
			t.Fatalf("Submit = %v", err)
		}
	}
	committed, errs := make([]parley.Committed, len(steps)), make([]error, len(steps))
	for range steps {
		a := <-answers
		committed[a.i], errs[a.i] = a.c, a.e
	}
	return committed, errs
}

// MustCommit is Commit where every step must become true.
func MustCommit(t testing.TB, s parley.Store, steps ...*parley.Step) []parley.Committed {
	t.Helper()
	committed, errs := Commit(t, s, steps...)
	for i, err := range errs {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	return committed
}

// Messages reads all messages of a conversation.
func Messages(t testing.TB, s parley.Store, id parley.ConversationID) []parley.Message {
	t.Helper()
	var all []parley.Message
	err := s.View(context.WithoutCancel(t.Context()), func(tx parley.Tx) (err error) {
		all, err = tx.Messages(t.Context(), parley.MessageQuery{Tenant: parley.DefaultTenant, Conversation: id, Limit: 1 << 20})
		return err
	})
	if err != nil {
		t.Fatalf("read messages of %s: %v", id, err)
	}
	return all
}

// Check looks at everything that must hold of a stored conversation: Seq without holes from 1 to the conversation's,
// no message twice, nobody's messageId twice, one owner kind that fits the status.
func Check(t testing.TB, s parley.Store, tenant parley.TenantID, id parley.ConversationID) {
	t.Helper()
	var c parley.Conversation
	var all []parley.Message
	err := s.View(t.Context(), func(tx parley.Tx) (err error) {
		if c, err = tx.Conversation(t.Context(), tenant, id); err != nil {
			return err
		}
		all, err = tx.Messages(t.Context(), parley.MessageQuery{Tenant: tenant, Conversation: id, Limit: 1 << 20})
		return err
	})
	if err != nil {
		t.Fatalf("check conversation %s: %v", id, err)
	}
	for _, wrong := range Faults(c, all) {
		t.Errorf("conversation %s: %s", id, wrong)
	}
}

// Faults lists what is wrong with a conversation and its messages; see [Check].
func Faults(c parley.Conversation, all []parley.Message) []string {
	var wrong []string
	if int64(len(all)) != c.Seq {
		wrong = append(wrong, fmt.Sprintf("%d messages, but seq is %d", len(all), c.Seq))
	}
	ids := map[parley.MessageID]bool{}
	said := map[string]bool{}
	for i, m := range all {
		if m.Seq != int64(i)+1 {
			wrong = append(wrong, fmt.Sprintf("message %d has seq %d", i+1, m.Seq))
		}
		if ids[m.ID] {
			wrong = append(wrong, fmt.Sprintf("message id %s twice", m.ID))
		}
		ids[m.ID] = true
		if key := string(m.Sender) + "/" + m.Body.MessageID; m.Body.MessageID != "" {
			if said[key] {
				wrong = append(wrong, fmt.Sprintf("%s twice", key))
			}
			said[key] = true
		}
		if (m.To&^parley.Held)>>len(c.State.Parties) != 0 {
			wrong = append(wrong, fmt.Sprintf("message %d is addressed to a slot nobody has", m.Seq))
		}
	}
	open := []parley.OwnerKind{parley.OwnerBot, parley.OwnerQueue, parley.OwnerAgent}
	if c.Status == parley.Open && !slices.Contains(open, c.Owner.Kind) {
		wrong = append(wrong, fmt.Sprintf("open, but owned by %q", c.Owner.Kind))
	}
	if c.Status == parley.Ended && (c.Owner.Kind != parley.OwnerNone || c.Ended.IsZero()) {
		wrong = append(wrong, fmt.Sprintf("ended at %v, but owned by %q", c.Ended, c.Owner.Kind))
	}
	return wrong
}
