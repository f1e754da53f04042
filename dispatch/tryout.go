package dispatch

import (
	"context"
	"net/http"
	"time"

	"parley"
	"parley/ident"
	"parley/signing"
	"parley/wire"
)

// TestAttribute marks the message of a tryout in its metadata: receivers may tell it from a real one.
const TestAttribute = "parley.test"

// A Tryout is what came of sending something to a receiver outside of any conversation.
type Tryout struct {
	Delivery parley.DeliveryID
	Outcome  Outcome
	Status   int           // 0 = no answer
	Problem  string        // why it does not count; secrets cut out
	Answer   string        // first KiB if it does not count
	Took     time.Duration // token included
	Signed   bool
}

// Try sends a marked test message to a receiver, once, and says what happened. Nothing of it is recorded, and it does not
// count for or against the receiver. NotFound if there is no such role; Forbidden if it has no callback.
func (d *Dispatcher) Try(ctx context.Context, of parley.Receiver) (Tryout, error) {
	to, err := d.targets.of(ctx, of)
	if err != nil {
		return Tryout{}, err
	}
	switch {
	case to.session():
		return Tryout{}, &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "the role takes its messages over a session: there is no callback to try"}
	case to.bot():
		return Tryout{}, &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "the hub itself runs this bot: there is no callback to try; see POST /admin/v1/bots/{id}/test"}
	}
	c := &parley.Conversation{ID: ident.New[parley.Conversation](), Tenant: of.Tenant, Status: parley.Open, Created: d.config.Clock(),
		State: parley.ConversationState{ChannelType: "web_chat", Address: "test"}}
	m := &parley.Message{ID: ident.New[parley.Message](), Conversation: c.ID, Seq: 1, Type: parley.TypeText, Sender: parley.System, Created: c.Created,
		Body: parley.Body{MessageID: "test", Content: &parley.Content{Text: "This is a test from Parley. Nobody waits for an answer."},
			Metadata: []parley.NameValue{{Name: TestAttribute, Value: "true"}}}}
	id := ident.Delivery(m.ID, of.Application, of.Role)
	body := wire.AppendEnvelope(nil, m.Body.Metadata, wire.View{Conversation: c, HTML: true}, m)
	if of.Role == parley.BusinessNotification && d.config.Hooks != nil { // its form has no place for a mark but the text
		if body, err = d.config.Hooks.Body(ctx, of, c, m); err != nil {
			return Tryout{}, err
		}
	}
	res := d.sender.attempt(ctx, *to, request{id: id.String(), body: body}, func() bool { return true })
	if res.ours != nil {
		return Tryout{}, res.ours
	}
	return Tryout{Delivery: id, Outcome: res.outcome, Status: res.status, Problem: res.problem, Answer: res.answer, Took: res.took,
		Signed: len(to.role.Signing.Active(c.Created)) > 0}, nil
}

// A Sent is a request as it goes, or would go, to a receiver.
type Sent struct {
	URL    string
	Header http.Header // secrets masked
	Bodies [][]byte    // one, and before it the pages of a transcript if the message hands a conversation over
}

// masked stands in place of what may be secret in a request that is shown.
const masked = "********"

// Request is the request of a delivery as it would be sent now, without what may be secret: values of the role's own headers,
// Authorization and signature.
func (d *Dispatcher) Request(ctx context.Context, dead *parley.DeadLetter) (Sent, error) {
	to, err := d.targets.of(ctx, dead.Receiver)
	if err != nil {
		return Sent{}, err
	}
	var c parley.Conversation
	if err := d.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		c, err = tx.Conversation(ctx, dead.Receiver.Tenant, dead.Message.Conversation)
		return err
	}); err != nil {
		return Sent{}, err
	}
	slot := -1
	for i, p := range c.State.Parties {
		if p.Application == dead.Receiver.Application && p.Role == dead.Receiver.Role && dead.Message.To&(int64(1)<<i) != 0 {
			slot = i
		}
	}
	if slot < 0 {
		return Sent{}, &parley.Error{Kind: parley.NotFound, Msg: "the receiver is no party of the conversation"}
	}
	bodies, err := d.payloads(ctx, &parley.Lane{Tenant: dead.Receiver.Tenant, Conversation: c.ID, Slot: slot, Receiver: dead.Receiver}, &c, &dead.Message)
	if err != nil {
		return Sent{}, err
	}
	header := http.Header{}
	for _, h := range to.role.Headers {
		header.Set(h.Name, masked)
	}
	if err := signing.Stamp(header, to.role.Signing.Active(d.config.Clock()), dead.Delivery.String(), d.config.Clock(), nil); err != nil {
		return Sent{}, err
	}
	header.Set("Webhook-Timestamp", "now")
	if header.Get("Webhook-Signature") != "" {
		header.Set("Webhook-Signature", masked)
	}
	if to.authentication != nil {
		header.Set("Authorization", masked)
	}
	return Sent{URL: to.role.Callback, Header: header, Bodies: bodies}, nil
}
