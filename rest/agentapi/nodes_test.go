package agentapi_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/directory"
	"parley/hub"
	"parley/rest/agentapi"
	"parley/store"
	"parley/store/keyset"
	"parley/store/storetest"
)

// onNodes runs a test with two nodes on one record, each with a store, a hub and a surface of its own; they share nothing else, and the agent. What the
// first one asks of its hub goes through between; nil = as it is.
func onNodes(t *testing.T, between func(agentapi.Hub) agentapi.Hub, test func(t *testing.T, one, two *stage)) {
	for name, record := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return filepath.Join(t.TempDir(), "parley.db") },
		"postgres": storetest.PostgresURL,
	} {
		t.Run(name, func(t *testing.T) {
			seal, err := keyset.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			url, sealed := record(t), func(c *store.Config) { c.Seal = seal }
			one, two := newNode(t, storetest.OpenURL(t, url, sealed), between), newNode(t, storetest.OpenURL(t, url, sealed), nil)
			one.agent, one.key = one.newAgent("Rex")
			two.agent, two.key = one.agent, one.key
			test(t, one, two)
		})
	}
}

// A heldBegin lets the first conversation that is begun wait: before it is, or when only what is known beside it is missing.
type heldBegin struct {
	agentapi.Hub
	begun bool
	once  sync.Once
	at    chan struct{} // closed when it comes
	may   chan struct{}
}

func (h *heldBegin) wait() {
	h.once.Do(func() {
		close(h.at)
		<-h.may
	})
}

func (h *heldBegin) Begin(ctx context.Context, b hub.BeginRequest) (parley.ConversationID, error) {
	if !h.begun {
		h.wait()
	}
	id, err := h.Hub.Begin(ctx, b)
	if h.begun {
		h.wait()
	}
	return id, err
}

const startBoth = `{"channel":"email","firstName":"A","lastName":"B","email":"both@example.org","emailSubject":"s","emailIntroduction":"i"`

// started is the conversation that a start answered.
func (s *stage) started(body string) string {
	s.t.Helper()
	status, text := s.call("POST", "/conversations/start", body)
	id, ok := strings.CutPrefix(strings.TrimSpace(text), `{"conversationId":"`)
	if status != 201 || !ok {
		s.t.Errorf("a start answered %d %s", status, text)
	}
	return strings.TrimSuffix(id, `"}`)
}

// statuses are those of the conversations that there are, by id.
func (s *stage) statuses() map[string]parley.AgentStatus {
	s.t.Helper()
	out := map[string]parley.AgentStatus{}
	if err := s.store.View(s.t.Context(), func(tx parley.Tx) error {
		all, _, err := tx.ListAgentConversations(s.t.Context(), parley.AgentQuery{Tenant: parley.DefaultTenant, Agent: s.agent.ID, Limit: 100})
		for _, a := range all {
			out[a.Conversation.ID.String()] = a.Status
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// A heldHub lets the first call wait that goes to the hub under a name.
type heldHub struct {
	agentapi.Hub
	name string        // "" = none
	at   chan struct{} // closed when it comes
	may  chan struct{}
}

func (h *heldHub) wait(name string) {
	if h.name == name {
		close(h.at)
		<-h.may
	}
}

func (h *heldHub) Begin(ctx context.Context, b hub.BeginRequest) (parley.ConversationID, error) {
	h.wait("begin")
	return h.Hub.Begin(ctx, b)
}

func (h *heldHub) Post(ctx context.Context, r hub.PostRequest) ([]hub.Posted, error) {
	h.wait("post")
	return h.Hub.Post(ctx, r)
}

func (h *heldHub) SetManual(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, manual bool) error {
	h.wait("mode")
	return h.Hub.SetManual(ctx, tenant, id, manual)
}

// An agent that goes while a call of its key is on its way leaves nobody without an answer: deleted, its key is good for nothing; switched off, it
// begins nothing, and still answers in what it has begun.
func TestAgentGoesBehindTheDoor(t *testing.T) {
	for name, c := range map[string]struct {
		held, method, path, body string
		off                      int // what it answers when the agent is switched off
	}{
		"create": {"begin", "POST", "/conversations", `{"conversationUserId":"@user"}`, 400},
		"start":  {"begin", "POST", "/conversations/start", startBoth + `}`, 400},
		"send":   {"post", "POST", "@conversation/messages", `{"message":"hello"}`, 201},
		"async":  {"post", "POST", "@conversation/messages/async", `{"message":"hello"}`, 201},
		"mode":   {"mode", "PUT", "@conversation/mode", `{"mode":"manual"}`, 200},
	} {
		for _, deleted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, deleted: %t", name, deleted), func(t *testing.T) {
				h := &heldHub{at: make(chan struct{}), may: make(chan struct{})}
				s := newNode(t, storetest.Open(t), func(its agentapi.Hub) agentapi.Hub { h.Hub = its; return h })
				s.agent, s.key = s.newAgent("Rex")
				s.user = s.must("POST", "/users", `{"firstName":"Ines","lastName":"Okafor","fkId":"crm-881"}`, 201)["id"].(string)
				named := strings.NewReplacer("@user", s.user, "@conversation", s.open())
				h.name = c.held
				answer := make(chan int, 1)
				go func() {
					status, text := s.call(c.method, named.Replace(c.path), named.Replace(c.body))
					if status == 201 && name == "send" && !strings.Contains(text, "you said hello") {
						t.Errorf("it answered %s", text)
					}
					answer <- status
				}()
				<-h.at
				want := c.off
				leave := func() error {
					return s.bots.Change(t.Context(), parley.DefaultTenant, s.agent.ID, func(b *directory.Bot) { b.Active = false })
				}
				if deleted {
					want, leave = 403, func() error { return s.bots.Delete(t.Context(), parley.DefaultTenant, s.agent.ID) }
				}
				err := leave()
				close(h.may)
				if got := <-answer; got != want || err != nil {
					t.Errorf("it answered %d, %v, want %d", got, err, want)
				}
			})
		}
	}
}

// Who is started on one node while another one is about to, or has just begun the conversation, has one; with a reset there are two, and only the
// later one is active.
func TestStartMeetsAnother(t *testing.T) {
	for name, begun := range map[string]bool{"before it": false, "after it": true} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/reset %t", name, reset), func(t *testing.T) {
				var h *heldBegin
				onNodes(t, func(its agentapi.Hub) agentapi.Hub {
					h = &heldBegin{Hub: its, begun: begun, at: make(chan struct{}), may: make(chan struct{})}
					return h
				}, func(t *testing.T, one, two *stage) {
					first := make(chan string, 1)
					go func() { first <- one.started(startBoth + fmt.Sprintf(`,"resetConversation":%t}`, reset)) }()
					<-h.at
					second := two.started(startBoth + fmt.Sprintf(`,"resetConversation":%t}`, reset))
					close(h.may)
					got := <-first
					later := got // who was held before it began comes later
					if begun {
						later = second
					}
					want := map[string]parley.AgentStatus{got: parley.AgentArchived, second: parley.AgentArchived, later: parley.AgentActive}
					if diff := cmp.Diff(want, two.statuses()); diff != "" || (got == second) == reset {
						t.Errorf("the starts made %s and %s (-want +got)\n%s", got, second, diff)
					}
					lines := []string{"assistant email: i", "assistant email: i"}
					if diff := cmp.Diff(lines[:2-len(want)+1], two.transcript("/conversations/"+later)); diff != "" {
						t.Errorf("said (-want +got)\n%s", diff)
					}
					if again := one.started(startBoth + `}`); again != later {
						t.Errorf("the next start goes on with %s, not %s", again, later)
					}
				})
			})
		}
	}
}

// What a start gave is not lost when another one finds the conversation before it is noted: it is as if they had come one after the other, so the
// title is the first one's, and of the rest the later one replaces what it gives.
func TestStartKeepsWhatItGave(t *testing.T) {
	for name, reset := range map[string]bool{"and another goes on": false, "and another resets": true} {
		t.Run(name, func(t *testing.T) {
			var h *heldBegin
			onNodes(t, func(its agentapi.Hub) agentapi.Hub {
				h = &heldBegin{Hub: its, begun: true, at: make(chan struct{}), may: make(chan struct{})}
				return h
			}, func(t *testing.T, one, two *stage) {
				first := make(chan string, 1)
				go func() {
					first <- one.started(strings.Replace(startBoth, `"emailSubject":"s"`, `"emailSubject":"first"`, 1) + `,"conversationContext":"a regular","customData":{"a":1}}`)
				}()
				<-h.at
				second := two.started(strings.Replace(startBoth, `"emailSubject":"s"`, `"emailSubject":"second"`, 1) + fmt.Sprintf(`,"customData":{"b":2},"resetConversation":%t}`, reset))
				close(h.may)
				got := <-first
				want, custom := "first a regular true "+string(parley.AgentActive), `{"b":2}`
				if reset {
					want = "first a regular true " + string(parley.AgentArchived)
				}
				id, err := parley.ParseID[parley.Conversation](got)
				if err != nil {
					t.Fatal(err)
				}
				if err := two.store.View(t.Context(), func(tx parley.Tx) error {
					a, err := tx.AgentConversation(t.Context(), parley.DefaultTenant, two.agent.ID, id)
					if is := fmt.Sprintf("%s %s %t %s", a.Title, a.Context, a.Titled, a.Status); is != want || string(a.CustomData) != custom {
						t.Errorf("of the first start there is %s %s, want %s %s", is, a.CustomData, want, custom)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				title := map[bool]string{false: "first", true: "second"}[reset]
				if shown := one.must("GET", "/conversations/"+second, "", 200); shown["title"] != title || (second == got) == reset {
					t.Errorf("the second start made %v, want the title %s", shown, title)
				}
			})
		})
	}
}

// However many start one person on two nodes at once, there is one conversation, and one user, each time there is none that is active; those that
// reset begin one each.
func TestStartsOnNodes(t *testing.T) {
	onNodes(t, nil, func(t *testing.T, one, two *stage) {
		nodes := []*stage{one, two}
		atOnce := func(body string) []string {
			const many = 10
			ids := make([]string, many)
			var all sync.WaitGroup
			for i := range ids {
				all.Go(func() { ids[i] = nodes[i%2].started(body) })
			}
			all.Wait()
			slices.Sort(ids)
			return slices.Compact(ids)
		}
		two.late.Store(int64(-time.Minute)) // clocks of nodes differ
		before := ""
		for round := range 4 {
			ids := atOnce(startBoth + `}`)
			if len(ids) != 1 || ids[0] == before || len(one.statuses()) != round+1 {
				t.Fatalf("round %d: the starts made %v, and there are %v", round, ids, one.statuses())
			}
			before = ids[0]
			if lines := one.transcript("/conversations/" + before); len(lines) != 10 {
				t.Errorf("round %d: it was introduced %d times", round, len(lines))
			}
			nodes[round%2].must("PUT", "/conversations/"+before, `{"status":"inactive"}`, 200)
		}
		ids := atOnce(startBoth + `,"resetConversation":true}`)
		active := 0
		for _, status := range one.statuses() {
			if status == parley.AgentActive {
				active++
			}
		}
		if len(ids) != 10 || active != 1 {
			t.Errorf("ten resets made %d conversations, of which %d are active", len(ids), active)
		}
		found := one.must("GET", "/users/search?email=both@example.org", "", 200)
		if n := len(found["conversationIds"].([]any)); n != 14 {
			t.Errorf("the user has %d conversations, want 14", n)
		}
	})
}

// When all conversations with a user were deleted, the next start makes one as the first did.
func TestStartAfterAllIsDeleted(t *testing.T) {
	s := newStage(t)
	const ines = `{"channel":"sms","firstName":"Ines","lastName":"Okafor","fkId":"crm-881","phoneNumber":"+4912345678","smsIntroduction":"Hi"}`
	first := s.started(ines)
	s.must("DELETE", "/conversations", `{"conversationUserId":"`+s.user+`"}`, 204)
	second := s.started(ines)
	if diff := cmp.Diff([]string{"assistant sms: Hi"}, s.transcript("/conversations/"+second)); diff != "" || second == first {
		t.Errorf("made %s, after %s (-want +got)\n%s", second, first, diff)
	}
}
