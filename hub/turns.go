package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"parley"
)

// maxOpenTurns bounds the questions of one conversation that wait for a bot.
const maxOpenTurns = 64

// A Reply is what a bot that the hub runs answers to one question.
type Reply struct {
	Seq       int64          // of the question
	Messages  []parley.Draft // type and body of each; the rest is filled in
	Result    parley.TurnResult
	Contexts  *parley.Contexts // in place of those of the conversation; nil = as they are
	Connector json.RawMessage  // the connector's own; nil = as it is
	HandOver  bool
	End       bool
}

// A botWord is what became of a turn, said by whoever asked the bot.
type botWord struct {
	reply   Reply
	failure parley.TurnFailure // of a turn that failed; then only reply.Seq counts
	problem string
}

// ErrTurnOver is what a bot hears that answers too late: its turn is over, or somebody else has it.
var ErrTurnOver = &parley.Error{Kind: parley.Closed, Msg: "the turn is over, or no longer the bot's: the answer comes too late"}

// Reply commits what a bot that the hub runs answers, and closes its turn. ErrTurnOver if that is over.
func (h *Hub) Reply(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, r Reply) error {
	return h.word(ctx, tenant, id, &input{kind: replied, word: botWord{reply: r}})
}

// TurnFailed says that a bot that the hub runs failed a turn: another bot of the orchestration takes over, or whoever waits for the
// answer hears of it, or the agents go on (guarantee G7). ErrTurnOver if the turn is over.
func (h *Hub) TurnFailed(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, seq int64, why parley.TurnFailure, problem string) error {
	return h.word(ctx, tenant, id, &input{kind: turnFailed, word: botWord{reply: Reply{Seq: seq}, failure: why, problem: problem}})
}

// word is what whoever asked a bot has to say.
func (h *Hub) word(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, in *input) error {
	err := h.wait(ctx, tenant, id, in)
	if errors.Is(err, ErrTurnOver) { // whoever closed it may have died before it said so
		h.TurnOver(tenant, id, in.word.reply.Seq)
	}
	return err
}

// keepsTurns says whether what the customer says now is a turn.
func (r *routing) keepsTurns() bool {
	bot, _ := r.plan.bot(r.c.Owner)
	return bot.turns || r.c.State.Bot.Asked
}

// ask notes what a customer's message says to bots besides; before it is passed on.
func (r *routing) ask() error {
	d := &r.in.draft
	if d.Sender != parley.Customer {
		return nil
	}
	bot := r.c.State.Bot
	bot.Asked = bot.Asked || d.Asks
	if d.Background != nil {
		bot.Background = *d.Background
	}
	if r.step.New {
		bot.Test = d.Test
	}
	if d.Asks && d.ClientInfo != nil {
		r.c.State.ClientInfo, r.step.StateChanged = d.ClientInfo, true
	}
	if t := d.Body.Turn; t != nil && parley.TooDeep(t.Entities) {
		return badContent("entities", parley.DepthProblem)
	}
	if t := d.Body.Turn; t != nil && t.Context != nil {
		merged, err := mergeContext(bot.Contexts.Open, t.Context)
		if err != nil {
			return err
		}
		bot.Contexts.Open = merged
		r.step.StateChanged = true
		if r.step.New && r.c.State.Campaign == (parley.Campaign{}) {
			r.c.State.Campaign = parley.CampaignIn(merged)
		}
	}
	if len(bot.Open) >= maxOpenTurns {
		return errTooMany
	}
	if bot.Asked != r.c.State.Bot.Asked || bot.Background != r.c.State.Bot.Background || bot.Test != r.c.State.Bot.Test {
		r.step.StateChanged = true
	}
	r.c.State.Bot = bot
	return nil
}

// mergeContext puts members over those of an open context; null removes one.
func mergeContext(base, over json.RawMessage) (json.RawMessage, error) {
	if parley.TooDeep(over) {
		return nil, badContent("context", parley.DepthProblem)
	}
	members, more := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if len(base) > 0 {
		if err := json.Unmarshal(base, &members); err != nil {
			return nil, fmt.Errorf("read context: %w", err)
		}
	}
	if err := json.Unmarshal(over, &more); err != nil {
		return nil, badContent("context", "must be an object")
	}
	for name, value := range more {
		if string(value) == "null" {
			delete(members, name)
			continue
		}
		members[name] = value
	}
	merged, err := json.Marshal(members)
	if err == nil && len(merged) > parley.MaxContext {
		return nil, badContent("context", fmt.Sprintf("may have %d bytes in all", parley.MaxContext))
	}
	return merged, err
}

// question is the turn that a customer's message begins.
func (r *routing) question(m *parley.Message) parley.OpenTurn {
	o := parley.OpenTurn{Seq: m.Seq, Question: m.ID, Opened: r.now}
	if t := r.in.draft.Body.Turn; t != nil {
		o.Request = t.Request
	}
	return o
}

// opened opens a turn for a customer's message that was just added.
func (r *routing) opened() {
	o := r.question(&r.step.Messages[len(r.step.Messages)-1])
	r.c.State.Bot.Open = append(slices.Clip(slices.Clone(r.c.State.Bot.Open)), o)
	r.step.StateChanged = true
	r.step.Turns = append(r.step.Turns, turnOf(o, parley.TurnOpen, r.now))
}

func turnOf(o parley.OpenTurn, status parley.TurnStatus, closed time.Time) parley.Turn {
	t := parley.Turn{Seq: o.Seq, Question: o.Question, Request: o.Request, Status: status, First: o.First, Last: o.Last, Opened: o.Opened}
	if status != parley.TurnOpen {
		t.Closed = closed
	}
	return t
}

// close closes an open turn. What it results in has the contexts as they are now.
func (r *routing) close(i int, status parley.TurnStatus, change func(*parley.Turn)) {
	open := r.c.State.Bot.Open
	t := turnOf(open[i], status, r.now)
	if change != nil {
		change(&t)
	}
	t.Result.Open, t.Result.Visible = r.c.State.Bot.Contexts.Open, r.c.State.Bot.Contexts.Visible
	if status == parley.TurnAnswered || status == parley.TurnHuman {
		r.c.State.Bot.Active = t.Opened
	}
	r.step.Turns = append(r.step.Turns, t)
	r.c.State.Bot.Open = slices.Delete(slices.Clone(open), i, i+1)
	r.step.StateChanged = true
	if r.c.Owner.Kind != parley.OwnerBot {
		return
	}
	r.c.Waiting = time.Time{}
	if len(r.c.State.Bot.Open) > 0 { // the next one is the bot's to answer from now on
		r.c.Waiting = r.now
	}
}

// open is the place of the turn of a question, -1 if it is not open, or not the bot's that has the turn.
func (r *routing) open(seq int64) int {
	if r.c.Status != parley.Open || r.c.Owner.Kind != parley.OwnerBot {
		return -1
	}
	return slices.IndexFunc(r.c.State.Bot.Open, func(o parley.OpenTurn) bool { return o.Seq == seq })
}

// replied adds the answers of a bot that the hub runs, and closes the turn.
func (r *routing) replied() error {
	w := &r.in.word.reply
	i := r.open(w.Seq)
	if i < 0 {
		return ErrTurnOver
	}
	if w.Contexts != nil {
		r.c.State.Bot.Contexts = *w.Contexts
	}
	if w.Connector != nil {
		r.c.State.Bot.Connector = w.Connector
	}
	owner, before := r.c.Owner, r.c.Seq
	for _, d := range w.Messages {
		body := r.answer(d.Body)
		body.Application, body.Participant, body.Name, body.Question = owner.Application, owner.Participant, owner.Name, w.Seq
		r.add(d.Type, owner.Role, customerBit, "to the customer", body)
	}
	handOver := w.HandOver && len(r.plan.agents) > 0
	r.close(i, parley.TurnAnswered, func(t *parley.Turn) {
		t.Result = w.Result.Redacted(r.plan.redact, r.c.State.Language)
		t.Result.HandOver = handOver
		if r.c.Seq > before {
			t.First, t.Last = before+1, r.c.Seq
		}
	})
	switch {
	case handOver: // whoever asks for people does not send the customer away
		r.toAgents(nil, parley.System, "the bot handed over")
	case w.End:
		r.end(owner.Role, parley.Body{Name: owner.Name, Application: owner.Application, Participant: owner.Participant}, "ended by the bot")
	}
	return nil
}

// failedTurn goes on after a bot failed a turn.
func (r *routing) failedTurn() error {
	w := &r.in.word
	i := r.open(w.reply.Seq)
	if i < 0 {
		return ErrTurnOver
	}
	r.giveUpTurn(i, w.failure, w.problem)
	return nil
}

// giveUpBot finds somebody else for what the bot that owns the conversation was to answer: its first turn, if it answers in turns.
func (r *routing) giveUpBot(why parley.TurnFailure, problem string) {
	if len(r.c.State.Bot.Open) > 0 {
		r.giveUpTurn(0, why, problem)
	} else {
		r.botFailed(problem)
	}
}

// giveUpTurn finds somebody else for a turn that the bot failed. Whoever asked and waits is told instead, if there is no other bot: the
// conversation stays with this one, so that the next question reaches it.
func (r *routing) giveUpTurn(i int, why parley.TurnFailure, problem string) {
	fail := func() {
		r.close(i, parley.TurnFailed, func(t *parley.Turn) { t.Failure, t.Problem = why, problem })
	}
	switch {
	case r.hasNextBot():
		r.botFailed(problem)
	case r.c.State.Bot.Asked:
		fail()
	default:
		fail()
		r.botFailed(problem)
	}
}

// hasNextBot says whether the orchestration has another bot to try.
func (r *routing) hasNextBot() bool {
	return slices.ContainsFunc(r.plan.bots, func(b plannedBot) bool {
		return b.active && b.party.Participant != r.c.Owner.Participant && !slices.Contains(r.c.State.TriedBots, b.party.Participant)
	})
}

// answered notes that a bot with a callback said something: that belongs to the first open turn, which is over when nothing follows
// for a while, or the bot says that it types no more.
func (r *routing) answered() {
	open := r.c.State.Bot.Open
	if len(open) == 0 || !r.in.draft.Sender.IsBot() {
		return
	}
	bot, _ := r.plan.bot(r.c.Owner)
	first := open[0]
	if first.Last = r.c.Seq; first.First == 0 {
		first.First = r.c.Seq
	}
	first.Settles = r.now.Add(bot.settle)
	r.c.State.Bot.Open = append([]parley.OpenTurn{first}, open[1:]...)
	r.step.StateChanged = true
}

// settled closes the first turn if its bot has said nothing more for long enough; now = also if it has not.
func (r *routing) settled(now bool) {
	open := r.c.State.Bot.Open
	if len(open) == 0 || open[0].First == 0 || !now && (open[0].Settles.IsZero() || r.now.Before(open[0].Settles)) {
		return
	}
	r.close(0, parley.TurnAnswered, nil)
}

// finishTurns sees to it, after anything was routed, that no turn is left to a bot that has nothing to say any more, and that every
// question that somebody waits for has a turn.
func (r *routing) finishTurns() {
	if r.c.Owner.Kind != parley.OwnerBot {
		for len(r.c.State.Bot.Open) > 0 {
			status := parley.TurnHuman
			switch {
			case r.c.State.Bot.Open[0].First > 0:
				status = parley.TurnAnswered
			case r.c.Status == parley.Ended:
				status = parley.TurnDropped
			}
			r.close(0, status, func(t *parley.Turn) { t.Result.HandOver = status != parley.TurnDropped && r.c.Status == parley.Open })
		}
	}
	if r.in.kind != said || !r.in.draft.Asks || r.in.draft.Sender != parley.Customer {
		return
	}
	at := slices.IndexFunc(r.step.Messages, func(m parley.Message) bool {
		return m.Sender == parley.Customer && m.Seq > 0 && m.Body.MessageID == r.in.draft.Body.MessageID
	})
	if at < 0 || slices.ContainsFunc(r.step.Turns, func(t parley.Turn) bool { return t.Seq == r.step.Messages[at].Seq }) {
		return
	}
	t := turnOf(r.question(&r.step.Messages[at]), parley.TurnHuman, r.now)
	t.Result.Open, t.Result.Visible = r.c.State.Bot.Contexts.Open, r.c.State.Bot.Contexts.Visible
	r.step.Turns = append(r.step.Turns, t)
	r.c.State.Bot.Active, r.step.StateChanged = r.now, true
}
