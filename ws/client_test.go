package ws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A client is a raw client of the protocol.
type client struct {
	t    testing.TB
	conn *websocket.Conn
	in   []map[string]json.RawMessage // read, not yet looked at
	n    int

	heartbeats bool // are looked at
}

func (c *client) send(raw string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(raw)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// next is the next object from the server, heartbeats apart.
func (c *client) next() (map[string]json.RawMessage, error) {
	for len(c.in) == 0 {
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
		_, data, err := c.conn.Read(ctx)
		cancel()
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			var o map[string]json.RawMessage
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				c.t.Fatalf("the server sent %q: %v", line, err)
			}
			if o["heartbeat"] == nil || c.heartbeats {
				c.in = append(c.in, o)
			}
		}
	}
	o := c.in[0]
	c.in = c.in[1:]
	return o, nil
}

// ask sends a request and wants its ok. What comes before the reply is kept for later.
func (c *client) ask(op string, in any) map[string]any {
	c.t.Helper()
	o := c.request(op, in)
	var ok map[string]any
	if o["ok"] == nil || json.Unmarshal(o["ok"], &ok) != nil {
		c.t.Fatalf("%s = %s, want ok", op, o["error"])
	}
	return ok
}

// refused sends a request and returns the code of the error that it wants.
func (c *client) refused(op string, in any) string {
	c.t.Helper()
	o := c.request(op, in)
	var e struct{ Code string }
	if o["error"] == nil || json.Unmarshal(o["error"], &e) != nil {
		c.t.Fatalf("%s = %s, want an error", op, o["ok"])
	}
	return e.Code
}

func (c *client) request(op string, in any) map[string]json.RawMessage {
	c.t.Helper()
	c.n++
	id := fmt.Sprint(c.n)
	body, err := json.Marshal(map[string]any{"id": id, op: in})
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(string(body))
	var kept []map[string]json.RawMessage
	for {
		o, err := c.next()
		if err != nil {
			c.t.Fatalf("%s: %v", op, err)
		}
		if string(o["id"]) == `"`+id+`"` {
			c.in = append(kept, c.in...)
			return o
		}
		kept = append(kept, o)
	}
}

type shown struct {
	Conversation string
	Seq, Prev    int64
	Message      struct {
		Type    struct{ Value string }
		Content struct{ Text string }
	}
}

// message is the next message.
func (c *client) message() shown {
	c.t.Helper()
	for {
		o, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for a message: %v", err)
		}
		var m shown
		if o["message"] != nil {
			if err := json.Unmarshal(o["message"], &m); err != nil {
				c.t.Fatal(err)
			}
			return m
		}
	}
}

// closed is the code with which the server ended the session.
func (c *client) closed() websocket.StatusCode {
	for {
		if _, err := c.next(); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func text(s string) map[string]any {
	return map[string]any{"messageId": s, "type": map[string]string{"value": "text"}, "content": map[string]string{"text": s}}
}

func in(conversation any, m map[string]any) map[string]any {
	m["conversation"] = map[string]any{"id": conversation}
	return m
}
