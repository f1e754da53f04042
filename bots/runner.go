package bots

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/hub"
)

// Config is what a runner works with. Store, Hub and Connectors are required.
type Config struct {
	Store      Store
	Hub        Hub
	Connectors map[parley.Connector]Factory
	Health     Health                // nil = nobody is told of bots that fail
	Logger     *slog.Logger          // nil = slog.Default
	Meter      prometheus.Registerer // nil = no metrics
	Clock      func() time.Time      // nil = time.Now
}

// A Factory makes the connector of a bot from its application, whose Bot is set.
type Factory func(app *parley.ClientApplication) Connector

// A Store reads bots and conversations.
type Store interface {
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// A Hub takes what bots say; [hub.Hub] does.
type Hub interface {
	Reply(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, r hub.Reply) error
	TurnFailed(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, seq int64, why parley.TurnFailure, problem string) error
	Partial(c *parley.Conversation, seq int64, text string)
	TurnOver(tenant parley.TenantID, id parley.ConversationID, seq int64)
}

// Health keeps since when receivers fail; see [parley.Lanes].
type Health interface {
	Failing(ctx context.Context, receiver int64, since time.Time) (time.Time, error)
	Well(ctx context.Context, receiver int64) (since time.Time, err error)
}

// A Runner asks the bots that the hub runs. Safe for concurrent use.
type Runner struct {
	config  Config
	metrics *metrics
	mu      sync.Mutex
	known   map[botName]cachedBot
	failing map[int64]bool // receivers of which it is noted that they fail
}

type botName struct {
	tenant      parley.TenantID
	application parley.ApplicationID
}

type cachedBot struct {
	*bot
	until time.Time
}

// A bot is one as it is asked.
type bot struct {
	app       parley.ClientApplication
	settings  parley.BotSettings
	connector Connector // nil = the hub does not run it
}

// botTTL is how long a change of a bot may stay unseen on other nodes.
const botTTL = 2 * time.Second

// New returns a runner.
func New(c Config) *Runner {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Runner{config: c, metrics: newMetrics(c.Meter), known: map[botName]cachedBot{}, failing: map[int64]bool{}}
}

// Forget drops what is cached: configuration changed.
func (r *Runner) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.known)
}

// bot is the bot of an application.
func (r *Runner) bot(ctx context.Context, tenant parley.TenantID, id parley.ApplicationID) (*bot, error) {
	name := botName{tenant, id}
	r.mu.Lock()
	c, ok := r.known[name]
	r.mu.Unlock()
	if ok && r.config.Clock().Before(c.until) {
		return c.bot, nil
	}
	b := &bot{}
	err := r.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		b.app, err = tx.Applications().Find(ctx, tenant, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read bot %s: %w", id, err)
	}
	if b.app.Bot != nil {
		b.settings = *b.app.Bot
		if factory := r.config.Connectors[b.settings.Connector]; factory != nil {
			b.connector = factory(&b.app)
		}
	}
	r.mu.Lock()
	r.known[name] = cachedBot{b, r.config.Clock().Add(botTTL)}
	r.mu.Unlock()
	return b, nil
}

// Answer asks the bot of a receiver what it has to say to a message, and commits that: see dispatch.Bots.
func (r *Runner) Answer(ctx context.Context, of parley.Receiver, c *parley.Conversation, m *parley.Message) (problem string, err error) {
	if !slices.ContainsFunc(c.State.Bot.Open, func(o parley.OpenTurn) bool { return o.Seq == m.Seq }) {
		if m.Sender == parley.Customer { // answered before, by a node that may not be there any more
			r.config.Hub.TurnOver(c.Tenant, c.ID, m.Seq)
		}
		return "", nil
	}
	b, err := r.bot(ctx, of.Tenant, of.Application)
	if err != nil {
		return "", err
	}
	began := r.config.Clock()
	growing := &partial{tell: func(text string) { r.config.Hub.Partial(c, m.Seq, text) }}
	reply, failure, err := r.ask(ctx, b, r.turn(&b.app, c, m), b.settings.Deadline(c.State.Bot.Lasting), growing.so)
	growing.end() // before the message itself
	if err != nil {
		return "", err
	}
	r.metrics.asked(b.settings.Connector, failure, r.config.Clock().Sub(began), reply.Usage)
	r.judge(ctx, of, failure)
	if failure != nil {
		return r.failed(ctx, of, c, m, failure)
	}
	return r.said(ctx, of, c, m, &reply)
}

// failed ends a turn that a bot failed, and is why.
func (r *Runner) failed(ctx context.Context, of parley.Receiver, c *parley.Conversation, m *parley.Message, failure *Failure) (problem string, err error) {
	r.config.Logger.InfoContext(ctx, "a bot failed a turn", "application", of.Application, "conversation", c.ID, "seq", m.Seq, "error", failure)
	err = r.config.Hub.TurnFailed(ctx, of.Tenant, c.ID, m.Seq, failure.Why, failure.Problem)
	if errors.Is(err, hub.ErrTurnOver) {
		err = nil
	}
	return failure.Problem, err
}

// said commits what a bot said. It is apart from Answer, as failed is, because the frame of that waits with the bot.
func (r *Runner) said(ctx context.Context, of parley.Receiver, c *parley.Conversation, m *parley.Message, reply *parley.BotReply) (problem string, err error) {
	err = r.config.Hub.Reply(ctx, of.Tenant, c.ID, ReplyOf(m.Seq, reply))
	if errors.Is(err, hub.ErrTurnOver) {
		r.config.Logger.InfoContext(ctx, "a bot answered too late", "application", of.Application, "conversation", c.ID, "seq", m.Seq)
		return "the bot answered after its turn was over: the answer was dropped", nil
	}
	return "", err
}

// ask calls the connector. failure is the bot's; an error is ours, and the turn is to be asked for again.
func (r *Runner) ask(ctx context.Context, b *bot, t *Turn, within time.Duration, partial func(string)) (reply parley.BotReply, failure *Failure, err error) {
	if b.connector == nil {
		return reply, &Failure{Why: parley.FailureBotSettings, Problem: "the bot has no connector"}, nil
	}
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	reply, err = r.guarded(bounded, b.connector, t, partial)
	if err == nil {
		return reply, nil, nil
	}
	if failure, ok := errors.AsType[*Failure](err); ok {
		return reply, failure, nil
	}
	switch {
	case ctx.Err() != nil: // the hub stops, or the lane is somebody else's
		return reply, nil, err
	case bounded.Err() != nil:
		return reply, &Failure{Why: parley.FailureDeadline, Problem: "the bot did not answer in its time", Err: err}, nil
	}
	return reply, &Failure{Why: parley.FailureInternal, Problem: "the hub could not ask the bot", Err: err}, nil
}

// guarded turns a panic of a connector into a failure: a flow nobody thought of must not take the hub along.
func (r *Runner) guarded(ctx context.Context, c Connector, t *Turn, partial func(string)) (reply parley.BotReply, err error) {
	conversation := t.Conversation // t is not held: a connector that waits lets go of it
	defer func() {
		if p := recover(); p != nil {
			r.config.Logger.ErrorContext(ctx, "a connector panicked", "conversation", conversation, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &Failure{Why: parley.FailureInternal, Problem: "the hub could not ask the bot"}
		}
	}()
	return c.Turn(ctx, t, partial)
}

// turn is what a bot is asked.
func (r *Runner) turn(app *parley.ClientApplication, c *parley.Conversation, m *parley.Message) *Turn {
	name := strings.TrimPrefix(c.State.Address, app.ID.String()+"/") // of a bot's own channel: the name it was made with
	at := Client{ChannelID: c.Account.String(), ChannelName: name, ChannelType: c.State.ChannelType, Session: c.ID.String()}
	_ = json.Unmarshal(c.State.ClientInfo, &at.ClientInfo) // other channels keep other things there
	at.Locale = cmp.Or(at.Locale, c.State.Language)
	t := &Turn{Tenant: c.Tenant, Conversation: c.ID, Bot: app.ID, BotName: app.Name, Seq: m.Seq, Contexts: c.State.Bot.Contexts, State: c.State.Bot.Connector,
		Background: c.State.Bot.Background, Test: c.State.Bot.Test, Client: at}
	if content := m.Body.Content; content != nil {
		t.Text = cmp.Or(chosen(content), content.Text)
	}
	if in := m.Body.Turn; in != nil {
		t.Input = *in
		if in.NoText {
			t.Text = ""
		}
	}
	t.History = func(ctx context.Context, limit int) (page []parley.Message, err error) {
		err = r.config.Store.View(ctx, func(tx parley.Tx) (err error) {
			page, err = tx.Messages(ctx, parley.MessageQuery{Tenant: c.Tenant, Conversation: c.ID, Before: m.Seq, Limit: limit, Newest: true})
			return err
		})
		return page, err
	}
	return t
}

// ReplyOf is what a bot said, as the hub takes it.
func ReplyOf(seq int64, b *parley.BotReply) hub.Reply {
	r := hub.Reply{Seq: seq, Contexts: b.Contexts, Connector: b.State, HandOver: b.HandOver, End: b.End,
		Result: parley.TurnResult{NLP: b.NLP, Await: b.Await, Steps: b.Steps, Fallback: b.Fallback}}
	for _, a := range b.Answers {
		r.Messages = append(r.Messages, Message(a))
	}
	return r
}

// judge notes since when a bot fails, for those who look after it. What the model or the settings are to blame for counts, too.
func (r *Runner) judge(ctx context.Context, of parley.Receiver, failure *Failure) {
	if r.config.Health == nil || failure != nil && failure.Why == parley.FailureInternal {
		return
	}
	r.mu.Lock()
	known := r.failing[of.Key]
	r.failing[of.Key] = failure != nil
	r.mu.Unlock()
	if known == (failure != nil) {
		return
	}
	var err error
	if failure != nil {
		_, err = r.config.Health.Failing(ctx, of.Key, r.config.Clock())
	} else {
		_, err = r.config.Health.Well(ctx, of.Key)
	}
	if err != nil && ctx.Err() == nil {
		r.config.Logger.WarnContext(ctx, "noting the health of a bot", "application", of.Application, "error", err)
	}
}

// A Tryout is what a bot said to a sentence that nobody recorded.
type Tryout struct {
	Reply   parley.BotReply
	Failure *Failure // nil = none
	Took    time.Duration
}

// Try asks a bot as a conversation would that begins with a text; "" = its welcome. Nothing is recorded, but the bot may do what it does.
// NotFound, also for bots that the hub does not run.
func (r *Runner) Try(ctx context.Context, tenant parley.TenantID, id parley.ApplicationID, text, locale string, test bool) (out Tryout, err error) {
	b, err := r.bot(ctx, tenant, id)
	if err != nil {
		return out, err
	}
	if b.connector == nil {
		return out, &parley.Error{Kind: parley.NotFound, Msg: "the hub runs no bot of that id"}
	}
	t := &Turn{Tenant: tenant, Bot: id, BotName: b.app.Name, Seq: 1, Text: text, Test: test, Client: Client{ChannelType: "test", ClientInfo: parley.ClientInfo{Locale: cmp.Or(locale, b.settings.Language, "en-US")}},
		History: func(context.Context, int) ([]parley.Message, error) { return nil, nil }}
	if text == "" {
		t.Input.Code = parley.WelcomeCode
	}
	began := r.config.Clock()
	out.Reply, out.Failure, err = r.ask(ctx, b, t, b.settings.Deadline(false), nil)
	out.Took = r.config.Clock().Sub(began)
	return out, err
}

// metrics counts turns of bots that the hub runs. Labels come from closed sets.
type metrics struct {
	turns   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	tokens  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		turns: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_bot_turns_total",
			Help: "Turns that bots run by the hub were asked for, by connector and outcome: answered, or why not."}, []string{"connector", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "parley_bot_turn_seconds",
			Help: "What a bot took to answer.", Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 2.5, 5, 10, 15, 30, 60}}, []string{"connector"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_bot_tokens_total",
			Help: "Tokens that language models counted, by kind: prompt, completion."}, []string{"kind"}),
	}
	if reg != nil {
		reg.MustRegister(m.turns, m.seconds, m.tokens)
	}
	return m
}

func (m *metrics) asked(c parley.Connector, failure *Failure, took time.Duration, u parley.Usage) {
	connector, outcome := cmp.Or(string(c), "none"), "answered"
	if failure != nil {
		outcome = string(failure.Why)
	}
	m.turns.WithLabelValues(connector, outcome).Inc()
	m.seconds.WithLabelValues(connector).Observe(took.Seconds())
	m.tokens.WithLabelValues("prompt").Add(float64(u.Prompt))
	m.tokens.WithLabelValues("completion").Add(float64(u.Completion))
}
