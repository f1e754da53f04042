package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/internal/loopback"
	"parley/ws"
)

// A liveSession is a session of a test's client.
type liveSession struct {
	t    testing.TB
	conn *websocket.Conn
	in   []object
	n    int
}

func connectLive(t testing.TB, base, token string, resume ...object) *liveSession {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), base+"/ws/v1", &websocket.DialOptions{Subprotocols: []string{ws.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	l := &liveSession{t: t, conn: conn}
	l.ask("connect", object{"token": token, "resume": resume})
	return l
}

// next is the next object, whatever it is.
func (l *liveSession) next() object {
	l.t.Helper()
	for len(l.in) == 0 {
		ctx, cancel := context.WithTimeout(l.t.Context(), 15*time.Second)
		_, frame, err := l.conn.Read(ctx)
		cancel()
		if err != nil {
			l.t.Fatalf("read: %v", err)
		}
		l.in = decodeObjects(l.t, string(frame))
	}
	o := l.in[0]
	l.in = l.in[1:]
	return o
}

func decodeObjects(t testing.TB, frame string) (all []object) {
	t.Helper()
	for line := range strings.SplitSeq(frame, "\n") {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}

// wait is the next object of that kind.
func (l *liveSession) wait(kind string) object {
	l.t.Helper()
	for {
		if o, ok := l.next()[kind].(object); ok {
			return o
		}
	}
}

// ask sends a request and wants its ok; other objects are kept for later.
func (l *liveSession) ask(op string, in object) object {
	l.t.Helper()
	l.n++
	id := fmt.Sprint(l.n)
	text, err := json.Marshal(object{"id": id, op: in})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.conn.Write(l.t.Context(), websocket.MessageText, text); err != nil {
		l.t.Fatal(err)
	}
	var kept []object
	for {
		o := l.next()
		if o["id"] != id {
			kept = append(kept, o)
			continue
		}
		ok, is := o["ok"].(object)
		if !is {
			l.t.Fatalf("%s = %v", op, o)
		}
		l.in = append(kept, l.in...)
		return ok
	}
}

// customerToken makes a visitor of an account on the web chat.
func customerToken(t testing.TB, base, address string) string {
	t.Helper()
	var made struct{ Token string }
	anonymous := &caller{base: base}
	if err := anonymous.call(t.Context(), http.MethodPost, "/widget/v1/sessions", object{"account": object{"channel": object{"type": "web_chat"}, "address": address}},
		http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	return made.Token
}

// boundToken makes an API client that speaks as an application in a role, and a token of it.
func (c *caller) boundToken(t testing.TB, application, role string) string {
	t.Helper()
	var made struct{ ID, Secret string }
	err := c.call(t.Context(), http.MethodPost, "/admin/v1/clients", object{"name": role, "scopes": []string{parley.ScopeInteractionManage},
		"applicationId": application, "roles": []string{role}}, http.StatusCreated, &made)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.PostForm(c.base+"/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {made.ID}, "client_secret": {made.Secret}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out.Token == "" {
		t.Fatalf("token: %v", err)
	}
	return out.Token
}

// webChat makes an account on the web chat whose conversations go to the console's agents.
func (c *caller) webChat(t testing.TB, address string) {
	t.Helper()
	orchestration := c.create(t, "orchestrations", object{"name": address, "applications": object{
		"agentConfiguration": object{"agents": []object{{"id": parley.ConsoleApplication.String()}}}}})
	c.create(t, "accounts", object{"name": address, "address": address, "channel": object{"id": parley.WebChatChannel.String()},
		"options":            []object{{"name": "anonymous", "value": "true"}},
		"chatConfigurations": object{"orchestration": object{"id": orchestration}}})
}

// Two processes on one PostgreSQL and one Redis are one hub: what is said, typed and read on one is heard on the other, in one
// order although both write; a frame posted to the wrong one reaches its stream; and when one dies its sessions go on at the
// other where they were.
func TestTwoNodesAreOneHub(t *testing.T) {
	more := stages(t)["servers"](t)
	args := append([]string{"--data", t.TempDir(), "--bootstrap-client", bootstrap, "--public-url", "http://127.0.0.1:9"}, more...)
	var hubs []*process
	var bases []string
	for range 2 {
		address, err := loopback.FreeAddress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hubs, bases = append(hubs, startProcess(t, nil, append([]string{"--listen", address}, args...)...)), append(bases, "http://"+address)
	}
	c, err := login(t.Context(), bases[0])
	if err != nil {
		t.Fatal(err)
	}
	c.webChat(t, "nodes")
	visitor := customerToken(t, bases[0], "nodes")
	anna := connectLive(t, bases[0], visitor)
	agent := connectLive(t, bases[1], c.boundToken(t, parley.ConsoleApplication.String(), "custom_agent"))
	agent.ask("subscribe", object{"all": true})
	id := anna.ask("open", object{"message": object{"messageId": "m1", "type": object{"value": "text"}, "content": object{"text": "hello"}}})["conversation"]
	if m := agent.wait("message"); m["seq"] != 1.0 || m["conversation"] != id {
		t.Fatalf("the agent on the other node sees %v", m)
	}
	agent.ask("subscribe", object{"conversation": id, "after": 1})
	if p := agent.wait("presence"); p["active"] != true {
		t.Errorf("the agent hears %v, want that the customer is there", p)
	}
	anna.ask("typing", object{"conversation": id, "on": true})
	if y := agent.wait("typing"); y["on"] != true || y["role"] != "customer" {
		t.Errorf("the agent hears %v, want that the customer types", y)
	}
	agent.ask("read", object{"conversation": id, "seq": 1})
	if r := anna.wait("receipt"); r["read"] != 1.0 || r["role"] != "custom_agent" {
		t.Errorf("the customer hears %v, want that the agent has read", r)
	}

	// Both write at the same time: conflicts between the nodes are nobody's business but theirs.
	const each = 40
	var wg sync.WaitGroup
	for name, l := range map[string]*liveSession{"anna": anna, "dana": agent} {
		wg.Go(func() {
			for i := range each {
				l.ask("post", object{"messageId": fmt.Sprint(name, i), "type": object{"value": "text"}, "content": object{"text": fmt.Sprint(name, i)}, "conversation": object{"id": id}})
			}
		})
	}
	wg.Wait()
	history := func(l *liveSession) (seqs []float64, ids []any) {
		for _, m := range l.ask("history", object{"conversation": id, "limit": 100})["messages"].([]any) {
			seqs, ids = append(seqs, m.(object)["seq"].(float64)), append(ids, m.(object)["message"].(object)["id"])
		}
		return seqs, ids
	}
	seqs, ids := history(anna)
	otherSeqs, otherIDs := history(agent)
	if len(ids) != 2*each+1 || !slices.Equal(seqs, otherSeqs) || !slices.Equal(ids, otherIDs) {
		t.Errorf("the nodes tell %d and %d messages, want the same %d in the same order", len(ids), len(otherIDs), 2*each+1)
	}

	// The second transport: the stream is on one node, what is posted reaches the other.
	stream, post := openEvents(t, bases[0], `{"id":"1","connect":{"token":"`+visitor+`"}}`)
	postEvents(t, bases[1]+post, `{"id":"2","ping":{}}`)
	for {
		name, data := event(t, stream)
		if name == "" {
			t.Fatal("the stream ended")
		}
		if strings.Contains(data, `"id":"2"`) {
			break
		}
	}

	hubs[0].kill()
	agent.ask("post", object{"messageId": "after", "type": object{"value": "text"}, "content": object{"text": "are you there?"}, "conversation": object{"id": id}})
	back := connectLive(t, bases[1], visitor, object{"conversation": id, "after": 2*each + 1})
	if m := back.wait("message"); m["seq"] != float64(2*each+2) {
		t.Errorf("on the other node the customer sees %v, want what was said meanwhile", m)
	}
	if err := hubs[1].terminate(); err != nil {
		t.Error(err)
	}
}

// openEvents opens a stream of events and says where to post.
func openEvents(t testing.TB, base, frame string) (*bufio.Scanner, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/ws/v1/sse", strings.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	scan := bufio.NewScanner(res.Body)
	name, data := event(t, scan)
	var first struct{ Post string }
	if name != "session" || json.Unmarshal([]byte(data), &first) != nil {
		t.Fatalf("the first event is %q %s", name, data)
	}
	return scan, first.Post
}

// event is the next event of a stream; no name at its end.
func event(t testing.TB, scan *bufio.Scanner) (name, data string) {
	t.Helper()
	for scan.Scan() {
		field, value, _ := strings.Cut(scan.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			data += value + "\n"
		case "":
			return name, data
		}
	}
	return "", ""
}

func postEvents(t testing.TB, address, frame string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("post to the other node = %d", res.StatusCode)
	}
}
