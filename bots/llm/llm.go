package llm

import (
	"context"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"parley"
	"parley/bots"
	"parley/egress"
	"parley/markup"
)

// whom is how failures name the endpoint.
const whom = "the language model"

// Config is what a connector works with. Both are required.
type Config struct {
	Client   *http.Client // goes only where the egress guard permits. Redirects are not followed, whatever it says
	Settings parley.BotSettings
}

// A Bot is one that a language model speaks for. Safe for concurrent use.
type Bot struct {
	config Config
	client *http.Client
}

var _ bots.Connector = (*Bot)(nil)

// New returns the connector of one bot. It is cheap; connections belong to the client.
func New(c Config) *Bot {
	return &Bot{config: c, client: egress.Straight(c.Client)}
}

// Factory makes connectors that share a client.
func Factory(client *http.Client) bots.Factory {
	return func(app *parley.ClientApplication) bots.Connector {
		return New(Config{Client: client, Settings: *app.Bot})
	}
}

// Turn asks the model. partial is told of plain text, the answer is escaped. The tokens are counted in a reply that is a failure, too, if
// the model said so. Failures: FailureBotSettings without a URL or a model's name, or if the endpoint does not know it; FailureModelRefuses
// if it does not take the key; FailureBot if the model says nothing; FailureDeadline when ctx's time is over; FailureModel for everything
// else.
func (b *Bot) Turn(ctx context.Context, t *bots.Turn, partial func(string)) (parley.BotReply, error) {
	if err := b.check(); err != nil {
		return parley.BotReply{}, err
	}
	messages, err := b.messages(ctx, t)
	if err != nil {
		return parley.BotReply{}, err
	}
	params := b.params(messages)
	params.Tools = tools()
	c, err := b.complete(ctx, params, partial)
	reply := parley.BotReply{Usage: c.usage}
	if err != nil {
		return reply, err
	}
	if text := strings.TrimSpace(c.text.String()); text != "" {
		reply.Answers = []parley.BotAnswer{{Type: parley.AnswerText, Text: escape(text)}}
	}
	if !c.act(&reply, t.Contexts) && len(reply.Answers) == 0 {
		return reply, &bots.Failure{Why: parley.FailureBot, Problem: whom + " answered with neither text nor a call of a tool"}
	}
	return reply, nil
}

// escape makes plain text an answer, which may hold HTML.
func escape(text string) string {
	if !strings.ContainsAny(text, "<>&") {
		return text
	}
	return markup.HTML(text)
}

// check says whether the endpoint can be asked at all. The error is a *bots.Failure.
func (b *Bot) check() error {
	if err := bots.CheckOutside(&b.config.Settings); err != nil {
		return err
	}
	switch model := &b.config.Settings.Model; {
	case model.Name == "":
		return &bots.Failure{Why: parley.FailureBotSettings, Problem: "the bot has no model: its name is missing"}
	case !httpguts.ValidHeaderFieldValue(model.Key):
		return &bots.Failure{Why: parley.FailureBotSettings, Problem: "the model's key cannot be sent: it has characters that headers must not have"}
	}
	return nil
}
