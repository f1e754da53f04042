// Package judge gives conversations of agents a title, a summary and a score, once nothing was said in them for a while. A bot with a
// language model has that judge; for the others plain rules do (docs/agents.md).
package judge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/bots/llm"
)

// A Store reads conversations and keeps what is made of them.
type Store interface {
	View(ctx context.Context, fn func(parley.Tx) error) error
	Update(ctx context.Context, fn func(parley.Tx) error) error
}

// A Model judges by a bot's language model.
type Model func(ctx context.Context, app *parley.ClientApplication, messages []parley.Message) (llm.Judgement, error)

// Config is what a judge works with. Store and Model are required.
type Config struct {
	Store  Store
	Model  Model
	Quiet  time.Duration         // a model is asked when nothing was said for so long, since each time costs; zero = 30 s. Rules do not wait
	Logger *slog.Logger          // nil = slog.Default
	Meter  prometheus.Registerer // nil = no metrics
	Clock  func() time.Time      // nil = time.Now
}

const (
	// every is how often is looked for conversations to be judged.
	every = time.Second
	// atOnce bounds how many are judged in one round.
	atOnce = 50
	// lease is how long one that is being judged is left alone: should this node end, another does it then.
	lease = 2 * time.Minute
	// modelTime bounds a judgement of a model.
	modelTime = time.Minute
	// maxMessages are read of a conversation, the last ones.
	maxMessages = 500
	maxTurns    = 500
)

// A Judge judges conversations. Safe for concurrent use; several may work on one store.
type Judge struct {
	config Config
	judged *prometheus.CounterVec
	tokens *prometheus.CounterVec
}

// New returns a judge.
func New(c Config) *Judge {
	if c.Quiet == 0 {
		c.Quiet = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	j := &Judge{config: c, judged: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_judgements_total",
		Help: "Titles, summaries and scores that were made of conversations of agents, by how: rules, model, or fallback: rules because the model failed."}, []string{"by"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_judgement_tokens_total",
			Help: "Tokens that language models counted for judging conversations, by kind: prompt, completion."}, []string{"kind"})}
	if c.Meter != nil {
		c.Meter.MustRegister(j.judged, j.tokens)
	}
	return j
}

// Run judges until ctx ends, whose error it returns.
func (j *Judge) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := j.Round(ctx); err != nil && ctx.Err() == nil {
			j.config.Logger.WarnContext(ctx, "judging conversations", "error", err)
		}
	}
}

func (j *Judge) now() time.Time { return j.config.Clock().UTC().Truncate(time.Millisecond) }

// Round judges what is due now.
func (j *Judge) Round(ctx context.Context) error {
	var due []parley.AgentConversation
	if err := j.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		due, err = tx.JudgeableAgentConversations(ctx, j.now(), atOnce)
		return err
	}); err != nil {
		return err
	}
	var failed error
	for i := range due {
		if err := j.one(ctx, &due[i]); err != nil && parley.KindOf(err) != parley.NotFound { // deleted meanwhile
			failed = errors.Join(failed, fmt.Errorf("judge conversation %s: %w", due[i].Conversation.ID, err))
		}
	}
	return failed
}

// one judges a conversation, or puts that off.
func (j *Judge) one(ctx context.Context, a *parley.AgentConversation) error {
	tenant, agent, id, now := a.Conversation.Tenant, a.Agent, a.Conversation.ID, j.now()
	var app parley.ClientApplication
	var m material
	mine := false
	err := j.config.Store.Update(ctx, func(tx parley.Tx) (err error) {
		mine = false
		was := a.JudgeAt
		if *a, err = tx.AgentConversation(ctx, tenant, agent, id); err != nil {
			return err
		}
		if !a.JudgeAt.Equal(was) { // another node was faster
			return nil
		}
		if app, err = tx.Applications().Find(ctx, tenant, agent); err != nil {
			return err
		}
		next := a.Conversation.Touched.Add(j.config.Quiet)
		if app.Bot == nil || app.Bot.Connector != parley.ConnectorLLM {
			next = now
		}
		switch {
		case len(a.Conversation.State.Bot.Open) > 0: // an answer is on its way
			a.JudgeAt = now.Add(every)
		case next.After(now):
			a.JudgeAt = next
		default:
			a.JudgeAt, mine = now.Add(lease), true
			if m, err = read(ctx, tx, a); err != nil {
				return err
			}
		}
		return tx.PutAgentConversation(ctx, *a)
	})
	if err != nil || !mine {
		return err
	}
	made, by := m.plainly(), "rules"
	if app.Bot != nil && app.Bot.Connector == parley.ConnectorLLM && len(m.messages) > 0 {
		made, by = j.byModel(ctx, &app, &m, made)
	}
	j.judged.WithLabelValues(by).Inc()
	return j.config.Store.Update(ctx, func(tx parley.Tx) error {
		now, err := tx.AgentConversation(ctx, tenant, agent, id)
		if err != nil {
			return err
		}
		if !now.Titled {
			now.Title = made.Title
		}
		now.Summary, now.Score, now.Judged = made.Summary, made.Score, a.Conversation.Seq
		if now.JudgeAt.Equal(a.JudgeAt) { // nobody wants it anew
			now.JudgeAt = time.Time{}
		}
		if now.Conversation.Seq > now.Judged && now.JudgeAt.IsZero() {
			now.JudgeAt = j.now()
		}
		return tx.PutAgentConversation(ctx, now)
	})
}

// byModel has the bot's model judge. When that fails, the rules have done it.
func (j *Judge) byModel(ctx context.Context, app *parley.ClientApplication, m *material, plain Judgement) (Judgement, string) {
	bounded, cancel := context.WithTimeout(ctx, modelTime)
	defer cancel()
	said, err := j.config.Model(bounded, app, m.messages)
	j.tokens.WithLabelValues("prompt").Add(float64(said.Usage.Prompt)) // also of a judgement that is of no use: it costs the same
	j.tokens.WithLabelValues("completion").Add(float64(said.Usage.Completion))
	if err != nil {
		j.config.Logger.InfoContext(ctx, "a model did not judge a conversation", "application", app.ID, "error", err)
		return plain, "fallback"
	}
	return Judgement{Title: said.Title, Summary: said.Summary, Score: new(float64(said.Score))}, "model"
}
