package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"parley"
	"parley/internal/loopback"
)

// The timeline tells when a message was shown and when it was read, whichever node is asked and whichever the sessions were on: the customer
// looks at what came, and the agent only gets it and comes back later, from another node if there is one.
func TestTimelineTellsWhatWasShown(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := append([]string{"--data", t.TempDir(), "--bootstrap-client", bootstrap, "--public-url", "http://127.0.0.1:9"}, parts(t)...)
			nodes := map[string]int{"embedded": 1, "servers": 2}[name]
			var bases []string
			for range nodes {
				address, err := loopback.FreeAddress(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				startProcess(t, nil, append([]string{"--listen", address}, more...)...)
				bases = append(bases, "http://"+address)
			}
			first, last := bases[0], bases[nodes-1]
			c, err := login(t.Context(), first)
			if err != nil {
				t.Fatal(err)
			}
			c.webChat(t, "shown")
			dana := c.boundToken(t, parley.ConsoleApplication.String(), "custom_agent")
			anna, agent := connectLive(t, first, customerToken(t, first, "shown")), connectLive(t, last, dana)
			said := func(id, text string) object {
				return object{"messageId": id, "type": object{"value": "text"}, "content": object{"text": text}}
			}
			id := anna.ask("open", object{"message": said("m1", "hello")})["conversation"].(string)
			answer := said("a1", "Hi Anna")
			answer["conversation"] = object{"id": id}
			begin := time.Now().Truncate(time.Millisecond)
			agent.ask("subscribe", object{"conversation": id, "after": 0})
			agent.ask("post", answer)
			for seq := 0.0; seq < 2; {
				seq = anna.wait("message")["seq"].(float64)
			}

			type moment struct{ shown, read string }
			// moments are what the timeline says of the recipients of the two texts, by role.
			moments := func(base string) map[string]moment {
				t.Helper()
				var all struct {
					Message []struct {
						Seq        int64
						Type       string
						Recipients []struct{ Role, Shown, Read string }
					}
				}
				asking := *c
				asking.base = base
				if err := asking.call(t.Context(), http.MethodGet, "/admin/v1/conversations/"+id+"/timeline", nil, http.StatusOK, &all); err != nil {
					t.Fatal(err)
				}
				found := map[string]moment{}
				for _, m := range all.Message {
					for _, r := range m.Recipients {
						if m.Type == "text" {
							found[fmt.Sprint(m.Seq, " ", r.Role)] = moment{r.Shown, r.Read}
						}
					}
				}
				return found
			}
			const toAgent, toCustomer = "1 custom_agent", "2 customer"
			before := moments(first)
			for _, to := range []string{toAgent, toCustomer} {
				if got, ok := before[to]; !ok || got != (moment{}) {
					t.Errorf("%s: %+v, %v before any client said what it has; the timeline has %v", to, got, ok, before)
				}
			}
			anna.ask("read", object{"conversation": id, "seq": 2})
			agent.conn.CloseNow()
			connectLive(t, first, dana, object{"conversation": id, "after": 2}).conn.CloseNow()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			late := time.After(20 * time.Second)
			for moments(last)[toAgent].shown == "" {
				select {
				case <-tick.C:
				case <-late:
					t.Fatalf("the timeline never tells that the agent was shown the question: %v", moments(last))
				}
			}
			got := moments(last)
			for _, base := range bases {
				if other := moments(base); other[toAgent] != got[toAgent] || other[toCustomer] != got[toCustomer] {
					t.Errorf("the nodes tell %v and %v", other, got)
				}
			}
			for to, m := range map[string]moment{toAgent: got[toAgent], toCustomer: got[toCustomer]} {
				at, err := time.Parse(time.RFC3339, m.shown)
				if err != nil || at.Before(begin) || at.After(time.Now()) {
					t.Errorf("%s was shown at %q, want between %s and now", to, m.shown, begin.UTC())
				}
			}
			if got[toAgent].read != "" || got[toCustomer].read == "" || got[toCustomer].shown > got[toCustomer].read {
				t.Errorf("the agent never read and the customer did; the timeline says %v", got)
			}
		})
	}
}
