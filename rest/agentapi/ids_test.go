package agentapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Whatever is made here gets a UUID of version 7, in lower case (reference 1).
func TestIDsAreOfVersion7(t *testing.T) {
	s := newStage(t)
	things := s.things(t)
	path := "/conversations/" + things["{id}"]
	s.must("PUT", path+"/mode", `{"mode":"manual"}`, 200)
	started := s.must("POST", "/conversations/start", `{"channel":"sms","firstName":"Bo","lastName":"Li","phoneNumber":"+4912345678","smsIntroduction":"Hi"}`, 201)
	ids := map[string]any{"a user": things["@user"], "a conversation": things["{id}"], "a question": things["{questionMessageId}"], "an answer": things["@reply"], "a state": things["@state"], "a file": things["{fileId}"],
		"a started conversation": started["conversationId"], "its user": s.must("GET", "/conversations/"+started["conversationId"].(string), "", 200)["conversationUserId"],
		"an introduction":    s.must("GET", "/conversations/"+started["conversationId"].(string)+"/messages", "", 200)["messages"].([]any)[0].(map[string]any)["id"],
		"what a person says": s.must("POST", path+"/send-manual-message", `{"message":"Me"}`, 200)["id"],
		"a feedback":         s.must("POST", "/conversation-message-feedbacks", `{"conversationMessageId":"`+things["@reply"]+`","userId":"`+things["@user"]+`","voteType":"up","question":"hello"}`, 201)["id"]}
	for what, id := range ids {
		text, _ := id.(string)
		if read, err := uuid.Parse(text); err != nil || read.Version() != 7 || read.String() != text {
			t.Errorf("the id of %s is %v", what, id)
		}
	}
}

// What was made or changed in the same moment is listed by id, so that nothing is on two pages or on none (reference 4.1).
func TestEqualTimesAreListedByID(t *testing.T) {
	type listed struct{ ID, CreatedAt, UpdatedAt string }
	s := newStage(t)
	now := time.Now()
	s.stands.Store(&now)
	for range 9 {
		s.open()
	}
	for _, by := range []string{"createdAt", "updatedAt"} {
		for direction, sign := range map[string]int{"ASC": 1, "DESC": -1} {
			var all []listed
			for page := 1; page <= 5; page++ {
				status, text := s.call("GET", fmt.Sprintf("/conversations?orderBy=%s&orderDirection=%s&pageSize=2&page=%d", by, direction, page), "")
				var got struct{ Data []listed }
				if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 {
					t.Fatalf("page %d answered %d %s", page, status, text)
				}
				all = append(all, got.Data...)
			}
			want := slices.Clone(all)
			slices.SortFunc(want, func(a, b listed) int { return sign * strings.Compare(a.ID, b.ID) })
			if len(all) != 9 || all[0].CreatedAt != all[8].CreatedAt || all[0].UpdatedAt != all[8].UpdatedAt || !slices.Equal(all, want) {
				t.Errorf("by %s %s it lists\n%v, want\n%v", by, direction, all, want)
			}
		}
	}
}
