package agentapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
)

// An agent addresses somebody: the introduction comes first, on its channel; reset begins anew.
func TestStart(t *testing.T) {
	s := newStage(t)
	start := func(body string) string {
		return "/conversations/" + s.must("POST", "/conversations/start", body, 201)["conversationId"].(string)
	}
	const email = `{"channel":"email","firstName":"Ines","lastName":"Okafor-Lind","email":"INES@example.org","emailSubject":"Your heat pump","emailIntroduction":"Shall we talk?","source":"crm",
		"conversationContext":"quote 7","includeSignatureInEmail":true`
	first := start(email + `,"customData":{"a":1}}`)
	made := s.must("GET", first, "", 200)
	if u := made["user"].(map[string]any); u["id"] != s.user || u["lastName"] != "Okafor-Lind" || u["fkId"] != "crm-881" || u["source"] != "crm" || made["title"] != "Your heat pump" || made["aiCallId"] != nil {
		t.Errorf("started %v", made)
	}
	s.say(first, "yes")
	if again := start(email + `}`); again != first {
		t.Errorf("the second start made %s", again)
	}
	want := []string{"assistant email: Shall we talk?", "conversation_user api: yes", "assistant api: you said yes", "assistant email: Shall we talk?"}
	if diff := cmp.Diff(want, s.transcript(first)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if about := s.told.Load().Background; about != "likes blue\n\nquote 7" {
		t.Errorf("the agent is told %q", about)
	}
	start(strings.Replace(email, "quote 7", "quote 8", 1) + `}`)
	if s.say(first, "and now?"); s.told.Load().Background != "likes blue\n\nquote 8" {
		t.Errorf("when it is told anew the agent is told %q", s.told.Load().Background)
	}
	reset := start(email + `,"resetConversation":true}`)
	if reset == first {
		t.Error("a reset goes on with the same")
	}
	if err := s.store.View(t.Context(), func(tx parley.Tx) error {
		for path, want := range map[string]parley.AgentStatus{first: parley.AgentArchived, reset: parley.AgentActive} {
			id, _ := parley.ParseID[parley.Conversation](strings.TrimPrefix(path, "/conversations/"))
			if a, err := tx.AgentConversation(t.Context(), parley.DefaultTenant, s.agent.ID, id); err != nil || a.Status != want {
				t.Errorf("after a reset a conversation is %s, %v; want %s", a.Status, err, want)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if again := start(email + `}`); again != reset { // the newest active one
		t.Errorf("after a reset the next start goes on with %s", again)
	}
	s.must("PUT", reset, `{"status":"inactive"}`, 200)
	if again := start(email + `}`); again == reset || again == first {
		t.Errorf("with none that is active the next start goes on with %s", again)
	}
	const sms = `{"channel":"sms","firstName":"Bo","lastName":"Li","phoneNumber":"+4912345678","smsIntroduction":"Hi","includeSignatureInSms":false}`
	one := start(sms)
	if start(sms) != one {
		t.Error("a text message does not go on")
	}
	const both = `,"firstName":"Al","lastName":"Ma","email":"al@example.org","phoneNumber":"+4912345679"`
	texted := start(`{"channel":"sms","smsIntroduction":"Hi"` + both + `}`)
	if mailed := start(`{"channel":"email","emailSubject":"s","emailIntroduction":"i"` + both + `}`); mailed == texted {
		t.Error("a mail goes on with text messages")
	}
	s.must("PUT", one+"/mode", `{"mode":"manual"}`, 200)
	start(sms) // people have it: the introduction is the agent's all the same
	if got := s.must("POST", one+"/send-manual-message", `{"message":"Me"}`, 200); got["source"] != "sms" {
		t.Errorf("a person said %v", got)
	}
	if diff := cmp.Diff([]string{"assistant sms: Hi", "assistant sms: Hi", "assistant sms: Hi", "manual_assistant sms: Me"}, s.transcript(one)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	const voice = `{"channel":"voice","firstName":"Bo","lastName":"Li","phoneNumber":"0123","skipPhoneNumberValidation":true,"firstMessage":"Hello"}`
	call := start(voice)
	if start(voice) == call {
		t.Error("two calls are one conversation")
	}
	if id, _ := s.must("GET", call, "", 200)["aiCallId"].(string); !strings.HasPrefix(id, "call_") {
		t.Errorf("aiCallId %q", id)
	}
	s.must("PUT", call+"/mode", `{"mode":"manual"}`, 200)
	if status, text := s.call("POST", call+"/send-manual-message", `{"message":"x"}`); status != 400 || !strings.Contains(text, `"field":"channel"`) {
		t.Errorf("a person in a call: %d %s", status, text)
	}
}

// Who is addressed is known by fkId, else by email, else by number, whichever is given first, and brought up to date.
func TestStartFindsItsUser(t *testing.T) {
	s := newStage(t)
	user := func(body string) string { return s.must("POST", "/users", body, 201)["id"].(string) }
	byEmail := user(`{"firstName":"A","lastName":"B","email":"b@example.org"}`)
	byPhone := user(`{"firstName":"A","lastName":"B","phoneNumber":"+4912345678"}`)
	if status, text := s.call("POST", "/users", `{"firstName":"A","lastName":"B","phoneNumber":"+4912345678"}`); status != 400 || !strings.Contains(text, `"field":"phoneNumber"`) {
		t.Errorf("a second user of the number answered %d %s", status, text)
	}
	for _, test := range []struct{ more, want string }{
		{`,"fkId":"crm-881","email":"new@example.org","phoneNumber":"+4987654321"`, s.user}, {`,"email":"B@example.org","phoneNumber":"+4911111111"`, byEmail}, {`,"phoneNumber":"+4912345678"`, byPhone},
		{`,"fkId":"crm-882","email":"b@example.org","phoneNumber":"+4912345678"`, ""}, // somebody new, who has the address of another
	} {
		made := s.must("POST", "/conversations/start", `{"channel":"voice","firstName":"New","lastName":"Name","firstMessage":"Hello"`+test.more+`}`, 201)
		got := s.must("GET", "/conversations/"+made["conversationId"].(string), "", 200)["user"].(map[string]any)
		if known := slices.Contains([]any{s.user, byEmail, byPhone}, got["id"]); got["id"] != test.want && (test.want != "" || known) || got["firstName"] != "New" {
			t.Errorf("%s addressed %v, want %s", test.more, got, test.want)
		}
	}
	if got := s.must("GET", "/users/"+s.user, "", 200); got["email"] != "new@example.org" || got["phoneNumber"] != "+4987654321" || got["fkId"] != "crm-881" || got["context"] != "likes blue" {
		t.Errorf("brought up to date it is %v", got)
	}
	for body, want := range map[string]int{`"email":"no address"`: 400, `"email":"no address","skipEmailValidation":true`: 201} {
		if status, text := s.call("POST", "/conversations/start", `{"channel":"email","firstName":"A","lastName":"B","emailSubject":"s","emailIntroduction":"i",`+body+`}`); status != want {
			t.Errorf("%s answered %d %s", body, status, text)
		}
		if status, text := s.call("POST", "/users", `{"firstName":"A","lastName":"B",`+strings.Replace(body, "no", "none", 1)+`}`); status != want {
			t.Errorf("a user with %s answered %d %s", body, status, text)
		}
	}
}

// Who is started twice at the same time, as by a program that did not wait for the answer, has one conversation, and is one user.
func TestStartsAtOnce(t *testing.T) {
	s := newStage(t)
	const many = 12
	answers := make(chan string, many)
	for range many {
		go func() {
			status, text := s.call("POST", "/conversations/start", `{"channel":"email","firstName":"A","lastName":"B","email":"both@example.org","emailSubject":"s","emailIntroduction":"i"}`)
			answers <- fmt.Sprint(status, text)
		}()
	}
	first := <-answers
	if !strings.HasPrefix(first, "201") {
		t.Errorf("answered %s", first)
	}
	for range many - 1 {
		if got := <-answers; got != first {
			t.Errorf("answered %s and %s", first, got)
		}
	}
}

// A user is shown with everything that was said of it, and nothing else, wherever it is shown.
func TestUsersAreShown(t *testing.T) {
	s := newStage(t)
	made := s.must("POST", "/users", `{"firstName":"Ada","lastName":"Oh","email":"Ada@example.org","phoneNumber":"+4912345678","fkId":"crm-1","fkUserId":"u-1","source":"crm","context":"likes red","customData":{"x":[1]},"unknown":1}`, 201)
	want := map[string]any{"id": made["id"], "firstName": "Ada", "lastName": "Oh", "email": "Ada@example.org", "phoneNumber": "+4912345678", "fkId": "crm-1", "fkUserId": "u-1", "source": "crm", "context": "likes red",
		"metadata": map[string]any{"customData": map[string]any{"x": []any{1.0}}}, "isAnonymized": false}
	id := made["id"].(string)
	opened := s.must("POST", "/conversations", `{"conversationUserId":"`+id+`"}`, 201)
	for where, got := range map[string]any{"made": made, "read": s.must("GET", "/users/"+id, "", 200), "found": s.must("GET", "/users/search?fkId=crm-1", "", 200)["user"], "with a conversation": opened["user"]} {
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", where, diff)
		}
	}
	if diff := cmp.Diff(any(map[string]any{}), opened["metadata"]); diff != "" {
		t.Errorf("of a conversation without custom data (-want +got)\n%s", diff)
	}
	least := s.must("POST", "/users", `{"firstName":"Bo","lastName":"Li","fkId":"crm-2"}`, 201)
	if diff := cmp.Diff(map[string]any{"id": least["id"], "firstName": "Bo", "lastName": "Li", "fkId": "crm-2", "metadata": map[string]any{}, "isAnonymized": false}, least); diff != "" {
		t.Errorf("with the least (-want +got)\n%s", diff)
	}
}

// What a user asks to be deleted is gone, with everything that was said, and nothing else.
func TestUsersAndTheirConversationsAreDeleted(t *testing.T) {
	s := newStage(t)
	other := s.must("POST", "/users", `{"firstName":"A","lastName":"B","phoneNumber":"+4912345678","customData":{"x":[1]}}`, 201)
	path, kept := s.open(), "/conversations/"+s.must("POST", "/conversations", `{"conversationUserId":"`+other["id"].(string)+`"}`, 201)["id"].(string)
	s.say(path, "planted secret")
	second := s.open()
	found := s.must("GET", "/users/search?email=ines@EXAMPLE.org", "", 200)
	if diff := cmp.Diff([]any{strings.TrimPrefix(path, "/conversations/"), strings.TrimPrefix(second, "/conversations/")}, found["conversationIds"]); diff != "" || found["user"].(map[string]any)["id"] != s.user {
		t.Errorf("found %v (-want +got)\n%s", found, diff)
	}
	if got := s.must("GET", "/users/search?phoneNumber=%2B4912345678", "", 200); got["user"].(map[string]any)["metadata"].(map[string]any)["customData"] == nil {
		t.Errorf("by number: %v", got)
	}
	s.must("GET", "/users/search?phoneNumber=+4912345678", "", 200) // a plus that nobody encoded
	id, _ := parley.ParseID[parley.Conversation](strings.TrimPrefix(path, "/conversations/"))
	if err := s.store.Update(t.Context(), func(tx parley.Tx) error { // as the broker's surface keeps it, where it is a session
		if err := tx.PutBotSession(t.Context(), parley.BotSession{Tenant: parley.DefaultTenant, Conversation: id, Bot: s.agent.ID, BusinessKey: "4711", Created: time.Now()}); err != nil {
			return err
		}
		return tx.PutSurvey(t.Context(), parley.DefaultTenant, parley.Survey{Conversation: id, ID: ident.New[parley.Message](), Evaluation: 5, Answered: true, Comments: "planted", At: time.Now()})
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.must("DELETE", "/conversations", `{"conversationUserId":"`+s.user+`"}`, 204)
	}
	s.must("DELETE", "/conversations", `{"conversationUserId":"`+s.agent.ID.String()+`"}`, 204) // unknown
	for _, gone := range []string{path, second} {
		if status, _ := s.call("GET", gone, ""); status != 404 {
			t.Errorf("a deleted conversation answered %d", status)
		}
		if status, _ := s.call("POST", gone+"/messages", `{"message":"x"}`); status != 404 {
			t.Errorf("a send to it answered %d", status)
		}
	}
	s.must("GET", kept, "", 200)
	if err := s.store.View(t.Context(), func(tx parley.Tx) error {
		if left, err := tx.BotSessionsOf(t.Context(), parley.DefaultTenant, "4711", 10); err != nil || len(left) > 0 {
			t.Errorf("the key of its customer is left: %+v, %v", left, err)
		}
		if left, err := tx.Survey(t.Context(), parley.DefaultTenant, id); err != nil || left.Comments != "" || left.Evaluation != 5 {
			t.Errorf("the survey is %+v, %v; want its score alone", left, err)
		}
		all, err := tx.Messages(t.Context(), parley.MessageQuery{Tenant: parley.DefaultTenant, Conversation: id, Limit: 100})
		for _, m := range all {
			if m.Body.Content != nil {
				t.Errorf("left of it is %+v", m.Body.Content)
			}
		}
		if err != nil {
			return err
		}
		c, err := tx.Conversation(t.Context(), parley.DefaultTenant, id)
		if left, _ := json.Marshal(c); strings.Contains(string(left), "Ines") || strings.Contains(string(left), "ines@") || strings.Contains(string(left), "blue") {
			t.Errorf("the conversation still knows %s", left)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.must("GET", "/users/"+s.user, "", 200)
	again := s.open()
	s.must("DELETE", "/users/"+s.user, "", 204)
	for _, gone := range []string{again, "/users/" + s.user, "/users/search?fkId=crm-881"} {
		if status, _ := s.call("GET", gone, ""); status != 404 {
			t.Errorf("%s answered %d after the user is deleted", gone, status)
		}
	}
}

// Of a person who was erased, or of what became too old, there is a conversation and that it was scrubbed, and not a word.
func TestScrubbedConversations(t *testing.T) {
	s := newStage(t)
	path := s.open()
	s.say(path, "planted secret")
	s.must("PUT", path, `{"title":"planted title"}`, 200)
	id, _ := parley.ParseID[parley.Conversation](strings.TrimPrefix(path, "/conversations/"))
	if err := s.store.Update(t.Context(), func(tx parley.Tx) error {
		if _, err := tx.ErasePerson(t.Context(), parley.DefaultTenant, id); err != nil {
			return err
		}
		_, err := tx.EraseUsers(t.Context(), parley.DefaultTenant, "ines@example.org")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	got := s.must("GET", path, "", 200)
	user := got["user"].(map[string]any)
	if got["isAnonymized"] != true || user["isAnonymized"] != true || user["firstName"] != "" || got["title"] != nil {
		t.Errorf("scrubbed it is %v", got)
	}
	if lines := s.transcript(path); len(lines) > 0 {
		t.Errorf("what was said is %v", lines)
	}
	if _, all := s.call("GET", "/conversations", ""); strings.Contains(all, "planted") || strings.Contains(all, "ines@") || !strings.Contains(all, `"isAnonymized":true`) {
		t.Errorf("listed it is %s", all)
	}
}

// One vote a user and message: the second changes the first.
func TestFeedback(t *testing.T) {
	s := newStage(t)
	path := s.open()
	reply := s.say(path, "hello")
	vote := func(kind, more string) map[string]any {
		return s.must("POST", "/conversation-message-feedbacks", fmt.Sprintf(`{"conversationMessageId":%q,"userId":%q,"voteType":%q,"question":"hello"%s}`, reply["id"], s.user, kind, more), 201)
	}
	first := vote("up", "")
	if first["answer"] != nil || first["comment"] != nil || first["conversationMessageId"] != reply["id"] {
		t.Errorf("the first is %v", first)
	}
	s.late.Store(int64(time.Minute))
	second := vote("down", `,"answer":"you said hello","comment":"rude"`)
	if second["id"] != first["id"] || second["voteType"] != "down" || second["createdAt"] != first["createdAt"] || second["updatedAt"] == first["updatedAt"] {
		t.Errorf("the second is %v", second)
	}
	shown := s.must("GET", path, "", 200)["feedbacks"].([]any)
	want := map[string]any{"id": first["id"], "voteType": "down", "question": "hello", "answer": "you said hello", "comment": "rude", "userEmail": "ines@example.org", "createdAt": second["createdAt"], "updatedAt": second["updatedAt"]}
	if diff := cmp.Diff([]any{want}, shown); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	delete(want, "createdAt")
	delete(want, "updatedAt")
	all := s.must("GET", path+"/messages?shouldIncludeFeedbacks=true", "", 200)["messages"].([]any)
	if diff := cmp.Diff([]any{want}, all[1].(map[string]any)["conversationMessageFeedbacks"]); diff != "" {
		t.Errorf("with the message (-want +got)\n%s", diff)
	}
	if none := all[0].(map[string]any)["conversationMessageFeedbacks"]; cmp.Diff([]any{}, none) != "" {
		t.Errorf("of another message %v", none)
	}
}

// Titles, summaries and scores come by themselves; a title that a caller gave stays.
func TestConversationsAreJudged(t *testing.T) {
	s := newStage(t)
	path := s.open()
	if got := s.must("GET", path, "", 200); got["title"] != nil || got["summary"] != nil || got["score"] != nil {
		t.Errorf("before a word: %v", got)
	}
	round := func() map[string]any {
		t.Helper()
		if err := s.judge.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s.must("GET", path, "", 200)
	}
	reply := s.say(path, "Do you install in Leeds? I live there.")
	if got := round(); got["title"] != "Do you install in Leeds?" || got["summary"] != "Do you install in Leeds? I live there. — you said Do you install in Leeds? I live there." || got["score"] != 7.0 {
		t.Errorf("judged: %v", got)
	}
	s.must("PUT", path, `{"title":"Mine"}`, 200)
	s.must("POST", "/conversation-message-feedbacks", fmt.Sprintf(`{"conversationMessageId":%q,"userId":%q,"voteType":"down","question":"q"}`, reply["id"], s.user), 201)
	if got := round(); got["title"] != "Mine" || got["score"] != 4.0 {
		t.Errorf("after a vote: %v", got)
	}
	if got := s.must("GET", "/conversations?searchKeyword=LEEDS", "", 200); got["totalItems"] != 1.0 {
		t.Errorf("by its summary: %v", got)
	}
	s.call("POST", path+"/messages", `{"message":"fail bot"}`)
	if got := round(); got["score"] != 2.0 {
		t.Errorf("after a failure: %v", got["score"])
	}
}
