package ws_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Who subscribes again while it is still being told what it missed is told from the new position on, in order, and nothing more of
// the first answer; acks of posts that were on their way come once.
func TestSubscribingAgainStartsAnew(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	const n = 350 // several pages
	for i := 2; i <= n; i++ {
		anna.ask("post", in(id, text(fmt.Sprint("m", i))))
	}
	const rounds = 20
	for range rounds {
		c, _ := s.connect("anna")
		var frame strings.Builder
		const again = 4
		for i := range again {
			post, err := json.Marshal(in(id, text(fmt.Sprint("m", n-i)))) // a repeat: acknowledged, and nothing new
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&frame, `{"id":"s%d","subscribe":{"conversation":"%s","after":%d}}`+"\n", i, id, 10*i)
			fmt.Fprintf(&frame, `{"id":"p%d","post":%s}`+"\n", i, post)
		}
		c.send(frame.String())
		acks := map[string]int{}
		last := int64(-1)
		for last < n || len(acks) < again {
			o, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			var reply string
			_ = json.Unmarshal(o["id"], &reply) // "" for what is no reply
			switch {
			case strings.HasPrefix(reply, "s"):
				var ok struct{ After, Seq int64 }
				if err := json.Unmarshal(o["ok"], &ok); err != nil || ok.Seq != n {
					t.Fatalf("subscribe = %s", o["ok"])
				}
				last = ok.After
			case strings.HasPrefix(reply, "p"):
				if acks[reply]++; o["error"] != nil || acks[reply] > 1 {
					t.Errorf("reply %d to %s: %s%s", acks[reply], reply, o["ok"], o["error"])
				}
				var ok struct{ Seq int64 }
				if err := json.Unmarshal(o["ok"], &ok); err != nil {
					t.Fatal(err)
				}
				if ok.Seq == last+1 { // an ack stands in the place of its message
					last = ok.Seq
				}
			case o["message"] != nil:
				var m shown
				if err := json.Unmarshal(o["message"], &m); err != nil {
					t.Fatal(err)
				}
				if m.Prev != last || m.Seq != last+1 {
					t.Fatalf("after %d comes %d, which says that %d was before it", last, m.Seq, m.Prev)
				}
				last = m.Seq
			}
		}
		c.conn.CloseNow()
	}
}
