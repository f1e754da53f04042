package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley"
	"parley/bots/llm"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

func says(sender parley.Role, text string) parley.Message {
	return parley.Message{Sender: sender, Type: parley.TypeText, Body: parley.Body{Content: &parley.Content{Text: text}}}
}

func turns(statuses ...parley.TurnStatus) (all []parley.Turn) {
	for _, s := range statuses {
		all = append(all, parley.Turn{Status: s})
	}
	return all
}

// The rules are those of docs/agents.md.
func TestRules(t *testing.T) {
	ask, reply := says(parley.Customer, "Do you install  in Leeds? Please tell."), says(parley.CustomBot, "Yes.")
	masked, erased := says(parley.Customer, "4111"), says(parley.Customer, "gone")
	masked.Body.Content.Redact, erased.Deleted = true, parley.Erased
	welcome := says(parley.Customer, parley.WelcomeCode)
	welcome.Body.Turn = &parley.TurnInput{Code: parley.WelcomeCode, NoText: true}
	press := says(parley.Customer, "Do you install in Leeds?")
	press.Body.Turn = &parley.TurnInput{Intent: "coverage"}
	long := strings.Repeat("word ", 100)
	up, down := parley.Feedback{Up: true}, parley.Feedback{}
	for name, test := range map[string]struct {
		m              material
		title, summary string
		score          float64 // -1 = none
	}{
		"nothing said":         {material{}, "", "", -1},
		"nothing to read":      {material{messages: []parley.Message{masked, erased, {Sender: parley.System, Type: parley.TypeConversationEnd}}}, "", "", -1},
		"a question":           {material{messages: []parley.Message{ask}}, "Do you install in Leeds?", "Do you install in Leeds? Please tell.", 0},
		"an answer":            {material{messages: []parley.Message{masked, ask, reply}, turns: turns(parley.TurnAnswered)}, "Do you install in Leeds?", "Do you install in Leeds? Please tell. — Yes.", 7},
		"opened by a code":     {material{messages: []parley.Message{welcome, reply, ask, reply}, turns: turns(parley.TurnAnswered, parley.TurnAnswered)}, "Do you install in Leeds?", "Do you install in Leeds? Please tell. — Yes.", 7},
		"a code, no more":      {material{messages: []parley.Message{welcome, reply}, turns: turns(parley.TurnAnswered)}, "", "Yes.", 7},
		"a text beside intent": {material{messages: []parley.Message{press}}, "Do you install in Leeds?", "Do you install in Leeds?", 0},
		"an introduction":      {material{messages: []parley.Message{reply}}, "", "Yes.", 0},
		"half failed":          {material{messages: []parley.Message{ask, reply}, turns: turns(parley.TurnAnswered, parley.TurnFailed, parley.TurnOpen)}, "Do you install in Leeds?", "Do you install in Leeds? Please tell. — Yes.", 5},
		"all failed, a vote":   {material{messages: []parley.Message{ask}, turns: turns(parley.TurnFailed), votes: []parley.Feedback{down}}, "Do you install in Leeds?", "Do you install in Leeds? Please tell.", 1},
		"people":               {material{messages: []parley.Message{ask, says(parley.CustomAgent, "Me.")}, turns: turns(parley.TurnHuman)}, "Do you install in Leeds?", "Do you install in Leeds? Please tell. — Me.", 6},
		"two votes up":         {material{messages: []parley.Message{ask, reply}, turns: turns(parley.TurnAnswered), votes: []parley.Feedback{up, up}}, "Do you install in Leeds?", "Do you install in Leeds? Please tell. — Yes.", 10},
		"long":                 {material{messages: []parley.Message{says(parley.Customer, long)}}, strings.Repeat("word ", 11) + "word…", strings.Repeat("word ", 39) + "word…", 0},
		"a full stop":          {material{messages: []parley.Message{says(parley.Customer, "My order 3.5 is late. Why")}}, "My order 3.5 is late", "My order 3.5 is late. Why", 0},
		"another alphabet":     {material{messages: []parley.Message{says(parley.Customer, "注文はどこですか？ 急いで")}}, "注文はどこですか？", "注文はどこですか？ 急いで", 0},
		"rich text, no plain":  {material{messages: []parley.Message{{Sender: parley.Customer, Type: parley.TypeText, Body: parley.Body{Content: &parley.Content{HTML: "<b>Hi</b>"}}}}}, "Hi", "Hi", 0},
	} {
		got := test.m.plainly()
		score := -1.0
		if got.Score != nil {
			score = *got.Score
		}
		if got.Title != test.title || got.Summary != test.summary || score != test.score {
			t.Errorf("%s: %q, %q, %v; want %q, %q, %v", name, got.Title, got.Summary, score, test.title, test.summary, test.score)
		}
	}
}

// A desk is a judge on a real store, with one conversation of a bot.
type desk struct {
	t     *testing.T
	store *store.Store
	judge *Judge
	meter *prometheus.Registry
	now   time.Time
	a     parley.AgentConversation
}

func newDesk(t *testing.T, connector parley.Connector, model http.HandlerFunc) *desk {
	t.Helper()
	server := httptest.NewServer(model)
	t.Cleanup(server.Close)
	d := &desk{t: t, store: storetest.Open(t), meter: prometheus.NewRegistry(), now: time.Now().UTC().Truncate(time.Millisecond)}
	d.judge = New(Config{Store: d.store, Logger: slog.New(slog.DiscardHandler), Meter: d.meter, Clock: func() time.Time { return d.now },
		Model: func(ctx context.Context, app *parley.ClientApplication, messages []parley.Message) (llm.Judgement, error) {
			return llm.Judge(ctx, llm.Config{Client: http.DefaultClient, Settings: *app.Bot}, messages)
		}})
	app := parley.ClientApplication{ID: ident.New[parley.ClientApplication](), Base: parley.Base{Tenant: parley.DefaultTenant, Name: "Rex", Active: true},
		Bot: &parley.BotSettings{Connector: connector, URL: server.URL, Model: parley.ModelSettings{Name: "m", Key: "planted"}}}
	step := storetest.Start("")
	step.Conversation.Touched = d.now
	storetest.MustCommit(t, d.store, step)
	u := parley.AgentUser{ID: ident.New[parley.AgentUser](), Tenant: parley.DefaultTenant, Agent: app.ID, FirstName: "Ines"}
	d.a = parley.AgentConversation{Conversation: *step.Conversation, Agent: app.ID, User: u, Status: parley.AgentActive, Channel: "api", JudgeAt: d.now, Created: d.now, Changed: d.now}
	d.update(func(tx parley.Tx) error {
		if err := tx.Applications().Insert(t.Context(), &app, nil); err != nil {
			return err
		}
		if err := tx.PutAgentUser(t.Context(), u); err != nil {
			return err
		}
		return tx.PutAgentConversation(t.Context(), d.a)
	})
	return d
}

// spent wants so many judgements to have been counted in tokens, all of them alike.
func (d *desk) spent(judgements int) {
	d.t.Helper()
	want := fmt.Sprintf("# HELP parley_judgement_tokens_total Tokens that language models counted for judging conversations, by kind: prompt, completion.\n# TYPE parley_judgement_tokens_total counter\n"+
		"parley_judgement_tokens_total{kind=\"completion\"} %d\nparley_judgement_tokens_total{kind=\"prompt\"} %d\n", 4*judgements, 9*judgements)
	if err := testutil.GatherAndCompare(d.meter, strings.NewReader(want), "parley_judgement_tokens_total"); err != nil {
		d.t.Error(err)
	}
}

func (d *desk) update(fn func(parley.Tx) error) {
	d.t.Helper()
	if err := d.store.Update(d.t.Context(), fn); err != nil {
		d.t.Fatal(err)
	}
}

// round judges what is due, and returns the conversation then.
func (d *desk) round() (a parley.AgentConversation) {
	d.t.Helper()
	if err := d.judge.Round(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.update(func(tx parley.Tx) (err error) {
		a, err = tx.AgentConversation(d.t.Context(), parley.DefaultTenant, d.a.Agent, d.a.Conversation.ID)
		return err
	})
	return a
}

// answering is a model that says one thing.
func answering(status int, content string, asked *int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*asked++
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(status)
		text, _ := json.Marshal(content)
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%s},\"finish_reason\":\"stop\"}]}\n\n", text)
		fmt.Fprint(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n")
	}
}

// A model judges once nothing was said for a while, and once.
func TestModelJudges(t *testing.T) {
	asked := 0
	d := newDesk(t, parley.ConnectorLLM, answering(200, `{"title":"Heat pump","summary":"Asked.","score":8}`, &asked))
	if a := d.round(); a.Title != "" || asked != 0 || !a.JudgeAt.After(d.now) {
		t.Errorf("at once: %+v, the model was asked %d times", a, asked)
	}
	d.now = d.now.Add(31 * time.Second)
	a := d.round()
	if a.Title != "Heat pump" || a.Summary != "Asked." || a.Score == nil || *a.Score != 8 || !a.JudgeAt.IsZero() || a.Judged != 1 {
		t.Errorf("later: %+v", a)
	}
	d.now = d.now.Add(time.Hour)
	if d.round(); asked != 1 {
		t.Errorf("the model was asked %d times", asked)
	}
	a.Title, a.Titled, a.JudgeAt = "Mine", true, d.now
	d.update(func(tx parley.Tx) error { return tx.PutAgentConversation(t.Context(), a) })
	if a := d.round(); a.Title != "Mine" || asked != 2 {
		t.Errorf("a caller's title became %q", a.Title)
	}
	d.spent(2)
}

// When the model fails, the rules judge; what the model said is nowhere.
func TestModelFails(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		content string
	}{"refuses": {401, "planted"}, "breaks": {500, "planted"}, "no judgement": {200, "planted"}} {
		asked := 0
		d := newDesk(t, parley.ConnectorLLM, answering(test.status, test.content, &asked))
		d.now = d.now.Add(time.Minute)
		if a := d.round(); a.Title == "" || strings.Contains(a.Title+a.Summary, "planted") || *a.Score != 0 || !a.JudgeAt.IsZero() || asked == 0 {
			t.Errorf("%s: %+v, asked %d times", name, a, asked)
		}
		if test.status == http.StatusOK { // what it said was of no use, and costs the same
			d.spent(1)
		}
	}
}

// The rules do not wait, but for an answer that is on its way.
func TestRulesWaitForTheAnswer(t *testing.T) {
	asked := 0
	d := newDesk(t, parley.ConnectorRules, answering(200, "", &asked))
	c := d.a.Conversation
	c.State.Bot.Open = []parley.OpenTurn{{Seq: 1}}
	open := storetest.Say(&c, parley.Customer, "", 0)
	open.StateChanged = true
	open.Conversation.State.Bot.Open = c.State.Bot.Open
	storetest.MustCommit(t, d.store, open)
	if a := d.round(); a.Title != "" || !a.JudgeAt.After(d.now) {
		t.Errorf("while a turn is open: %+v", a)
	}
	over := storetest.Say(open.Conversation, parley.CustomBot, "", 0)
	over.StateChanged = true
	over.Conversation.State.Bot.Open = nil
	storetest.MustCommit(t, d.store, over)
	d.now = d.now.Add(2 * time.Second)
	if a := d.round(); a.Title == "" || asked != 0 {
		t.Errorf("then: %+v, the model was asked %d times", a, asked)
	}
}
