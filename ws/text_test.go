package ws_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"parley"
	"parley/store"
	"parley/store/storetest"
)

// Characters that databases, or other programs, do not take, in every text of a message: the message is stored and told as it was said,
// or refused, on every kind of store; nothing is a fault of the server, and what is said next goes on.
func TestHostileTexts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := newSiteOn(t, open(t), nil)
		anna, _ := s.connect("anna")
		id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"].(string)
		agent, _ := s.connect("dana")
		agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
		n, told := 0, 0
		for _, bad := range []string{`\u0000`, `\ud83d`, `\udc00\ud83d`, `\uffff`, `\u202e`, `\u2028`, `\u0007`, `\ud83d\ude00`, `'; DROP TABLE messages; --`, `%s%n$1?`, `\\`} {
			for _, field := range []string{
				`"messageId":"X"`, `"type":{"value":"X"}`, `"content":{"text":"X"}`, `"content":{"text":"x","html":"X"}`, `"content":{"text":"x","json":{"X":"X"}}`,
				`"content":{"text":"x","X":"X"}`, `"sender":{"type":"X"}`, `"sender":{"type":"customer","participant":{"name":"X"}}`, `"sender":{"type":"customer","participant":{"id":"X"}}`,
				`"recipients":{"recipient":[{"type":"X"}]}`, `"parent":{"messageId":"X"}`, `"attributes":{"attribute":[{"name":"X","value":"X"}]}`,
				`"attachments":{"attachment":[{"url":"https://x.example/X","name":"X","contentType":"X"}]}`, `"attachments":{"attachment":[{"id":"X"}]}`,
				`"conversation":{"id":"X"}`, `"conversation":{"id":"ID","language":"X","clientInfo":{"X":"X","referrerName":"X"}}`,
				`"conversation":{"id":"ID","customer":{"name":"X","attributes":[{"name":"X","value":"X"}],"contacts":{"contact":[{"type":"X","address":"X"}]}}}`,
				`"conversation":{"id":"ID","campaign":{"id":"X","source":"X","medium":"X","name":"X","content":"X","term":"X"}}`,
			} {
				n++
				members := map[string]string{"messageId": fmt.Sprintf(`"messageId":"%d"`, n), "type": `"type":{"value":"text"}`, "content": `"content":{"text":"x"}`, "conversation": `"conversation":{"id":"ID"}`}
				name := strings.Split(field, `"`)[1]
				members[name] = field
				var all []string
				for _, m := range members {
					all = append(all, m)
				}
				object := strings.NewReplacer("X", bad, "ID", id).Replace("{" + strings.Join(all, ",") + "}")
				newcomer := s.grants["anna"] // whose message begins a conversation
				newcomer.Speaker.Contact = fmt.Sprint("newcomer", n)
				s.grant("newcomer", newcomer)
				begins, _ := s.connect("newcomer")
				for frame, c := range map[string]*client{`{"id":"x","post":` + object + `}`: anna, `{"id":"x","open":{"message":` + object + `}}`: begins} {
					got := c.hears(frame)
					if got != "ok" && (!strings.HasPrefix(got, "4") || !strings.Contains(got, "-")) {
						t.Fatalf("%s is answered %s", frame, got)
					}
					if got == "ok" {
						told++
					}
				}
				begins.conn.CloseNow()
			}
		}
		if told < n/2 {
			t.Errorf("of %d messages %d were taken", 2*n, told)
		}
		anna.ask("post", in(id, text("the last")))
		for { // each message reaches the other side as JSON
			if m := agent.message(); m.Conversation == id && m.Message.Content.Text == "the last" {
				break
			}
		}
		page := anna.ask("history", map[string]any{"conversation": id, "limit": 100})
		if _, err := json.Marshal(page); err != nil {
			t.Error(err)
		}
		conversation, err := parley.ParseID[parley.Conversation](id)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Check(t, s.store, parley.DefaultTenant, conversation)
	})
}
