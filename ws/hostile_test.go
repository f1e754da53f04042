package ws_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"parley"
	"parley/store/storetest"
)

// What is no frame of the protocol ends the session, with nothing of the frame done; what is a request is answered, whatever stands in
// it, and the session goes on.
func TestHostileFrames(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"].(string)
	body := func(content string) string {
		return `{"messageId":"h","type":{"value":"text"},"content":` + content + `,"conversation":{"id":"` + id + `"}}`
	}
	post := func(content string) string { return `{"id":"x","post":` + body(content) + `}` }
	at := func(op, members string) string {
		return `{"id":"x","` + op + `":{"conversation":"` + id + `"` + members + `}}`
	}
	good := body(`{"text":"must not be stored"}`)
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n) }
	const bad, unknown, missing, okay = "400-152", "400-630", "400-143", "ok"
	for _, test := range []struct{ what, frame, want string }{
		// No frames.
		{"no JSON", `hello`, "4400"},
		{"a list", `[]`, "4400"},
		{"null", `null`, "4400"},
		{"nothing", "", "4400"},
		{"blanks", " \n\t\n ", "4400"},
		{"no operation", `{"id":"x"}`, "4400"},
		{"an unknown operation", `{"id":"x","destroy":{}}`, "4400"},
		{"what only servers say", `{"id":"x","message":{}}`, "4400"},
		{"two operations", `{"id":"x","ping":{},"post":` + good + `}`, "4400"},
		{"an operation twice", `{"id":"x","post":` + good + `,"post":` + good + `}`, "4400"},
		{"two ids", `{"id":"x","id":"y","post":` + good + `}`, "4400"},
		{"a member of a member twice", post(`{"text":"x","text":"y"}`), "4400"},
		{"an id that is a number", `{"id":7,"ping":{}}`, "4400"},
		{"an id that is null", `{"id":null,"ping":{}}`, "4400"},
		{"a long id", `{"id":"` + strings.Repeat("x", 65) + `","ping":{}}`, "4400"},
		{"half a surrogate pair as id", `{"id":"\ud83d","ping":{}}`, "4400"},
		{"bytes that are no UTF-8", "{\"id\":\"x\",\"post\":" + body("{\"text\":\"\xff\"}") + "}", "4400"},
		{"a byte order mark", "\ufeff" + `{"id":"x","ping":{}}`, "4400"},
		{"an object over two lines", "{\"id\":\"x\",\n\"ping\":{}}", "4400"},
		{"two objects on one line", `{"id":"x","post":` + good + `}{"id":"y","ping":{}}`, "4400"},
		{"a bad object behind a good one", `{"id":"x","post":` + good + "}\nhello", "4400"},
		{"a bad object before a good one", "hello\n" + `{"id":"x","post":` + good + `}`, "4400"},
		{"half an object", `{"id":"x","post":{"type"`, "4400"},
		{"nesting without end", post(`{"text":"x","json":` + strings.Repeat(`[`, 100_000)), "4400"},
		{"deeper than any parser", post(`{"text":"x","json":` + deep(20_000) + `}`), "4400"},
		{"connect again", `{"id":"x","connect":{"token":"anna"}}`, "4400"},

		// Requests.
		{"no id", `{"ping":{}}`, okay},
		{"an id with a NUL", `{"id":"a\u0000b","ping":{}}`, okay},
		{"the longest id", `{"id":"` + strings.Repeat("x", 64) + `","ping":{}}`, okay},
		{"null as operation", `{"id":"x","ping":null}`, okay},
		{"what later versions say besides", `{"later":[1],"id":"x","ping":{"more":1}}`, okay},
		{"line breaks of Windows", `{"id":"x","ping":{}}` + "\r\n\r\n", okay},

		{"a post of null", `{"id":"x","post":null}`, bad},
		{"a post of a list", `{"id":"x","post":[]}`, bad},
		{"a post of nothing", `{"id":"x","post":{}}`, missing},
		{"no conversation", `{"id":"x","post":{"type":{"value":"text"},"content":{"text":"x"}}}`, missing},
		{"half a surrogate pair", post(`{"text":"\ud83d"}`), bad},
		{"the other half", post(`{"text":"\ude00 x"}`), bad},
		{"half a surrogate pair in json", post(`{"text":"x","json":{"a":"\ud83d"}}`), bad},
		{"text that is a number", post(`{"text":1}`), bad},
		{"no text", post(`{"text":""}`), missing},
		{"json that is deep", post(`{"text":"x","json":` + deep(51) + `}`), bad},
		{"json that is very deep", post(`{"text":"x","json":` + deep(9_990) + `}`), bad},
		{"a messageId with a NUL", strings.Replace(post(`{"text":"x"}`), `"h"`, `"h\u0000"`, 1), bad},
		{"a messageId that is a number", strings.Replace(post(`{"text":"x"}`), `"h"`, `{}`, 1), bad},
		{"somebody else as sender", strings.Replace(post(`{"text":"x"}`), `"h"`, `"h","sender":{"type":"custom_agent"}`, 1), "403-603"},
		{"the hub as sender", strings.Replace(post(`{"text":"x"}`), `"h"`, `"h","sender":{"type":"system"}`, 1), "400-196"},

		{"open of nothing", `{"id":"x","open":{}}`, unknown},
		{"open of null", `{"id":"x","open":null}`, unknown},
		{"open with null as message", `{"id":"x","open":{"message":null}}`, bad},
		{"open with a number", `{"id":"x","open":7}`, bad},

		{"subscribe ahead of the end", at("subscribe", `,"after":9223372036854775807`), okay},
		{"subscribe before the beginning", at("subscribe", `,"after":-9223372036854775808`), okay},
		{"subscribe after more than a number holds", at("subscribe", `,"after":9223372036854775808`), bad},
		{"subscribe after a fraction", at("subscribe", `,"after":1.5`), bad},
		{"subscribe after 1e400", at("subscribe", `,"after":1e400`), bad},
		{"subscribe after a text", at("subscribe", `,"after":"1"`), bad},
		{"subscribe to nothing", `{"id":"x","subscribe":{}}`, unknown},
		{"subscribe to no id", `{"id":"x","subscribe":{"conversation":"x"}}`, bad},
		{"subscribe to null", `{"id":"x","subscribe":{"conversation":null}}`, unknown},
		{"subscribe to an id in capitals", `{"id":"x","subscribe":{"conversation":"` + strings.ToUpper(id) + `","after":1}}`, okay},
		{"subscribe to all as a customer", `{"id":"x","subscribe":{"all":true}}`, "403-112"},

		{"history with limit 0", at("history", `,"limit":0`), okay},
		{"history with a negative limit", at("history", `,"limit":-1`), bad},
		{"history with limit 101", at("history", `,"limit":101`), bad},
		{"history with a huge limit", at("history", `,"limit":9223372036854775807`), bad},
		{"history before a negative seq", at("history", `,"before":-1`), bad},
		{"history between the last numbers", at("history", `,"after":9223372036854775806,"before":9223372036854775807`), okay},
		{"history the wrong way", at("history", `,"after":5,"before":1`), okay},
		{"history of nothing", `{"id":"x","history":{}}`, unknown},

		{"read of nothing", at("read", ``), bad},
		{"read of 0", at("read", `,"seq":0`), bad},
		{"read before the beginning", at("read", `,"seq":-1`), bad},
		{"read beyond the end", at("read", `,"seq":9223372036854775807`), bad},
		{"read of nowhere", `{"id":"x","read":{"seq":1}}`, unknown},
		{"read again", at("read", `,"seq":1`), okay},

		{"typing nowhere", `{"id":"x","typing":{"on":true}}`, missing},
		{"typing, perhaps", at("typing", ``), missing},
		{"typing, null", at("typing", `,"on":null`), missing},
		{"typing with a text", at("typing", `,"on":"yes"`), bad},

		{"refresh with nothing", `{"id":"x","refresh":{}}`, "401-101"},
		{"refresh with half a surrogate pair", `{"id":"x","refresh":{"token":"\ud83d"}}`, "401-101"},
		{"refresh with a number", `{"id":"x","refresh":{"token":1}}`, bad},
		{"refresh with somebody else's token", `{"id":"x","refresh":{"token":"bert"}}`, "403-603"},

		{"take as a customer", `{"id":"x","take":{}}`, "403-112"},
		{"outcome of nothing", `{"id":"x","outcome":{}}`, bad},
		{"outcome of what was never sent", `{"id":"x","outcome":{"delivery":"x","outcome":"delivered"}}`, "404-101"},
		{"outcome after more than a day", `{"id":"x","outcome":{"delivery":"x","outcome":"retry","after":86400001}}`, bad},
		{"outcome after more than a duration holds", `{"id":"x","outcome":{"delivery":"x","outcome":"retry","after":18446744073710}}`, bad},
	} {
		c, _ := s.connect("anna")
		if got := c.hears(test.frame); got != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
		if test.want[0] != '4' || strings.Contains(test.want, "-") {
			c.ask("ping", map[string]any{}) // goes on
		}
		c.conn.CloseNow()
	}
	conversation, err := parley.ParseID[parley.Conversation](id)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Check(t, s.store, parley.DefaultTenant, conversation)
	if all := storetest.Messages(t, s.store, conversation); len(all) != 1 {
		t.Errorf("the conversation has %d messages, want the first alone", len(all))
	}
}

// hears sends a frame and says how it is answered: "ok", the code of the error, or that of the session's end.
func (c *client) hears(frame string) string {
	c.t.Helper()
	c.send(frame)
	for {
		o, err := c.next()
		if err != nil {
			return fmt.Sprint(int(websocket.CloseStatus(err)))
		}
		switch {
		case o["ok"] != nil:
			return "ok"
		case o["error"] != nil:
			var e struct{ Code, DeveloperMessage string }
			if err := json.Unmarshal(o["error"], &e); err != nil || e.DeveloperMessage == "" {
				c.t.Errorf("the error is %s, %v", o["error"], err)
			}
			return e.Code
		}
	}
}

// Who has several roles says with each post which one it is; typing has no place for that.
func TestSeveralRoles(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	both := s.grants["dana"]
	both.Speaker.Roles = []parley.Role{parley.CustomAgent, parley.CustomBot}
	s.grant("both", both)
	c, ok := s.connect("both")
	if ok["role"] != nil {
		t.Errorf("connect says that the session speaks as %v", ok["role"])
	}
	if code := c.refused("typing", map[string]any{"conversation": id, "on": true}); code != "403-603" {
		t.Errorf("typing = %s, want 403-603", code)
	}
	if code := c.refused("post", in(id, text("x"))); code != "403-603" {
		t.Errorf("a post of nobody = %s, want 403-603", code)
	}
	named := in(id, text("x"))
	named["sender"] = map[string]any{"type": "custom_agent"}
	c.ask("post", named)
}

// Errors read as sentences: the place, then what is wrong with it.
func TestErrorsOfRequestsRead(t *testing.T) {
	s, _ := newBotSite(t)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	bot, _ := s.connect("bot")
	bot.ask("take", map[string]any{})
	for _, test := range []struct {
		c    *client
		op   string
		in   any
		want string
	}{
		{anna, "open", map[string]any{"message": map[string]any{}}, "message.type.value is required"},
		{anna, "open", map[string]any{"message": nil}, "message must be an object"},
		{anna, "open", map[string]any{"message": map[string]any{"type": map[string]any{"value": "text"}, "content": map[string]any{"text": 5}}}, "message.content.text must be a string"},
		{anna, "open", map[string]any{"message": map[string]any{"type": map[string]any{"value": "text"}, "content": map[string]any{"text": "x"}, "sender": map[string]any{"type": "custom_bot"}}},
			"message.sender.type must be what the session speaks as"},
		{anna, "open", 7, "body has a member of the wrong type"},
		{anna, "post", map[string]any{"type": map[string]any{"value": "text"}, "content": map[string]any{"text": "x"}}, "conversation.id is required: open starts a conversation, post continues one"},
		{anna, "post", map[string]any{"type": map[string]any{"value": "text"}, "content": map[string]any{"text": "x"}, "sender": map[string]any{"type": "custom_bot"}},
			"sender.type must be what the session speaks as"},
		{anna, "history", map[string]any{"conversation": id, "limit": 101}, "history must have a limit of 1 to 100, and after and before that are not negative"},
		{anna, "typing", map[string]any{"on": true}, "conversation is required"},
		{anna, "typing", map[string]any{"conversation": id}, "on is required"},
		{anna, "read", map[string]any{"conversation": id, "seq": 9}, "seq must be 1 to 1, as the messages are"},
		{anna, "refresh", map[string]any{"token": "bert"}, "the token belongs to somebody else; connect with it anew"},
		{anna, "take", map[string]any{}, "only a session of a client application takes deliveries, in a role of its own"},
		{bot, "take", map[string]any{"atOnce": 1000}, "atOnce must be 1 to 256"},
		{bot, "take", map[string]any{"application": "x"}, "the credential belongs to another client application"},
		{bot, "take", map[string]any{}, "the session takes deliveries already"},
		{bot, "outcome", map[string]any{}, "outcome must be delivered, retry, rejected or gone"},
		{bot, "outcome", map[string]any{"outcome": "retry", "after": -1}, "after must be in milliseconds, at most a day"},
		{bot, "outcome", map[string]any{"outcome": "retry"}, "no such delivery waits for its outcome: it came too late, or twice"},
	} {
		o := test.c.request(test.op, test.in)
		var e struct{ DeveloperMessage string }
		if err := json.Unmarshal(o["error"], &e); err != nil || e.DeveloperMessage != test.want {
			t.Errorf("%s %v = %s%s, want %q", test.op, test.in, o["error"], o["ok"], test.want)
		}
	}
}

// A conversation that cannot be read just now is not one that is gone: the client comes back, and resumes.
func TestResumeWhileTheStoreIsAway(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	resume := map[string]any{"conversation": id, "after": 0}
	s.connect("dana", resume)
	s.away.Store(true)
	agent := s.dial(nil)
	body, err := json.Marshal(map[string]any{"id": "1", "connect": map[string]any{"token": "dana", "resume": []any{resume}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := agent.hears(string(body)); got != "1011" {
		t.Errorf("connect = %s, want 1011, which says to come back", got)
	}
	s.away.Store(false)
	if _, ok := s.connect("dana", resume); len(ok["resumed"].([]any)) != 1 {
		t.Errorf("afterwards connect = %v", ok)
	}
}

// Who resumes is told where messages are gone, at the end of the conversation as well, and goes on behind them.
func TestGapAtTheEnd(t *testing.T) {
	for _, who := range []string{"anna", "dana"} {
		s := newSite(t, nil)
		anna, _ := s.connect("anna")
		id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
		const n = 8
		for i := 2; i <= n; i++ {
			anna.ask("post", in(id, text(fmt.Sprint("m", i))))
		}
		s.forget(3, n+1)
		back, _ := s.connect(who, map[string]any{"conversation": id, "after": 2})
		if m := back.message(); m.Seq != 3 {
			t.Errorf("%s sees %+v, want what is left", who, m)
		}
		if g := back.object("gap"); g["after"] != 3.0 || g["before"] != n+1.0 {
			t.Errorf("%s hears %v, want that 4 to %d are gone", who, g, n)
		}
		anna.ask("post", in(id, text("more")))
		if m := back.message(); m.Seq != n+1 || m.Prev != 3 || m.Message.Content.Text != "more" {
			t.Errorf("%s sees %+v, want what is said afterwards", who, m)
		}
	}
}
