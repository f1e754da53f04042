package llm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3"

	"parley"
	"parley/bots"
	"parley/markup"
)

const (
	defaultHistory = 20
	// maxHistory bounds what was said before, in bytes: what a model reads costs money and time.
	maxHistory = 64 << 10
)

// messages is what the model is told: a system message, what was said before, and the question. An error is the hub's own, of reading.
func (b *Bot) messages(ctx context.Context, t *bots.Turn) (all []openai.ChatCompletionMessageParamUnion, err error) {
	model := &b.config.Settings.Model
	if text := system(model.Prompt, t); text != "" {
		all = append(all, openai.SystemMessage(text))
	}
	if limit := cmp.Or(model.History, defaultHistory); limit > 0 {
		before, err := t.History(ctx, limit)
		if err != nil {
			return nil, fmt.Errorf("read what was said before question %d of conversation %s: %w", t.Seq, t.Conversation, err)
		}
		for _, s := range window(before) {
			if s.by == parley.Customer {
				all = append(all, openai.UserMessage(s.text))
			} else {
				all = append(all, openai.AssistantMessage(s.text))
			}
		}
	}
	return append(all, openai.UserMessage(question(t))), nil
}

// system is the one system message; "" = there is nothing to say in it. The hidden context has no place in it.
func system(prompt string, t *bots.Turn) string {
	var parts []string
	for _, p := range []struct{ title, text string }{
		{"", prompt}, {"About the customer and the conversation:\n", t.Background}, {"About the customer's last message:\n", t.Input.Note},
		{"The open context, as JSON:\n", contextOf(t.Contexts.Open)}, {"The visible context, as JSON:\n", contextOf(t.Contexts.Visible)},
	} {
		if text := strings.TrimSpace(p.text); text != "" {
			parts = append(parts, p.title+text)
		}
	}
	return strings.Join(parts, "\n\n")
}

// contextOf is a context as the model reads it; one with nothing in it is left out.
func contextOf(c json.RawMessage) string {
	if text := string(c); text != "{}" && text != "null" {
		return text
	}
	return ""
}

// question is what steers the turn: a code before an intent, that before a userInput, that before the text (reference/broker.md 4.1). What came
// with it and does not steer follows as a note; it stands here and not in the system message, since customers and channels write it. There is
// always something: many endpoints refuse an empty message.
func question(t *bots.Turn) string {
	in := &t.Input
	beside := beside{Intent: in.Intent, UserInput: in.UserInput, Text: strings.TrimSpace(t.Text), Entities: in.Entities}
	var steers string
	switch {
	case in.Code == parley.WelcomeCode:
		steers = "[The customer has just come. Begin the conversation.]"
	case in.Code != "":
		steers = "[The channel sent the code " + in.Code + ".]"
	case in.Intent != "":
		steers, beside.Intent = "[The customer chose "+in.Intent+".]", ""
	case in.UserInput != "":
		steers, beside.UserInput = in.UserInput, ""
	case beside.Text != "":
		steers, beside.Text = t.Text, ""
	default:
		steers = "[The customer sent a message without text.]"
	}
	if beside.Text == steers { // the same, said twice
		beside.Text = ""
	}
	note, err := json.Marshal(beside)
	if err != nil || string(note) == "{}" {
		return steers
	}
	return steers + "\n\n[With it came: " + string(note) + "]"
}

// A beside is what came with what steers.
type beside struct {
	Intent    string          `json:"intent,omitempty"`
	UserInput string          `json:"userInput,omitempty"`
	Text      string          `json:"text,omitempty"`
	Entities  json.RawMessage `json:"entities,omitempty"`
}

// redacted stands for a message that was sent to be redacted.
const redacted = "[redacted]"

// A saying is a message as a model may read it.
type saying struct {
	by   parley.Role
	text string
}

// window is what a model may read of messages, oldest first: what people and bots said, the newest that have room in maxHistory. Deleted
// messages are not there, and of those to be redacted only that they were.
func window(messages []parley.Message) (said []saying) {
	size := 0
	for i := len(messages) - 1; i >= 0; i-- {
		m := &messages[i]
		text := textOf(m)
		if text == "" {
			continue
		}
		if size += len(text); size > maxHistory {
			break
		}
		said = append(said, saying{m.Sender, text})
	}
	slices.Reverse(said)
	return said
}

// textOf is what somebody said with a message; "" = nothing that a model may read.
func textOf(m *parley.Message) string {
	c := m.Body.Content
	if _, rich := m.Type.Rich(); c == nil || m.Deleted != parley.NotDeleted || m.Type != parley.TypeText && !rich {
		return ""
	}
	switch {
	case m.Sender != parley.Customer && !m.Sender.IsBot() && !m.Sender.IsAgent(), !m.Spoken():
		return ""
	case c.Redact:
		return redacted
	}
	return strings.TrimSpace(cmp.Or(c.Text, markup.Text(c.HTML)))
}
