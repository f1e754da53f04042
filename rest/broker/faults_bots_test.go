package broker_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/bots/rules"
)

// Whatever a language model does wrong, the caller hears so in the broker's own words, at once or at the end of the bot's time, nothing of what
// it began to say is shown, it is not asked again, and the session goes on; once it has handed over it is not asked any more.
func TestFaultsOfModels(t *testing.T) {
	var asked atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Messages []struct{ Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Messages) == 0 {
			t.Errorf("the model is asked %+v, %v", in, err)
			return
		}
		asked.Add(1)
		completes := func(message string) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant",`+message+`}}]}`)
		}
		begins := func() {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"half of it"}}]}`+"\n\n")
			w.(http.Flusher).Flush()
		}
		switch said := in.Messages[len(in.Messages)-1].Content; said {
		case "500":
			w.WriteHeader(http.StatusInternalServerError)
		case "denied":
			w.WriteHeader(http.StatusUnauthorized)
		case "unknown":
			w.WriteHeader(http.StatusNotFound)
		case "garbage":
			_, _ = io.WriteString(w, "<html>")
		case "empty":
			completes(`"content":" "`)
		case "hang":
			<-r.Context().Done()
		case "break off":
			begins()
			panic(http.ErrAbortHandler)
		case "stall":
			begins()
			<-r.Context().Done()
		case "a person":
			completes(`"content":"One moment.","tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"handover","arguments":"{}"}}]`)
		default:
			completes(`"content":"answer to ` + said + `"`)
		}
	}))
	t.Cleanup(func() {
		endpoint.CloseClientConnections()
		endpoint.Close()
	})
	s := newStage(t, func(b *parley.BotSettings) {
		b.Connector, b.URL, b.TurnDeadline, b.Model = parley.ConnectorLLM, endpoint.URL, time.Second, parley.ModelSettings{Name: "some"}
	})
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	want := []string{"customer: hello", "custom_bot: answer to hello"}
	for _, fault := range []struct {
		text   string
		status int
		code   string
	}{
		{"500", 462, "NLP_UNAVAILABLE"}, {"denied", 463, "NLP_UNAUTHORIZED"}, {"unknown", 461, "BOT_MISCONFIGURED"}, {"garbage", 462, "NLP_UNAVAILABLE"},
		{"empty", 460, "WEBHOOK_ERROR"}, {"hang", 460, "WEBHOOK_ERROR"}, {"break off", 462, "NLP_UNAVAILABLE"}, {"stall", 460, "WEBHOOK_ERROR"},
	} {
		before := asked.Load()
		res, text := s.Do("POST", s.turns()+"/"+session, `{"text":"`+fault.text+`"}`, s.headers()...)
		if res.StatusCode != fault.status || !strings.Contains(text, `"code":"`+fault.code+`"`) {
			t.Errorf("%s answered %d %s, want %d %s", fault.text, res.StatusCode, text, fault.status, fault.code)
		}
		if n := asked.Load() - before; n != 1 {
			t.Errorf("%s was asked %d times", fault.text, n)
		}
		if got := s.turn(session, `{"text":"after `+fault.text+`"}`, 200); got.first() != "answer to after "+fault.text {
			t.Errorf("after %s the model says %q", fault.text, got.first())
		}
		want = append(want, "customer: "+fault.text, "customer: after "+fault.text, "custom_bot: answer to after "+fault.text)
	}
	if got := s.turn(session, `{"text":"a person"}`, 200); got.first() != "One moment." || got.ContextReadOnly["handover"].(map[string]any)["state"] != "waiting" {
		t.Errorf("a hand-over is %+v", got)
	}
	before := asked.Load()
	if got := s.turn(session, `{"text":"anybody?"}`, 200); len(got.Answers) != 0 || asked.Load() != before {
		t.Errorf("to people: %+v, the model was asked %d times", got, asked.Load()-before)
	}
	want = append(want, "customer: a person", "custom_bot: One moment.", "customer: anybody?")
	if got := s.record(session); !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A shelf has one flow, or is broken.
type shelf struct {
	flow string
	err  error
}

func (s *shelf) Version(context.Context, parley.TenantID, parley.ApplicationID, bool) (int64, error) {
	return 1, s.err
}

func (s *shelf) Source(context.Context, parley.TenantID, parley.ApplicationID, int64) ([]byte, error) {
	return []byte(s.flow), s.err
}

// A flow that goes in circles, or says what no message holds, fails the turn as settings that somebody has to mend; a flow that cannot be read does
// so as a fault of the hub. The session goes on; once the flow has handed over it is not asked any more.
func TestFaultsOfFlows(t *testing.T) {
	source := &shelf{flow: `
name: faults
languages: [en]
welcome: hello
fallback: echo
intents:
- {name: spin, keywords: [spin], step: spin}
- {name: long, keywords: [long], step: long}
- {name: person, keywords: [person], step: person}
steps:
- {id: hello, answers: [{text: Welcome}]}
- {id: echo, answers: [{text: 'you said {{ input.text }}'}]}
- {id: spin, answers: [{text: round}], goto: spin}
- {id: long, answers: [{text: '{{ open.x }}{{ open.x }}'}]}
- {id: person, answers: [{text: One moment.}], handover: true}
`}
	s := newStage(t)
	s.flow = rules.New(source, nil)(&parley.ClientApplication{Bot: &parley.BotSettings{Language: "en"}})
	session := s.turn("", `{"text":"hello","context":{"x":"`+strings.Repeat("x", 9<<10)+`"}}`, 200).SessionCode
	want := []string{"customer: hello", "custom_bot: you said hello"}
	fails := func(text string, status int, code string) {
		t.Helper()
		res, answer := s.Do("POST", s.turns()+"/"+session, `{"text":"`+text+`"}`, s.headers()...)
		if res.StatusCode != status || !strings.Contains(answer, `"code":"`+code+`"`) {
			t.Errorf("%s answered %d %s, want %d %s", text, res.StatusCode, answer, status, code)
		}
		source.err = nil
		if got := s.turn(session, `{"text":"hm"}`, 200); got.first() != "you said hm" {
			t.Errorf("after %s the flow says %q", text, got.first())
		}
		want = append(want, "customer: "+text, "customer: hm", "custom_bot: you said hm")
	}
	fails("spin", 461, "BOT_MISCONFIGURED")
	fails("long", 461, "BOT_MISCONFIGURED")
	source.err = io.ErrUnexpectedEOF
	fails("unreadable", 500, "INTERNAL")
	source.err = &parley.Error{Kind: parley.NotFound}
	fails("withdrawn", 461, "BOT_MISCONFIGURED")
	if got := s.turn(session, `{"text":"person"}`, 200); got.first() != "One moment." || got.ContextReadOnly["handover"].(map[string]any)["state"] != "waiting" {
		t.Errorf("a hand-over is %+v", got)
	}
	source.err = io.ErrUnexpectedEOF // nobody reads it now
	if got := s.turn(session, `{"text":"anybody?"}`, 200); len(got.Answers) != 0 {
		t.Errorf("to people: %+v", got)
	}
	want = append(want, "customer: person", "custom_bot: One moment.", "customer: anybody?")
	if got := s.record(session); !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
