package ws_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/store/storetest"
	"parley/ws"
)

// Whatever a client that is let in sends: each request of it is answered once, in JSON, or the session ends with a code of the table that
// is not the server's fault; and the record stays whole.
func FuzzSession(f *testing.F) {
	s := newSite(f, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"].(string)
	conversation, err := parley.ParseID[parley.Conversation](id)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		ctx := context.Background() // f's has ended
		err := s.store.View(ctx, func(tx parley.Tx) error {
			c, err := tx.Conversation(ctx, parley.DefaultTenant, conversation)
			if err != nil {
				return err
			}
			all, err := tx.Messages(ctx, parley.MessageQuery{Tenant: c.Tenant, Conversation: c.ID, Limit: int(c.Seq) + 1})
			for _, wrong := range storetest.Faults(c, all) {
				f.Error(wrong)
			}
			return err
		})
		if err != nil {
			f.Error(err)
		}
	})
	for _, op := range []string{
		`"ping":{}`, `"post":{"messageId":"a","type":{"value":"text"},"content":{"text":"x","json":{"a":[1]}},"conversation":{"id":"ID"}}`,
		`"post":{"type":{"value":"conversation.end"},"conversation":{"id":"ID"}}`, `"post":{"type":{"value":"delete.soft"},"parent":{"messageId":"a"},"conversation":{"id":"ID"}}`,
		`"open":{"message":{"messageId":"b","type":{"value":"text"},"content":{"text":"x"}}}`, `"open":{"conversation":"ID","after":1}`,
		`"subscribe":{"conversation":"ID","after":0}`, `"subscribe":{"all":true}`, `"history":{"conversation":"ID","before":3,"after":1,"limit":2}`,
		`"typing":{"conversation":"ID","on":true}`, `"read":{"conversation":"ID","seq":1}`, `"refresh":{"token":"anna"}`,
		`"take":{"role":"customer","atOnce":1}`, `"outcome":{"delivery":"x","outcome":"retry","after":1,"reason":"r"}`, `"heartbeat":{}`, `"connect":{"token":"anna"}`,
	} {
		f.Add(`{"id":"1",` + op + `}`)
		f.Add(`{"id":"1",` + op + "}\n" + `{"id":"2",` + op + `}`)
	}
	var codes []websocket.StatusCode
	for _, c := range ws.CloseCodes() {
		if c.Name != "internal" {
			codes = append(codes, c.Code)
		}
	}
	f.Fuzz(func(t *testing.T, frame string) {
		if strings.Contains(frame, "fuzz-end") {
			t.Skip("is ours")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, _, err := websocket.Dial(ctx, s.http.URL, &websocket.DialOptions{Subprotocols: []string{ws.Subprotocol}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		conn.SetReadLimit(1 << 24)
		send := func(text string) { _ = conn.Write(ctx, websocket.MessageText, []byte(text)) } // if it fails, reading does too
		send(`{"id":"fuzz-begin","connect":{"token":"anna"}}`)
		send(strings.ReplaceAll(frame, "ID", id))
		send(`{"id":"fuzz-end","ping":{}}`)
		for ended := false; !ended; {
			_, data, err := conn.Read(ctx)
			if err != nil {
				if code := websocket.CloseStatus(err); !slices.Contains(codes, code) && code != websocket.StatusInvalidFramePayloadData {
					t.Errorf("%q ends with %v", frame, err)
				}
				break
			}
			for line := range strings.Lines(string(data)) {
				var o map[string]json.RawMessage
				if err := json.Unmarshal([]byte(line), &o); err != nil || len(o) == 0 {
					t.Fatalf("%q is answered %q: %v", frame, line, err)
				}
				ended = ended || string(o["id"]) == `"fuzz-end"`
				if strings.Contains(string(o["error"]), `"500-`) {
					t.Errorf("%q is a fault of the server: %s", frame, line)
				}
			}
		}
	})
}
