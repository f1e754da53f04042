package webhook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"parley"
	"parley/bots"
	"parley/egress"
	"parley/ident"
	"parley/signing"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 1 << 20

// whom is how failures name the bot.
const whom = "the bot's webhook"

// Config is what a connector works with.
type Config struct {
	Client   *http.Client // goes only where the egress guard permits; required. Redirects are not followed, whatever it says
	Settings parley.BotSettings
	Signing  parley.Signing   // zero = calls are not signed. Who has a secret can call the bot in the hub's name
	Clock    func() time.Time // nil = time.Now
}

// A Bot is one that is asked by its webhook. Safe for concurrent use.
type Bot struct {
	config Config
	client *http.Client
}

var _ bots.Connector = (*Bot)(nil)

// New returns the connector of one bot. It is cheap; connections belong to the client.
func New(c Config) *Bot {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Bot{config: c, client: egress.Straight(c.Client)}
}

// Factory makes connectors that share a client. They sign with the secret of the role in which the hub runs the bot.
func Factory(client *http.Client) bots.Factory {
	return func(app *parley.ClientApplication) bots.Connector {
		c := Config{Client: client, Settings: *app.Bot}
		for _, role := range app.Roles {
			if role.Callback == parley.BotCallback {
				c.Signing = role.Signing
			}
		}
		return New(c)
	}
}

// Turn posts the question and reads what the bot has to say. Failures: FailureBotSettings without a URL, or for an answer of an unknown
// type; FailureDeadline when ctx's time is over; FailureBot for everything else.
func (b *Bot) Turn(ctx context.Context, t *bots.Turn, _ func(string)) (parley.BotReply, error) {
	if err := bots.CheckOutside(&b.config.Settings); err != nil {
		return parley.BotReply{}, err
	}
	body, err := question(t)
	if err != nil {
		return parley.BotReply{}, err
	}
	before, asks := t.Contexts, t.Text != "" && t.Input.Code == "" // the rest of the turn is let go of: the bot may take long
	answer, err := b.post(ctx, questionID(t), body)
	if err != nil {
		return parley.BotReply{}, err
	}
	reply, err := readReply(answer, before)
	reply.Fallback = asks && reply.NLP != nil && reply.NLP.Type == parley.NLPNone // reference/analytics.md 5
	return reply, err
}

// question writes what the bot is asked. It is apart from Turn, whose frame waits with the bot.
func question(t *bots.Turn) ([]byte, error) {
	body, err := json.Marshal(requestOf(t))
	if err != nil {
		return nil, fmt.Errorf("write question %d of conversation %s: %w", t.Seq, t.Conversation, err)
	}
	return body, nil
}

// questionID is the same whenever a turn is asked for. A bot that is tried has no conversation, and each trial is a question of its own.
func questionID(t *bots.Turn) parley.DeliveryID {
	if t.Conversation.IsZero() {
		return ident.New[parley.Delivery]()
	}
	return ident.Question(t.Conversation, t.Bot, t.Seq)
}

// request is the one of a turn.
func (b *Bot) request(ctx context.Context, id parley.DeliveryID, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.config.Settings.URL, bytes.NewReader(body))
	if err != nil {
		return nil, &bots.Failure{Why: parley.FailureBotSettings, Problem: "the bot's URL is none that can be posted to"}
	}
	for _, h := range b.config.Settings.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	now := b.config.Clock()
	if err := signing.Stamp(req.Header, b.config.Signing.Active(now), id.String(), now, body); err != nil {
		return nil, &bots.Failure{Why: parley.FailureBotSettings, Problem: "the question cannot be signed: " + err.Error()}
	}
	req.Header.Set("Accept", cmp.Or(req.Header.Get("Accept"), "application/json"))
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	return req, nil
}

// post makes the request of a turn.
func (b *Bot) post(ctx context.Context, id parley.DeliveryID, body []byte) ([]byte, error) {
	req, err := b.request(ctx, id, body)
	if err != nil {
		return nil, err
	}
	res, err := b.client.Do(req)
	if err != nil {
		return nil, bots.Unreached(ctx, err, parley.FailureBot, whom)
	}
	defer res.Body.Close()
	return readAnswer(ctx, res)
}

// readAnswer reads what the bot answered.
func readAnswer(ctx context.Context, res *http.Response) ([]byte, error) {
	if res.StatusCode/100 != 2 {
		return nil, &bots.Failure{Why: parley.FailureBot, Problem: whom + " answered with status " + strconv.Itoa(res.StatusCode)}
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, bots.Unreached(ctx, err, parley.FailureBot, whom)
	}
	if len(answer) > maxAnswer {
		return nil, &bots.Failure{Why: parley.FailureBot, Problem: fmt.Sprintf("%s answered with more than %d bytes", whom, maxAnswer)}
	}
	return answer, nil
}
