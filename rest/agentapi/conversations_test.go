package agentapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// A conversation begins without a word, is shown with its user, and changes as its caller says.
func TestConversationsAreMadeAndChanged(t *testing.T) {
	s := newStage(t)
	states := func() (all []map[string]any) {
		status, text := s.call("GET", "/conversations/states", "")
		if err := json.Unmarshal([]byte(text), &all); err != nil || status != 200 {
			t.Fatalf("states answered %d %s", status, text)
		}
		return all
	}
	complete := states()[4]["id"].(string)
	made := s.must("POST", "/conversations", `{"conversationUserId":"`+strings.ToUpper(s.user)+`","title":"Heat pump quote","context":"secret context","customData":{"lead":"web"},"conversationStateId":"`+complete+`"}`, 201)
	id := made["id"].(string)
	path := "/conversations/" + id
	want := map[string]any{"id": id, "conversationUserId": s.user, "title": "Heat pump quote", "aiConversationId": made["aiConversationId"], "metadata": map[string]any{"customData": map[string]any{"lead": "web"}},
		"mode": "ai", "conversationStateId": complete, "createdAt": made["createdAt"], "updatedAt": made["createdAt"], "assignedUser": nil, "isAnonymized": false,
		"user": map[string]any{"id": s.user, "firstName": "Ines", "lastName": "Okafor", "email": "ines@example.org", "fkId": "crm-881", "context": "likes blue", "metadata": map[string]any{}, "isAnonymized": false}}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("created (-want +got)\n%s", diff)
	}
	want["feedbacks"] = []any{}
	if diff := cmp.Diff(want, s.must("GET", path, "", 200)); diff != "" {
		t.Errorf("read again (-want +got)\n%s", diff)
	}
	same := s.must("PUT", path, `{"unknown":1}`, 200)
	if same["updatedAt"] != made["updatedAt"] {
		t.Error("an empty update moved updatedAt")
	}
	s.late.Store(int64(time.Minute))
	changed := s.must("PUT", path, `{"title":"New","conversationStateId":null,"status":"inactive"}`, 200)
	if changed["title"] != "New" || changed["conversationStateId"] != nil || changed["updatedAt"] == made["updatedAt"] || changed["status"] != nil || changed["context"] != nil {
		t.Errorf("changed: %v", changed)
	}
	s.must("PUT", path, `{"context":"new context"}`, 200)
	s.say(path, "hello") // active again, and the agent knows both contexts
	if about := s.told.Load().Background; about != "likes blue\n\nnew context" {
		t.Errorf("the agent is told %q", about)
	}
	if err := s.store.View(t.Context(), func(tx parley.Tx) error {
		conversation, _ := parley.ParseID[parley.Conversation](id)
		a, err := tx.AgentConversation(t.Context(), parley.DefaultTenant, s.agent.ID, conversation)
		if a.Status != parley.AgentActive {
			t.Errorf("after a message it is %s", a.Status)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if other := states(); other[4]["id"] != complete || other[0]["name"] != "New" || other[4]["isPersistent"] != true {
		t.Errorf("states %v", other)
	}
}

// Whatever is said or changed moves updatedAt, and nothing else does (reference 6).
func TestWhatMovesUpdatedAt(t *testing.T) {
	s := newStage(t)
	path := s.open()
	_, states := s.call("GET", "/conversations/states", "")
	state, _, _ := strings.Cut(strings.TrimPrefix(states, `[{"id":"`), `"`)
	before := s.must("GET", path, "", 200)["updatedAt"].(string)
	for i, test := range []struct {
		method, path, body string
		moves              bool
	}{
		{"POST", "/messages", `{"message":"hello"}`, true}, {"GET", "/messages", "", false}, {"PUT", "", `{}`, false}, {"PUT", "", `{"title":"New"}`, true}, {"PUT", "", `{"conversationStateId":"` + state + `"}`, true},
		{"PUT", "/mode", `{"mode":"ai"}`, false}, {"PUT", "/mode", `{"mode":"manual"}`, true}, {"PUT", "/mode", `{"mode":"manual"}`, false}, {"PUT", "/mode", `{}`, false},
		{"POST", "/send-manual-message", `{"message":"Me"}`, true}, {"POST", "/messages/async", `{"message":"thanks"}`, true}, {"PUT", "/mode", `{"mode":"ai"}`, true},
	} {
		s.late.Store(int64(time.Duration(i+1) * time.Minute))
		if status, text := s.call(test.method, path+test.path, test.body); status >= 300 {
			t.Fatalf("%s %s answered %d %s", test.method, test.path, status, text)
		}
		after := s.must("GET", path, "", 200)["updatedAt"].(string)
		if moved := after > before; moved != test.moves || after < before {
			t.Errorf("%s %s %s moved updatedAt from %s to %s", test.method, test.path, test.body, before, after)
		}
		before = after
	}
	s.must("POST", path+"/messages/async", `{"message":"slow"}`, 201) // a mode that waits for the running turn is a change, too
	s.thinking()
	defer close(s.hold)
	before = s.must("GET", path, "", 200)["updatedAt"].(string)
	s.late.Add(int64(time.Minute))
	if after := s.must("PUT", path+"/mode", `{"mode":"manual"}`, 200); after["updatedAt"].(string) <= before || after["mode"] != "manual" {
		t.Errorf("a mode that waits for a turn moved updatedAt from %s to %s", before, after["updatedAt"])
	}
}

// The longest that is allowed is taken, kept, and told to the agent whole.
func TestLongestTexts(t *testing.T) {
	s := newStage(t)
	title, about, message := strings.Repeat("é", 255), strings.Repeat("é", 256_000), strings.Repeat("é", 100_000)
	made := s.must("POST", "/conversations", `{"conversationUserId":"`+s.user+`","title":"`+title+`","context":"`+about+`","customData":{"x":"`+strings.Repeat("x", 600_000)+`"}}`, 201) // more than 1 MiB
	path := "/conversations/" + made["id"].(string)
	if made["title"] != title {
		t.Errorf("the title has %d bytes", len(made["title"].(string)))
	}
	if reply := s.must("POST", path+"/messages", `{"message":"`+message+`","context":"`+about+`"}`, 201); reply["message"] != "you said "+message {
		t.Errorf("the reply has %d bytes", len(reply["message"].(string)))
	}
	if told := s.told.Load(); told.Background != "likes blue\n\n"+about || told.Input.Note != about {
		t.Errorf("the agent is told %d and %d bytes", len(told.Background), len(told.Input.Note))
	}
	s.must("PUT", path, `{"title":"`+title[2:]+`x","context":"`+about+`"}`, 200)
}

// What a caller keeps with a conversation comes back with every digit; of members that are there twice the last one counts.
func TestCustomDataKeepsItsNumbers(t *testing.T) {
	s := newStage(t)
	const digits = `"customData":{"huge":1e999,"id":9007199254740993,"list":[1.10]}`
	status, text := s.call("POST", "/conversations", `{"conversationUserId":"`+s.user+`","customData":{"id":1,"id":9007199254740993,"huge":1e999,"list":[1.10]}}`)
	if status != 201 || !strings.Contains(text, digits) {
		t.Errorf("answered %d %s", status, text)
	}
	if _, text := s.call("GET", "/conversations", ""); !strings.Contains(text, digits) {
		t.Errorf("the list has %s", text)
	}
}

// States are the environment's, in its order: whoever administers it changes them, nobody does here. A conversation keeps its state as long as there is one.
func TestStates(t *testing.T) {
	s := newStage(t)
	status, text := s.call("GET", "/conversations/states", "")
	var all []map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil || status != 200 {
		t.Fatalf("answered %d %s", status, text)
	}
	var lines []string
	for _, one := range all {
		lines = append(lines, fmt.Sprintf("%v %v %v %v", one["name"], one["description"], one["color"], one["isPersistent"]))
	}
	want := []string{"New <nil> #2D9CDB false", "Open <nil> #27AE60 false", "In Process <nil> #F2C94C false", "Escalated <nil> #EB5757 false", "Complete <nil> #828282 true"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	waiting, open := parley.AgentState{Name: "Waiting", Description: "for the customer"}, all[1]["id"].(string)
	path := s.open()
	s.must("PUT", path, `{"conversationStateId":"`+open+`"}`, 200)
	for _, state := range []string{open, all[2]["id"].(string)} { // a start gives one, also to a conversation that goes on
		started := s.must("POST", "/conversations/start", `{"channel":"sms","firstName":"Bo","lastName":"Li","phoneNumber":"+4912345678","smsIntroduction":"Hi","conversationStateId":"`+state+`"}`, 201)
		if got := s.must("GET", "/conversations/"+started["conversationId"].(string), "", 200); got["conversationStateId"] != state {
			t.Errorf("started with the state %s it has %v", state, got["conversationStateId"])
		}
	}
	complete, err := parley.ParseID[parley.AgentState](all[4]["id"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.bots.PutStates(t.Context(), parley.DefaultTenant, []parley.AgentState{waiting, {ID: complete, Name: "Complete"}}); err != nil {
		t.Fatal(err)
	}
	if _, text := s.call("GET", "/conversations/states", ""); !strings.Contains(text, `"name":"Waiting","description":"for the customer","color":null,"isPersistent":false`) || strings.Contains(text, open) {
		t.Errorf("changed, the states are %s", text)
	}
	if got := s.must("GET", path, "", 200); got["conversationStateId"] != nil {
		t.Errorf("without its state the conversation is %v", got)
	}
	if status, _ := s.call("PUT", path, `{"conversationStateId":"`+open+`"}`); status != 404 {
		t.Errorf("a state that is gone answered %d", status)
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if status, _ := s.call(method, "/conversations/states", "{}"); status != 404 {
			t.Errorf("%s answered %d", method, status)
		}
	}
}

// Lists are paged, ordered and filtered; filters combine.
func TestConversationsAreListed(t *testing.T) {
	s := newStage(t)
	list := func(query string) (titles []string, page map[string]any) {
		page = s.must("GET", "/conversations"+query, "", 200)
		for _, c := range page["data"].([]any) {
			title, _ := c.(map[string]any)["title"].(string)
			titles = append(titles, title)
		}
		return titles, page
	}
	if titles, page := list(""); titles != nil || page["totalPages"] != 0.0 || page["pageSize"] != 10.0 || page["hasNextPage"] != false || page["hasPreviousPage"] != false {
		t.Errorf("of none: %v", page)
	}
	other := s.must("POST", "/users", `{"firstName":"Łukasz","lastName":"Nowak","phoneNumber":"+4912345678"}`, 201)["id"].(string)
	var paths []string
	for i, user := range []string{s.user, other, s.user} {
		s.late.Store(int64(time.Duration(i) * time.Minute))
		made := s.must("POST", "/conversations", fmt.Sprintf(`{"conversationUserId":%q,"title":"t%d"}`, user, i), 201)
		paths = append(paths, "/conversations/"+made["id"].(string))
	}
	s.late.Store(0)
	reply := s.say(paths[0], "hello")
	s.must("POST", "/conversation-message-feedbacks", fmt.Sprintf(`{"conversationMessageId":%q,"userId":%q,"voteType":"up","question":"hello"}`, reply["id"], s.user), 201)
	s.late.Store(int64(3 * time.Minute))
	s.must("PUT", paths[1], `{"title":"t1!"}`, 200)
	middle := time.Now().Add(90 * time.Second).UTC().Format(time.RFC3339)
	changed := s.must("GET", paths[1], "", 200)["updatedAt"].(string) // of the one that changed last
	justAfter := strings.Replace(changed, "Z", "5Z", 1)               // by half a millisecond
	for query, want := range map[string]string{
		"": "t2 t1! t0", "?orderDirection=ASC": "t0 t1! t2", "?orderBy=updatedAt": "t1! t2 t0", "?orderBy=updatedAt&orderDirection=ASC": "t0 t2 t1!", "?pageSize=2": "t2 t1!", "?pageSize=2&page=2": "t0",
		"?page=9": "", "?userId=" + other: "t1!", "?searchKeyword=%C5%81UKA": "t1!", "?searchKeyword=NOWAK": "t1!", "?searchKeyword=T2": "t2", "?searchKeyword=rex": "t2 t1! t0", "?searchKeyword=E": "t2 t1! t0", "?searchKeyword=_": "", "?searchKeyword=%25": "", "?searchKeyword=4912345": "t1!",
		"?searchKeyword=INES%40": "t2 t0", "?searchKeyword=t0&userId=" + other: "", "?withFeedbacksOnly=true": "t0", "?withFeedbacksOnly=false": "t2 t1! t0",
		"?startDate=" + middle: "t2 t1!", "?startDate=" + changed: "t1!", "?startDate=" + justAfter: "", "?endDate=" + changed: "t2 t1! t0", "?endDate=" + justAfter: "t2 t1! t0", "?endDate=" + middle: "t0", "?startDate=2030-01-01T00:00:00%2B02:00": "", "?startDate=" + middle + "&endDate=2020-01-01T00:00:00.123Z": "",
	} {
		if titles, _ := list(query); strings.Join(titles, " ") != want {
			t.Errorf("%s lists %v, want %s", query, titles, want)
		}
	}
	for _, status := range []string{"inactive", "archived"} { // those are listed, too
		s.must("PUT", paths[1], `{"status":"`+status+`"}`, 200)
		if titles, _ := list(""); strings.Join(titles, " ") != "t2 t1! t0" {
			t.Errorf("with an %s conversation it lists %v", status, titles)
		}
	}
	if _, page := list("?pageSize=2"); page["totalItems"] != 3.0 || page["totalPages"] != 2.0 || page["hasNextPage"] != true || page["hasPreviousPage"] != false || page["currentPage"] != 1.0 {
		t.Errorf("the first of two pages is %v", page)
	}
	if _, page := list("?pageSize=2&page=9"); page["hasNextPage"] != false || page["hasPreviousPage"] != true {
		t.Errorf("a page past the end is %v", page)
	}
	s.must("DELETE", "/conversations", `{"conversationUserId":"`+other+`"}`, 204)
	if titles, page := list(""); strings.Join(titles, " ") != "t2 t0" || page["totalItems"] != 2.0 {
		t.Errorf("with a deleted conversation it lists %v of %v", titles, page["totalItems"])
	}
	for _, query := range []string{"page=0", "page=x", "pageSize=101", "pageSize=0", "orderBy=title", "orderDirection=asc", "userId=x", "startDate=today", "endDate=1", "withFeedbacksOnly=1"} {
		if status, text := s.call("GET", "/conversations?"+query, ""); status != 400 || !strings.Contains(text, `"field":"`+strings.SplitN(query, "=", 2)[0]+`"`) {
			t.Errorf("%s answered %d %s", query, status, text)
		}
	}
}

// What is wrong with bodies, and in which order it is looked at.
func TestRequestsAreRefused(t *testing.T) {
	s := newStage(t)
	path, none := s.open(), "/conversations/"+s.user
	create, start := `{"conversationUserId":"`+s.user+`"`, `{"firstName":"A","lastName":"B"`
	hook := func(url, trigger string) string {
		return `{"title":"t","description":"d","url":"` + url + `","triggerCondition":"` + trigger + `"}`
	}
	long := func(n int) string { return `"` + strings.Repeat("é", n) + `"` }
	for _, test := range []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"POST", "/conversations", `{`, 400, "body"}, {"POST", "/conversations", `[]`, 400, "body"}, {"POST", "/conversations", `null`, 400, "body"}, {"POST", "/conversations", ``, 400, "body"},
		{"POST", "/conversations", `{}`, 400, "conversationUserId"}, {"POST", "/conversations", `{"conversationUserId":"x"}`, 400, "conversationUserId"}, {"POST", "/conversations", `{"conversationUserId":7}`, 400, "conversationUserId"},
		{"POST", "/conversations", create + `,"title":` + long(256) + `}`, 400, "title"}, {"POST", "/conversations", create + `,"context":` + long(256_001) + `}`, 400, "context"},
		{"POST", "/conversations", create + `,"customData":[]}`, 400, "customData"}, {"POST", "/conversations", create + `,"customData":` + strings.Repeat(`{"a":`, 51) + `1` + strings.Repeat("}", 52), 400, "customData"},
		{"POST", "/conversations", create + `,"title":"a\u0000"}`, 400, "title"},
		{"POST", "/conversations", create + `,"conversationStateId":"x"}`, 400, "conversationStateId"}, {"POST", "/conversations", create + `,"conversationStateId":"` + s.user + `"}`, 404, ""},
		{"POST", "/conversations", `{"conversationUserId":"` + s.agent.ID.String() + `"}`, 404, ""}, {"POST", "/conversations", `{"conversationUserId":"` + s.agent.ID.String() + `","title":7}`, 400, "title"},
		{"PUT", none, `{`, 404, ""}, {"PUT", path, `{"title":null}`, 400, "title"}, {"PUT", path, `{"status":"open"}`, 400, "status"}, {"PUT", path, `{"status":null}`, 400, "status"},
		{"PUT", path, `{"conversationStateId":""}`, 400, "conversationStateId"}, {"POST", path + "/send-manual-message", `{"message":"x","conversationMessageId":""}`, 400, "conversationMessageId"},
		{"PUT", path, `{"conversationStateId":"` + s.user + `"}`, 404, ""}, {"GET", none, "", 404, ""}, {"GET", "/conversations/x", "", 404, ""},
		{"DELETE", "/conversations", `{}`, 400, "conversationUserId"}, {"DELETE", "/conversations", ``, 400, "body"},
		{"PUT", none + "/mode", `{`, 404, ""}, {"PUT", path + "/mode", `{"mode":"human"}`, 400, "mode"}, {"PUT", path + "/mode", `{"mode":null}`, 400, "mode"}, {"PUT", path + "/mode", `[]`, 400, "body"},
		{"POST", none + "/messages", `{}`, 404, ""}, {"POST", path + "/messages", `{}`, 400, "message"}, {"POST", path + "/messages", `{"message":" "}`, 400, "message"}, {"POST", path + "/messages/async", `{"message":""}`, 400, "message"},
		{"POST", path + "/messages", `{"message":` + long(100_001) + `}`, 400, "message"}, {"POST", path + "/messages", `{"message":"x","files":[{"fileName":"a.pdf"}]}`, 400, "files[0].storagePath"},
		{"POST", path + "/messages", `{"message":"x","files":[{"fileName":"a.pdf","storagePath":"x"}]}`, 400, "files[0].storagePath"}, {"POST", path + "/messages", `{"message":"x","files":{}}`, 400, "files"}, {"POST", path + "/messages", `{"message":"x","files":["x"]}`, 400, "files"},
		{"GET", none + "/messages", "", 404, ""}, {"GET", path + "/messages?orderDirection=up", "", 400, "orderDirection"}, {"GET", path + "/messages?shouldIncludeFeedbacks=yes", "", 400, "shouldIncludeFeedbacks"},
		{"GET", none + "/messages/" + s.user + "/response-on", "", 404, ""}, {"GET", path + "/messages/" + s.user + "/response-on", "", 404, ""}, {"GET", path + "/messages/x/response-on", "", 404, ""},
		{"POST", none + "/send-manual-message", `{}`, 404, ""}, {"POST", path + "/send-manual-message", `{}`, 400, "message"}, {"POST", path + "/send-manual-message", `{"message":"x"}`, 400, "mode"},
		{"POST", path + "/send-manual-message", `{"message":"x","conversationMessageId":"x"}`, 400, "conversationMessageId"}, {"POST", path + "/send-manual-message", `{"message":"x","conversationMessageId":"` + s.user + `"}`, 404, ""},
		{"POST", none + "/message-files/upload-url", `{}`, 404, ""}, {"POST", path + "/message-files/upload-url", `{}`, 400, "fileName"}, {"POST", path + "/message-files/upload-url", `{"fileName":"a/b","contentType":"x/y"}`, 400, "fileName"},
		{"POST", path + "/message-files/upload-url", `{"fileName":"a.txt","contentType":"a b/"}`, 400, "contentType"}, {"GET", path + "/message-files/" + s.user + "/signed-url", "", 404, ""}, {"GET", path + "/message-files/x/signed-url", "", 404, ""},
		{"POST", "/conversations/start", start + `}`, 400, "channel"}, {"POST", "/conversations/start", start + `,"channel":"fax"}`, 400, "channel"}, {"POST", "/conversations/start", start + `,"channel":"email"}`, 400, "email"},
		{"POST", "/conversations/start", start + `,"channel":"sms","phoneNumber":"123","smsIntroduction":"x"}`, 400, "phoneNumber"}, {"POST", "/conversations/start", start + `,"channel":"voice","phoneNumber":"+4912345678"}`, 400, "firstMessage"},
		{"POST", "/conversations/start", start + `,"channel":"email","email":"a@b","emailSubject":"s","emailIntroduction":"i","resetConversation":"yes"}`, 400, "resetConversation"},
		{"POST", "/conversations/start", `{"channel":"sms","phoneNumber":"+4912345678","smsIntroduction":"x"}`, 400, "firstName"},
		{"POST", "/conversations/start", start + `,"channel":"sms","phoneNumber":"+4912345678","smsIntroduction":"x","conversationStateId":"` + s.user + `"}`, 404, ""},
		{"POST", "/users", `{"firstName":"A","lastName":"B"}`, 400, "email"}, {"POST", "/users", `{"firstName":"A","lastName":"B","email":"@"}`, 400, "email"}, {"POST", "/users", `{"firstName":"A","lastName":"B","email":"INES@example.org"}`, 400, "email"},
		{"POST", "/users", `{"firstName":"A","lastName":"B","fkId":"crm-881"}`, 400, "fkId"}, {"POST", "/users", `{"lastName":"B","fkId":"x"}`, 400, "firstName"}, {"POST", "/users", `{"firstName":"A","lastName":"B","fkId":"x","skipEmailValidation":"yes"}`, 400, "skipEmailValidation"}, {"POST", "/users", `{"firstName":"A","lastName":"B","phoneNumber":"+49"}`, 400, "phoneNumber"},
		{"POST", "/users", `{"firstName":"A","lastName":"B","phoneNumber":"+1234567890123456"}`, 400, "phoneNumber"}, {"POST", "/users", `{"firstName":"A","lastName":"B","phoneNumber":"+123456"}`, 400, "phoneNumber"}, {"POST", "/users", `{"firstName":"A","lastName":"B","phoneNumber":"491234567"}`, 400, "phoneNumber"},
		{"POST", "/users", `{"firstName":"A","lastName":"B","email":"a@b@example.org"}`, 400, "email"}, {"POST", "/users", `{"firstName":"A","lastName":"B","email":"a@ "}`, 400, "email"},
		{"GET", "/users/search", "", 400, "email"}, {"GET", "/users/search?email=x@y", "", 404, ""}, {"GET", "/users/x", "", 404, ""}, {"GET", "/users/" + s.agent.ID.String(), "", 404, ""}, {"DELETE", "/users/" + s.agent.ID.String(), "", 404, ""},
		{"POST", "/conversation-message-feedbacks", `{"userId":"` + s.user + `"}`, 400, "conversationMessageId"}, {"POST", "/conversation-message-feedbacks", `{"conversationMessageId":"` + s.user + `","userId":"` + s.user + `","voteType":"meh","question":"q"}`, 400, "voteType"},
		{"POST", "/conversation-message-feedbacks", `{"conversationMessageId":"` + s.user + `","userId":"` + s.user + `","voteType":"up","question":"q"}`, 404, ""},
		{"POST", "/conversation-message-feedbacks", `{"conversationMessageId":"` + s.user + `","userId":"` + s.agent.ID.String() + `","voteType":"up","question":"q"}`, 404, ""},
		{"POST", "/agents/webhooks", `{"title":"t","description":"d","url":"https://a.example"}`, 400, "triggerCondition"}, {"POST", "/agents/webhooks", hook("https://a.example", "never"), 400, "triggerCondition"}, {"POST", "/agents/webhooks", hook("https://a.example", ""), 400, "triggerCondition"},
		{"POST", "/agents/webhooks", hook("http://a.example", "manual"), 400, "url"}, {"POST", "/agents/webhooks", hook("https://10.0.0.1/x", "manual"), 400, "url"}, {"POST", "/agents/webhooks", hook("x", "manual"), 400, "url"},
		{"POST", "/agents/webhooks", strings.Replace(hook("https://a.example", "manual"), "{", `{"headers":{"A B":"x"},`, 1), 400, "headers.A B"},
		{"POST", "/agents/webhooks", strings.Replace(hook("https://a.example", "manual"), "{", `{"headers":{"Host":"x"},`, 1), 400, "headers[0].name"},
		{"POST", "/agents/webhooks", strings.Replace(hook("https://a.example", "manual"), "{", `{"headers":[],`, 1), 400, "headers"},
		{"POST", "/agents/webhooks", strings.Replace(hook("https://a.example", "manual"), "{", `{"headers":{"X-Key":"a","x-key":"b"},`, 1), 400, ""},
		{"GET", "/unknown", "", 404, ""}, {"PATCH", path, `{}`, 404, ""}, {"POST", path, `{}`, 404, ""},
	} {
		status, text := s.call(test.method, test.path, test.body)
		if status != test.status || test.field != "" && !strings.Contains(text, `"field":"`+test.field+`"`) {
			t.Errorf("%s %s %.60s answered %d %s, want %d %s", test.method, test.path, test.body, status, text, test.status, test.field)
		}
		if name := `"field":"` + test.field; test.field != "" && strings.Count(text, name+`"`)+strings.Count(text, name+`[`) > 1 {
			t.Errorf("%s %s %.60s has more details than problems: %s", test.method, test.path, test.body, text)
		}
	}
	if s.asked.Load() != 0 {
		t.Errorf("the agent was asked %d times", s.asked.Load())
	}
	if status, text := s.call("GET", "/conversations", ""); status != 200 || !strings.Contains(text, `"totalItems":1`) {
		t.Errorf("refused requests left something behind: %s", text)
	}
}
