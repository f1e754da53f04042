package admin_test

import (
	"strings"
	"testing"
	"time"
)

// What was found in a conversation says where: by message, with offset and length, and for trackers which words speak for it, so that a
// page can show it in the transcript.
func TestHitsSayWhere(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	path := "/conversations/" + vars["$conversation"]
	deadline := time.After(20 * time.Second)
	for found := ""; !strings.Contains(found, vars["$tracker"]) || !strings.Contains(found, `"seq":3,`); { // hit, and looked at to its end
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("nothing was found: %s", found)
		}
		_, found = s.Do("GET", path+"/hits", "", "Authorization", "Bearer "+vars["$all"])
	}
	s.Play(`
GET /conversations/$conversation/timeline
-> 200 {"message":["$_",{"seq":2,"id":"$second"},"$_"]}

GET /conversations/$conversation/hits
-> 200 {"conversationId":"$conversation","number":"$number","seq":3,"lastSeq":3,"label":[],
 "tracker":[{"id":"$tracker","name":"Messages","phrase":"message 2","offset":0,"length":9,"similarity":1,"words":["message","2"],"seq":2,"messageId":"$second"}],
 "entity":[{"id":"$absent","type":"NUMBER","category":"Managed","value":"1","offset":8,"length":1,"seq":1,"messageId":"$_"},
  {"value":"2","offset":8,"length":1,"seq":2,"messageId":"$second"},{"value":"3","seq":3,"messageId":"$_"}]}
`, vars)
}
