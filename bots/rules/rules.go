// Package rules is the bot that follows a flow: data that says what it understands and what it does then, see package flow.
//
// It needs no outside program and no clock but the one it is given; the same flow, state and input always give the same answer.
// What it knows of a conversation is its state, which the hub keeps, and the contexts.
//
// A turn goes through at most [MaxSteps] steps. One that goes on after that fails as the fault of whoever wrote the flow, and so does
// one of a bot without a flow, or without the welcome that it is asked for.
package rules

import (
	"context"
	"errors"
	"time"

	"parley"
	"parley/bots"
	"parley/flow"
)

// A Source has the flows of bots. Safe for concurrent use.
type Source interface {
	// Version is the number of a bot's flow, as published or as last saved. NotFound if there is none.
	Version(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, draft bool) (int64, error)
	// Source is the flow of that number, which never is another one. NotFound if there is none.
	Source(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, version int64) ([]byte, error)
}

// New makes the connectors of bots from their flows. Compiled flows are kept, a bounded number of them. now is asked what time it is;
// nil = time.Now.
func New(source Source, now func() time.Time) bots.Factory {
	if now == nil {
		now = time.Now
	}
	known := newCache()
	return func(app *parley.ClientApplication) bots.Connector {
		c := &connector{source: source, now: now, known: known}
		if app.Bot != nil {
			c.minimum, c.language = app.Bot.MinimumConfidence, app.Bot.Language
		}
		return c
	}
}

type connector struct {
	source   Source
	now      func() time.Time
	known    *cache
	minimum  float64 // 0 = as the flow says
	language string
}

// Turn implements [bots.Connector].
func (c *connector) Turn(ctx context.Context, t *bots.Turn, _ func(string)) (parley.BotReply, error) {
	version, err := c.source.Version(ctx, t.Tenant, t.Bot, t.Test)
	var f *flow.Flow
	if err == nil {
		f, err = c.known.flow(key{t.Tenant, t.Bot, version}, func() ([]byte, error) {
			text, err := c.source.Source(ctx, t.Tenant, t.Bot, version)
			if err == nil && len(text) == 0 {
				err = &parley.Error{Kind: parley.NotFound, Msg: "the flow is empty"}
			}
			return text, err
		})
	}
	invalid, ok := errors.AsType[*flow.Invalid](err)
	switch {
	case parley.KindOf(err) == parley.NotFound:
		return parley.BotReply{}, misconfigured("the bot has no flow")
	case ok:
		return parley.BotReply{}, &bots.Failure{Why: parley.FailureBotSettings, Problem: "the bot's flow is not valid", Err: invalid}
	case err != nil:
		return parley.BotReply{}, err
	}
	w := c.begin(f, t)
	if err := w.answer(); err != nil {
		if errors.Is(err, flow.ErrTooLong) {
			err = misconfigured("a text of the flow grew too long")
		}
		return parley.BotReply{}, err
	}
	return w.finish()
}

func misconfigured(problem string) error {
	return &bots.Failure{Why: parley.FailureBotSettings, Problem: problem}
}
