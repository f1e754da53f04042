package agentapi_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/rest/agentapi"
	"parley/rest/resttest"
)

// Keys that are none are forbidden, before anything else is looked at.
func TestKeysAreWanted(t *testing.T) {
	s := newStage(t)
	soon := s.newKey(s.agent.ID, time.Now().Add(time.Hour))
	for key, want := range map[string]int{"": 403, "x": 403, s.key + "x": 403, "  " + s.key + " ": 200, soon: 200} {
		if status, text := s.call("GET", "/conversations", "", "Agent-Secret-Key", key); status != want {
			t.Errorf("key %.8q answered %d %s", key, status, text)
		}
	}
	if res, text := s.Do("GET", agentapi.Prefix+"/unknown", "", "Agent-Secret-Key", "x"); res.StatusCode != 403 || text != `{"status":403,"name":"FORBIDDEN_ERROR","message":"INVALID_CREDENTIALS","details":[]}` {
		t.Errorf("an unknown route with a bad key answered %d %s", res.StatusCode, text)
	}
	brief := s.newKey(s.agent.ID, time.Now().Add(3*time.Second))
	for late, want := range []int{200, 403} { // though it was good a moment ago
		s.late.Store(int64(late) * int64(4*time.Second))
		if status, _ := s.call("GET", "/conversations", "", "Agent-Secret-Key", brief); status != want {
			t.Errorf("%d times 4 s later a key for 3 s answered %d", late, status)
		}
	}
	s.late.Store(int64(6 * time.Second)) // a good key is not looked up again for 5 s
	id, _, _ := strings.Cut(s.key, ".")
	if err := s.admin.RevokeKey(t.Context(), administrator, id); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.call("GET", "/conversations", ""); status != 403 {
		t.Errorf("a revoked key answered %d", status)
	}
	if status, _ := s.call("GET", "/conversations", "", "Agent-Secret-Key", soon); status != 200 {
		t.Errorf("another key of the agent answered %d", status)
	}
	lasting := s.newKey(s.agent.ID, time.Time{})
	s.late.Store(int64(2 * time.Hour))
	if status, _ := s.call("GET", "/conversations", "", "Agent-Secret-Key", soon); status != 403 {
		t.Errorf("an expired key answered %d", status)
	}
	if status, _ := s.call("GET", "/conversations", "", "Agent-Secret-Key", lasting); status != 200 {
		t.Errorf("a key that does not expire answered %d", status)
	}
	if status, _ := s.call("GET", "/conversations", "", "Agent-Secret-Key", s.newBrokerKey()); status != 403 {
		t.Errorf("a key of the broker's surface answered %d", status)
	}
	if err := s.bots.Delete(t.Context(), parley.DefaultTenant, s.agent.ID); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.call("GET", "/conversations", "", "Agent-Secret-Key", lasting); status != 403 {
		t.Errorf("the key of a deleted agent answered %d", status)
	}
}

// No agent sees, changes or learns of what is another's, of its own tenant or of another: each operation of the document that names something
// says that there is none (guarantee G8).
func TestOtherAgentsSeeNothing(t *testing.T) {
	for name, stranger := range map[string]func(*stage) string{
		"of the same tenant": func(s *stage) string {
			_, key := s.newAgent("Other")
			return key
		},
		"of another tenant": func(s *stage) string { return s.newAgentElsewhere("Other") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			seesNothing(t, s, stranger(s))
		})
	}
}

func seesNothing(t *testing.T, s *stage, stranger string) {
	t.Helper()
	path := s.open()
	reply := s.say(path, "hello")
	upload := s.must("POST", path+"/message-files/upload-url", `{"fileName":"a.txt","contentType":"text/plain"}`, 200)
	file := strings.Split(upload["storagePath"].(string), "/")[2]
	strangers := s.must("POST", "/users", `{"firstName":"A","lastName":"B","fkId":"crm-881"}`, 201, "Agent-Secret-Key", stranger)["id"].(string) // the same name is free there
	replace := strings.NewReplacer("{id}", strings.TrimPrefix(path, "/conversations/"), "{questionMessageId}", reply["conversationMessageId"].(string), "{fileId}", file)
	tried := 0
	for name, item := range resttest.Document(t, agentapi.Document).Paths.Map() {
		for method := range item.Operations() {
			target := replace.Replace(strings.TrimPrefix(name, agentapi.Prefix))
			want, body := 404, "{}"
			switch {
			case name == "/external/users/{id}":
				target = "/users/" + s.user
			case name == "/external/users/search":
				target += "?email=ines@example.org"
			case name == "/external/conversations" && method == "POST":
				body = `{"conversationUserId":"` + s.user + `"}`
			case name == "/external/conversations" && method == "DELETE":
				want, body = 204, `{"conversationUserId":"`+s.user+`"}`
			case name == "/external/conversation-message-feedbacks":
				body = `{"conversationMessageId":"` + reply["id"].(string) + `","userId":"` + strangers + `","voteType":"up","question":"q"}`
			case !strings.Contains(name, "{"):
				continue // names nothing
			}
			tried++
			if method == "GET" {
				body = ""
			}
			if status, text := s.call(method, target, body, "Agent-Secret-Key", stranger); status != want || strings.Contains(text, "Ines") {
				t.Errorf("%s %s answered %d %s to a stranger", method, target, status, text)
			}
		}
	}
	if tried != 16 {
		t.Errorf("%d operations name something, want 16", tried)
	}
	if _, text := s.call("GET", "/conversations", "", "Agent-Secret-Key", stranger); !strings.Contains(text, `"totalItems":0`) {
		t.Errorf("a stranger lists %s", text)
	}
	if profile := s.must("GET", "/agents/by-api-key", "", 200, "Agent-Secret-Key", stranger); profile["id"] == s.agent.ID.String() || profile["name"] != "Other" {
		t.Errorf("a stranger is %v", profile)
	}
	sent := `{"message":"x","files":[{"fileName":"a.txt","storagePath":"` + upload["storagePath"].(string) + `"}]}` // into a conversation of its own
	own := s.must("POST", "/conversations", `{"conversationUserId":"`+strangers+`"}`, 201, "Agent-Secret-Key", stranger)["id"].(string)
	if status, text := s.call("POST", "/conversations/"+own+"/messages", sent, "Agent-Secret-Key", stranger); status != 400 {
		t.Errorf("a stranger sends the file of another: %d %s", status, text)
	}
	answered := s.must("POST", "/conversations/"+own+"/messages", `{"message":"mine"}`, 201, "Agent-Secret-Key", stranger)["id"].(string)
	if status, text := s.call("POST", "/conversation-message-feedbacks", `{"conversationMessageId":"`+answered+`","userId":"`+s.user+`","voteType":"up","question":"q"}`, "Agent-Secret-Key", stranger); status != 404 {
		t.Errorf("a stranger notes what the user of another thinks: %d %s", status, text)
	}
	if lines := s.transcript(path); !slices.Equal(lines, []string{"conversation_user api: hello", "assistant api: you said hello"}) {
		t.Errorf("afterwards %v", lines)
	}
	profile := s.must("GET", "/agents/by-api-key", "", 200)
	if profile["id"] != s.agent.ID.String() || profile["name"] != "Rex" || profile["status"] != "active" || profile["organizationId"] != parley.DefaultOrganisation.String() {
		t.Errorf("the agent is %v", profile)
	}
}
