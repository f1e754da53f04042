package broker_test

import (
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
	"parley/hub"
)

// record are the texts of a conversation, with who said them.
func (s *stage) record(session string) (all []string) {
	s.t.Helper()
	id, err := parley.ParseID[parley.Conversation](session)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.store.View(s.t.Context(), func(tx parley.Tx) error {
		messages, err := tx.Messages(s.t.Context(), parley.MessageQuery{Tenant: parley.DefaultTenant, Conversation: id, Limit: 200})
		for _, m := range messages {
			if m.Type == parley.TypeText && m.Body.Content != nil {
				all = append(all, string(m.Sender)+": "+m.Body.Content.Text)
			}
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// Whatever a program behind a webhook does wrong, the caller hears so at once or at the end of the bot's time, the question stays in the record
// without an answer, the bot is not asked again, and the session goes on.
func TestFaultsOfWebhooks(t *testing.T) {
	var asked atomic.Int64
	late := make(chan struct{})
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("the bot is asked %v", err)
		}
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		switch in.Text {
		case "hang":
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			_, _ = io.WriteString(w, `{"answers":[{"content":"too late"}]}`)
			late <- struct{}{}
		case "500":
			w.WriteHeader(http.StatusInternalServerError)
		case "garbage":
			_, _ = io.WriteString(w, "<html>")
		case "unknown":
			_, _ = io.WriteString(w, `{"answers":[{"content":"x","type":"HOLOGRAM"}]}`)
		case "twice":
			_, _ = io.WriteString(w, `{"answers":[{"content":"one"}]} {"answers":[{"content":"two"}]}`)
		case "gone":
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, `{"answers":[{"content":"answer to `+in.Text+`"}]}`)
		}
	}))
	t.Cleanup(func() {
		program.CloseClientConnections()
		program.Close()
	})
	s := newStage(t, func(b *parley.BotSettings) {
		b.Connector, b.URL, b.TurnDeadline = parley.ConnectorWebhook, program.URL, time.Second
	})
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	want := []string{"customer: hello", "custom_bot: answer to hello"}
	for _, fault := range []struct {
		text   string
		status int
	}{{"500", 460}, {"garbage", 460}, {"twice", 460}, {"gone", 460}, {"hang", 460}, {"unknown", 461}} {
		before := asked.Load()
		s.turn(session, `{"text":"`+fault.text+`"}`, fault.status)
		if asked.Load() != before+1 {
			t.Errorf("%s was asked %d times", fault.text, asked.Load()-before)
		}
		if fault.text == "hang" {
			<-late
		}
		if got := s.turn(session, `{"text":"after `+fault.text+`"}`, 200); got.first() != "answer to after "+fault.text {
			t.Errorf("after %s the bot says %q", fault.text, got.first())
		}
		want = append(want, "customer: "+fault.text, "customer: after "+fault.text, "custom_bot: answer to after "+fault.text)
	}
	if got := s.record(session); !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A program with a callback that answers twice in its time gives one turn two answers; that is silent fails its turn, and what it says later is in the
// record only; that has handed over is not heard any more. Each time the caller has an answer.
func TestFaultsOfCallbacks(t *testing.T) {
	type question struct{ session, text string }
	asked := make(chan question, 10)
	program := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var in struct {
			Messages struct {
				Message []struct {
					Content      struct{ Text string }
					Conversation struct{ ID string }
				}
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Messages.Message) != 1 {
			t.Errorf("the bot is asked %+v, %v", in, err)
			return
		}
		asked <- question{in.Messages.Message[0].Conversation.ID, in.Messages.Message[0].Content.Text}
	}))
	t.Cleanup(program.Close)
	s := newStage(t, func(b *parley.BotSettings) {
		b.Connector, b.URL, b.TurnDeadline = parley.ConnectorCallback, program.URL, 2*time.Second
	})
	says := func(session string, kind parley.MessageType, text string) error {
		t.Helper()
		id, err := parley.ParseID[parley.Conversation](session)
		if err != nil {
			t.Fatal(err)
		}
		d := parley.Draft{Conversation: id, Type: kind, Sender: parley.CustomBot}
		if text != "" {
			d.Body.Content = &parley.Content{Text: text}
		}
		_, err = s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Application: s.bot.ID}, Surface: "test", Drafts: []parley.Draft{d}})
		return err
	}
	must := func(session string, kind parley.MessageType, text string) {
		t.Helper()
		if err := says(session, kind, text); err != nil {
			t.Fatalf("%s %q: %v", kind, text, err)
		}
	}
	answers := make(chan said, 1)
	ask := func(session, text string, want int) string {
		path := s.turns()
		if session != "" {
			path += "/" + session
		}
		go func() {
			res, body := s.Do("POST", path, `{"text":"`+text+`"}`, s.headers()...)
			var got said
			if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != want {
				t.Errorf("turn %q answered %d %s, want %d", text, res.StatusCode, body, want)
			}
			answers <- got
		}()
		got := <-asked
		if got.text != text {
			t.Errorf("the bot is asked %q, want %q", got.text, text)
		}
		return got.session
	}
	texts := func(a said) (all []string) {
		for _, one := range a.Answers {
			text, _ := one.Content.(string)
			all = append(all, one.Type+" "+text)
		}
		return all
	}
	session := ask("", "hello", 200)
	must(session, parley.TypeText, "one")
	must(session, parley.TypeText, "two")
	must(session, parley.TypeTypingEnd, "")
	if got := <-answers; !slices.Equal(texts(got), []string{"TEXT one", "TEXT two"}) || got.SessionCode != session {
		t.Errorf("two answers are %+v", got)
	}
	ask(session, "silence", 460)
	<-answers
	must(session, parley.TypeText, "late")
	ask(session, "again", 200)
	must(session, parley.TypeText, "here")
	if got := <-answers; !slices.Equal(texts(got), []string{"TEXT here"}) {
		t.Errorf("after a late answer the next turn is answered %v", texts(got))
	}
	ask(session, "a person", 200)
	must(session, parley.TypeText, "One moment.")
	must(session, parley.TypeEscalationTransfer, "")
	if got := <-answers; !slices.Equal(texts(got), []string{"TEXT One moment.", "CUSTOM "}) || got.ContextReadOnly["handover"].(map[string]any)["state"] != "waiting" {
		t.Errorf("a hand-over is %+v", got)
	}
	if err := says(session, parley.TypeText, "still me"); parley.ReasonOf(err) != parley.NotParty {
		t.Errorf("after the hand-over the bot may speak: %v", err)
	}
	if got := s.turn(session, `{"text":"anybody?"}`, 200); len(got.Answers) != 0 || got.ContextReadOnly["handover"].(map[string]any)["state"] != "waiting" {
		t.Errorf("to people: %+v", got)
	}
	want := []string{"customer: hello", "custom_bot: one", "custom_bot: two", "customer: silence", "custom_bot: late", "customer: again", "custom_bot: here", "customer: a person", "custom_bot: One moment.", "customer: anybody?"}
	if got := s.record(session); !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(asked) > 0 {
		t.Errorf("the bot was asked %v besides", <-asked)
	}
}
