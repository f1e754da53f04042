package ws_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"parley"
	"parley/hub"
	"parley/ident"
	"parley/ws"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

func TestCustomerAndAgentSeeOneOrder(t *testing.T) {
	s := newSite(t, nil)
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"all": true})
	anna, ok := s.connect("anna")
	if ok["role"] != "customer" || ok["heartbeatSeconds"] != 20.0 {
		t.Errorf("connect = %v", ok)
	}
	opened := anna.ask("open", map[string]any{"message": text("hello")})
	id := opened["conversation"]
	if m := agent.message(); m.Conversation != id || m.Seq != 1 || m.Message.Content.Text != "hello" {
		t.Errorf("agent sees %+v", m)
	}
	if second := anna.ask("post", in(id, text("are you there"))); second["seq"] != 2.0 {
		t.Errorf("post = %v, want seq 2", second)
	}
	agent.message()
	join := map[string]any{"type": map[string]string{"value": "agent.join"}, "content": map[string]any{"json": map[string]string{"agentName": "Dana"}}}
	agent.ask("post", in(id, join))
	answer := agent.ask("post", in(id, text("yes")))
	if m := anna.message(); m.Message.Type.Value != "agent.join" || m.Seq != 3 || m.Prev != 2 {
		t.Errorf("customer sees %+v, want agent.join at 3 after her own 2", m)
	}
	if m := anna.message(); m.Message.Content.Text != "yes" || m.Seq != int64(answer["seq"].(float64)) || m.Prev != 3 {
		t.Errorf("customer sees %+v, want the answer %v", m, answer)
	}
	if again := anna.ask("post", in(id, text("are you there"))); again["seq"] != 2.0 {
		t.Errorf("repeat = %v, want the first result", again)
	}
	history := anna.ask("history", map[string]any{"conversation": id, "limit": 2})
	if got := history["messages"].([]any); len(got) != 2 || history["more"] != true || got[1].(map[string]any)["seq"] != 4.0 {
		t.Errorf("history = %v, want the last two, and that there is more", history)
	}
	older := anna.ask("history", map[string]any{"conversation": id, "before": 3})
	if got := older["messages"].([]any); len(got) != 2 || older["more"] != false {
		t.Errorf("history before 3 = %v", older)
	}
}

// After a drop a session gets exactly what it missed, in order.
func TestResume(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	anna.conn.CloseNow()
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	const missed = 250 // more than a page
	for i := range missed {
		agent.ask("post", in(id, text(fmt.Sprint("a", i))))
	}
	back, ok := s.connect("anna", map[string]any{"conversation": id, "after": 1}, map[string]any{"conversation": ident.New[parley.Conversation](), "after": 0})
	resumed := ok["resumed"].([]any)
	if len(resumed) != 1 || resumed[0].(map[string]any)["seq"] != float64(missed+1) || resumed[0].(map[string]any)["after"] != 1.0 {
		t.Errorf("resumed = %v", resumed)
	}
	if refused := ok["refused"].([]any); len(refused) != 1 {
		t.Errorf("refused = %v, want the unknown conversation", refused)
	}
	for i := range missed {
		if m := back.message(); m.Seq != int64(i+2) || m.Prev != int64(i+1) || m.Message.Content.Text != fmt.Sprint("a", i) {
			t.Fatalf("missed message %d = %+v", i, m)
		}
	}
	agent.ask("post", in(id, text("live")))
	if m := back.message(); m.Message.Content.Text != "live" {
		t.Errorf("after the missed ones: %+v", m)
	}
}

// Guarantee G8 among customers: another one's conversation does not exist.
func TestStrangersConversationIsUnknown(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("mine")})["conversation"]
	bert, ok := s.connect("bert", map[string]any{"conversation": id, "after": 0})
	if len(ok["resumed"].([]any)) != 0 || len(ok["conversations"].([]any)) != 0 {
		t.Errorf("connect of a stranger = %v", ok)
	}
	for op, in := range map[string]any{
		"subscribe": map[string]any{"conversation": id}, "open": map[string]any{"conversation": id}, "history": map[string]any{"conversation": id},
		"post": in(id, text("let me in")), "typing": map[string]any{"conversation": id, "on": true}} {
		if code := bert.refused(op, in); code != "404-101" && code != "400-630" {
			t.Errorf("%s of a stranger's conversation = %s, want that it is unknown", op, code)
		}
	}
	forged := text("as an agent")
	forged["sender"] = map[string]string{"type": "custom_agent"}
	if code := anna.refused("post", in(id, forged)); code != "403-603" {
		t.Errorf("post as an agent = %s", code)
	}
	if code := anna.refused("subscribe", map[string]any{"all": true}); code != "403-112" {
		t.Errorf("subscribe to all = %s", code)
	}
}

func TestTypingReachesTheOtherSideOnly(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	anna.ask("typing", map[string]any{"conversation": id, "on": true})
	o, err := agent.next()
	if err != nil || o["typing"] == nil || !strings.Contains(string(o["typing"]), `"on":true`) {
		t.Errorf("agent hears %v, %v; want typing", o, err)
	}
	agent.ask("post", in(id, text("hi")))
	if o, err := anna.next(); err != nil || o["message"] == nil {
		t.Errorf("customer hears %v, %v; want the message, not her own typing", o, err)
	}
}

// Operators see what waits for clients that do not read, and that it is gone when they do.
func TestQueuesAreShown(t *testing.T) {
	meter := prometheus.NewRegistry()
	s := newSite(t, func(c *ws.Config) { c.QueueLen, c.Meter = 1000, meter })
	shown := func() (total, most float64) {
		t.Helper()
		families, err := meter.Gather()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]float64{}
		for _, f := range families {
			found[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		return found["parley_session_queued"], found["parley_session_queued_most"]
	}
	for range 9 {
		s.connect("bert") // has nothing waiting
	}
	anna, _ := s.connect("anna")
	conversation, err := parley.ParseID[parley.Conversation](anna.ask("open", map[string]any{"message": text("m1")})["conversation"].(string))
	if err != nil {
		t.Fatal(err)
	}
	const n = 800 // 24 MB: more than the socket's buffers hold
	for range n {
		_, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Drafts: []parley.Draft{
			{Conversation: conversation, Type: parley.TypeText, Sender: parley.CustomAgent, Body: parley.Body{Content: &parley.Content{Text: strings.Repeat("x", 30_000)}}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if total, most := shown(); most == 0 || most > n || total < most {
		t.Errorf("%v objects wait, %v for one session; want some of the %d", total, most, n)
	}
	for range n {
		anna.message()
	}
	deadline := time.After(30 * time.Second)
	for total, most := shown(); total > 0 || most > 0; total, most = shown() {
		select {
		case <-time.After(10 * time.Millisecond): // the writer takes what it writes before the client has it, but a heartbeat may come
		case <-deadline:
			t.Fatalf("everything was read, and %v objects wait, %v for one session", total, most)
		}
	}
}

func TestHeartbeatNamesTheLastSeq(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.Heartbeat = 20 * time.Millisecond })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	deadline := time.Now().Add(10 * time.Second)
	for {
		ctx, cancel := context.WithDeadline(t.Context(), deadline)
		_, data, err := anna.conn.Read(ctx)
		cancel()
		if err != nil {
			t.Fatalf("no heartbeat with the conversation: %v", err)
		}
		if strings.Contains(string(data), fmt.Sprintf(`{"heartbeat":{"last":{"%s":1}}}`, id)) {
			return
		}
	}
}

// Guarantee G4 when somebody speaks just while a session resumes, and nothing is said after that: the message comes, and
// only once.
func TestResumeMissesNothingSaidMeanwhile(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	for i := range 200 {
		anna.conn.CloseNow()
		anna = s.dial(nil)
		said := make(chan struct{})
		go func() {
			defer close(said)
			agent.ask("post", in(id, text(fmt.Sprint("a", i))))
		}()
		anna.ask("connect", map[string]any{"token": "anna", "resume": []any{map[string]any{"conversation": id, "after": i + 1}}})
		if m := anna.message(); m.Seq != int64(i+2) || m.Prev != int64(i+1) {
			t.Fatalf("resumed after %d, the next is %+v", i+1, m)
		}
		<-said
	}
}
