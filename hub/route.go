package hub

import (
	"fmt"
	"runtime/debug"
	"time"

	"parley"
)

// An input is one thing that may change a conversation: somebody said something, or something happened. What route needs
// to know beyond state and plan was looked up before, so that route itself does no I/O.
type input struct {
	kind    inputKind
	draft   parley.Draft         // said; After: ended, too
	speaker parley.Speaker       // said: what the credential allows
	parent  *parley.Message      // said: what draft.Body.Parent refers to; nil = not found
	assets  []parley.Asset       // said: the assets its attachments refer to
	before  *parley.Conversation // begin: the customer's conversation before this one
	notice  notice               // notify
	slot    int                  // failed: the party that a delivery could not be made to
	created time.Time            // failed: when that message came
	sender  parley.Role          // failed: who sent that message; detected: likewise
	found   parley.Detected      // detected
	word    botWord              // replied, turnFailed
	why     string               // ended
	manual  bool                 // moded
	newID   func() parley.MessageID
	repeat  parley.RepeatKey // made by key
	path    string           // said: of the message in a request with several, for errors; "" = the only one
}

type inputKind uint8

const (
	said       inputKind = iota // draft
	reminded                    // a deadline may have come
	failed                      // a delivery was given up
	released                    // an agent program is available
	ended                       // nothing more is to be said
	notified                    // a hub text is due to a party
	detected                    // a tracker hit something that was said
	replied                     // a bot that the hub runs answered
	turnFailed                  // it failed
	settles                     // a bot with a callback may have said all it has to say
	begun                       // somebody else than the customer begins the conversation
	moded                       // it is given to people, or back to the bot
	introduced                  // the bot says something unasked
)

// An effect is typing or presence: told to whoever can be reached now, never stored.
type effect struct {
	id     parley.MessageID
	to     int64 // slots
	draft  *parley.Draft
	typing *parley.Typing
}

// A notice is a hub text that is due to a party.
type notice struct {
	text string // name, as in parley.TextOffHours
	args []string
	slot int
}

// A refusal is an error with a text that goes to the offender's side besides.
type refusal struct {
	err    *parley.Error
	notice notice
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// A routing collects what one request does to a conversation.
type routing struct {
	c       parley.Conversation // as it will be
	plan    *plan
	now     time.Time
	in      *input
	step    parley.Step
	effects []effect
}

// routed is route for inputs of which one may make it panic. What one sender wrote must not end everybody's sessions: it is refused as a fault of
// ours, and the conversation stays as it was.
func (h *Hub) routed(r *routing, in *input) (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.config.Logger.Error("routing panicked", "conversation", r.c.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &parley.Error{Msg: "the message could not be dealt with"}
		}
	}()
	return r.route(in)
}

// route applies one input to the routing's state: every rule of a conversation is in here or below. It is pure: what it
// does depends on its arguments only, and all it does is change r. On an error r is not to be used any more.
func (r *routing) route(in *input) error {
	r.in = in
	if after := in.draft.After; after > 0 && after < r.c.Seq { // if what this node knows is older than that, the commit does not hold, and it is routed again
		return errSaidSince
	}
	var err error
	switch in.kind {
	case said:
		err = r.said()
	case reminded:
		if r.plan.gone {
			r.end(parley.System, parley.Body{Name: systemName}, whyGone)
			break
		}
		r.reminded()
	case failed:
		r.failed()
	case released:
		r.released()
	case ended:
		r.end(parley.System, parley.Body{Name: systemName}, in.why)
	case detected:
		r.detected()
	case replied:
		err = r.replied()
	case turnFailed:
		err = r.failedTurn()
	case settles:
		r.settled(false)
	case begun:
		err = r.begun()
	case moded:
		err = r.moded()
	case introduced:
		err = r.introduced()
	case notified:
		if r.c.Status == parley.Open {
			r.tell(in.notice.text, in.notice.args, in.notice.slot, "a message was refused")
		}
	}
	if err != nil {
		return err
	}
	r.finishTurns()
	r.leave()
	r.setDeadline()
	return nil
}

// systemName is what the hub calls itself (reference section 9.4).
const systemName = "system"

// add appends a message to the conversation.
func (r *routing) add(t parley.MessageType, sender parley.Role, to int64, why string, body parley.Body) {
	r.c.Seq++
	r.c.Touched = r.now
	m := parley.Message{ID: r.in.newID(), Conversation: r.c.ID, Seq: r.c.Seq, Type: t, Sender: sender, Created: r.now, To: to, Explanation: why, Body: body}
	m.To = r.hooked(&m)
	r.step.Messages = append(r.step.Messages, m)
}

// system appends a message of the hub itself.
func (r *routing) system(t parley.MessageType, to int64, why string, content *parley.Content) {
	r.add(t, parley.System, to, why, parley.Body{Name: systemName, Content: content})
}

// state tells the customer what became of the conversation.
func (r *routing) state(status, why string) {
	r.system(parley.TypeConversationState, customerBit, why, &parley.Content{JSON: []byte(`{"status":"` + status + `","content":""}`)})
}

// tell sends a hub text to a party. Towards the customer the channel may forbid it.
func (r *routing) tell(name string, args []string, slot int, why string) {
	if slot == parley.CustomerSlot && !systemMessages(&r.plan.channel) {
		return
	}
	r.system(parley.TypeText, bit(slot), why, &parley.Content{Text: hubText(r.plan, r.c.State.Language, name, args)})
}

// own gives the turn to a party, or to nobody; the epoch grows, so that what the former owner still sends is refused.
func (r *routing) own(o parley.Owner) {
	r.c.Owner = o
	r.c.Epoch++
	r.c.Waiting = time.Time{}
	r.step.StateChanged = true
}

// party is the slot of a party, who joins if need be. Once all slots are taken it is the last one's: an orchestration
// would have to change dozens of times under one conversation.
func (r *routing) party(p parley.Party) int {
	if slot := r.c.State.Slot(p.Application, p.Role, p.Participant); slot >= 0 {
		return slot
	}
	if len(r.c.State.Parties) == parley.MaxParties {
		return parley.MaxParties - 1
	}
	r.c.State.Parties = append(r.c.State.Parties[:len(r.c.State.Parties):len(r.c.State.Parties)], p)
	r.step.StateChanged = true
	return len(r.c.State.Parties) - 1
}

// ownerSlot is the owner's place, -1 if it has none.
func (r *routing) ownerSlot() int {
	o := r.c.Owner
	return r.c.State.Slot(o.Application, o.Role, o.Participant)
}

// ownerBit addresses the owner; while messages are retained it marks them as held.
func (r *routing) ownerBit() int64 {
	if r.c.State.Held {
		return parley.Held
	}
	if slot := r.ownerSlot(); slot >= 0 {
		return bit(slot)
	}
	return 0
}

// others addresses every party but one.
func (r *routing) others(slot int) int64 {
	return (bit(len(r.c.State.Parties)) - 1) &^ bit(slot)
}

func bit(slot int) int64 { return int64(1) << slot }

const customerBit = int64(1) << parley.CustomerSlot

// end closes the conversation and tells every party but the one who ended it.
func (r *routing) end(sender parley.Role, body parley.Body, why string) {
	if r.c.Status == parley.Ended || r.goOn(sender, body, why) {
		return
	}
	slot := -1
	switch {
	case sender == parley.Customer:
		slot = parley.CustomerSlot
	case sender != parley.System:
		slot = r.senderSlot()
	}
	to := bit(len(r.c.State.Parties)) - 1
	if slot >= 0 {
		to = r.others(slot)
	}
	transcript := r.forwardTranscript()
	body.Transcript = transcript
	r.add(parley.TypeConversationEnd, sender, to|transcript, why, body)
	r.own(parley.Owner{Kind: parley.OwnerNone})
	r.c.Status, r.c.Ended, r.c.WakeAt, r.c.State.Held = parley.Ended, r.now, time.Time{}, false
}

// forwardTranscript is the slot of the agent program that gets the transcript of a bot-only conversation, as a bit; 0
// if the orchestration does not want that, the customer cannot be identified, or agents were part of it.
func (r *routing) forwardTranscript() int64 {
	bots := r.plan.orchestration.Bots
	if bots == nil || !bots.ForwardTranscript || r.c.State.Escalated || r.c.Owner.Kind != parley.OwnerBot {
		return 0
	}
	if _, ok := r.c.State.Contact(); !ok {
		return 0
	}
	bot, _ := r.plan.bot(r.c.Owner)
	agent, ok := r.plan.agent(bot.escalate)
	if !ok {
		return 0
	}
	return bit(r.party(agent.party))
}

// heldRetry is how often a conversation that waits for an agent program looks again, should the release have been lost.
const heldRetry = 30 * time.Second

// setDeadline keeps WakeAt at or before the next deadline. It is moved only when it would be late, and the reminder
// that finds itself early moves it on: so most messages leave it alone.
func (r *routing) setDeadline() {
	if r.c.Status == parley.Ended {
		return
	}
	next := r.nextDeadline()
	if r.c.WakeAt.IsZero() || next.Before(r.c.WakeAt) || r.in.kind == reminded {
		if !next.Equal(r.c.WakeAt) {
			r.c.WakeAt = next
			r.step.StateChanged = true
		}
	}
}

// keptByPeople says whether a conversation stays open however long nothing is said: an agent has it, and the customer is somewhere where
// nobody can be told that it ended (reference/broker.md 13).
func (r *routing) keptByPeople() bool {
	return r.c.State.Bot.Asked && r.c.Owner.Kind == parley.OwnerAgent
}

// nextDeadline is when something has to happen if nobody says anything.
func (r *routing) nextDeadline() time.Time {
	next := r.c.Touched.Add(r.plan.idle())
	if r.keptByPeople() {
		next = r.now.Add(r.plan.idle())
	}
	if r.c.Owner.Kind == parley.OwnerBot && !r.c.Waiting.IsZero() {
		bot, _ := r.plan.bot(r.c.Owner)
		if turn := bot.answerBy(&r.c); turn.Before(next) {
			next = turn
		}
	}
	if open := r.c.State.Bot.Open; len(open) > 0 && !open[0].Settles.IsZero() && open[0].Settles.Before(next) {
		next = open[0].Settles
	}
	if r.c.State.Held {
		if again := r.now.Add(heldRetry); again.Before(next) {
			next = again
		}
	}
	return next.UTC().Truncate(time.Millisecond)
}
