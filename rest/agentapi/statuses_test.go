package agentapi_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/rest/agentapi"
	"parley/rest/resttest"
)

// Statuses that the vendor declares and that cannot happen here.
var without = map[string]string{"createWebhook 404": "it names nothing", "getAgent 404": "the key of an agent that is gone is no key"}

// Bodies that go well; @ stands for ids that the test has made. Operations that are not here have none.
var goodBodies = map[string]string{
	"createConversation": `{"conversationUserId":"@user"}`, "deleteConversations": `{"conversationUserId":"@user"}`, "updateConversation": `{"title":"New"}`,
	"startConversation": `{"channel":"sms","firstName":"Bo","lastName":"Li","phoneNumber":"+4912345678","smsIntroduction":"Hi","conversationStateId":"@state"}`,
	"sendMessage":       `{"message":"hello"}`, "sendMessageAsync": `{"message":"hello"}`, "setConversationMode": `{"mode":"manual"}`, "sendManualMessage": `{"message":"Me"}`,
	"createUploadURL": `{"fileName":"a.txt","contentType":"text/plain"}`, "createUser": `{"firstName":"Bo","lastName":"Li","fkId":"new"}`,
	"createMessageFeedback": `{"conversationMessageId":"@reply","userId":"@user","voteType":"up","question":"hello"}`,
	"createWebhook":         `{"title":"t","description":"d","url":"https://a.example","triggerCondition":"manual"}`,
}

// Every status that the document declares for an operation is answered by it (reference 2 and 4), with a body that is as documented.
func TestEveryStatusOfEveryOperation(t *testing.T) {
	s := newStage(t)
	tried := 0
	try := func(method, path string, op *openapi3.Operation, status int) {
		s.answers(t, method, path, op, status)
		tried++
	}
	resttest.EachStatus(t, agentapi.Document, without, false, try)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	resttest.EachStatus(t, agentapi.Document, without, true, try)
	if tried < 80 {
		t.Errorf("%d statuses tried", tried)
	}
}

// answers calls an operation so that it answers with a status; anew each time, for some of them delete what others need.
func (s *stage) answers(t *testing.T, method, path string, op *openapi3.Operation, status int) {
	t.Helper()
	key, body, query := s.key, goodBodies[op.OperationID], ""
	ids := map[string]string{"@user": s.user, "@reply": s.user, "@state": s.user, "@fresh": "x", "{id}": s.user, "{questionMessageId}": s.user, "{fileId}": s.user} // good for nothing but a look
	if status < 300 {
		ids = s.things(t)
		if strings.Contains(path, "/users/{id}") {
			ids["{id}"] = ids["@user"]
		}
		if op.OperationID == "sendManualMessage" {
			s.must("PUT", "/conversations/"+ids["{id}"]+"/mode", `{"mode":"manual"}`, 200)
		}
	}
	if op.OperationID == "searchUser" {
		query = "?fkId=@fresh"
	}
	switch status {
	case 400:
		if body = "["; method == "GET" {
			body, query = "", map[string]string{"listConversations": "?page=0", "listMessages": "?orderDirection=up"}[op.OperationID]
		}
		if ids = map[string]string{}; strings.Contains(path, "{id}") {
			ids = s.things(t)
		}
	case 403:
		key = "x"
	case 404:
		ids["{id}"] = s.agent.ID.String() // there is something of this id, but none of that
		if op.OperationID == "createConversation" {
			ids["@user"] = s.agent.ID.String()
		}
	}
	replace := func(text string) string {
		for name, id := range ids {
			text = strings.ReplaceAll(text, name, id)
		}
		return text
	}
	got, text := s.call(method, replace(strings.TrimPrefix(path, agentapi.Prefix)+query), replace(body), "Agent-Secret-Key", key)
	if got != status {
		t.Errorf("%s answered %d %s, want %d", op.OperationID, got, text, status)
	}
}

// things are what operations need that go well.
func (s *stage) things(t *testing.T) map[string]string {
	t.Helper()
	foreign := "fk-" + strconv.FormatInt(s.asked.Load(), 10) + "-" + t.Name()
	user := s.must("POST", "/users", `{"firstName":"Ada","lastName":"Oh","fkId":"`+foreign+`"}`, 201)["id"].(string)
	path := "/conversations/" + s.must("POST", "/conversations", `{"conversationUserId":"`+user+`"}`, 201)["id"].(string)
	upload := s.must("POST", path+"/message-files/upload-url", `{"fileName":"a.txt","contentType":"text/plain"}`, 200)
	if res, text := s.Do("PUT", upload["signedUrl"].(string), "what it says", "Content-Type", "application/octet-stream"); res.StatusCode != 200 {
		t.Fatalf("the upload answered %d %s", res.StatusCode, text)
	}
	reply := s.say(path, "hello")
	_, states := s.call("GET", "/conversations/states", "")
	state, _, _ := strings.Cut(strings.TrimPrefix(states, `[{"id":"`), `"`)
	return map[string]string{"@user": user, "@reply": reply["id"].(string), "@state": state, "@fresh": foreign, "{id}": strings.TrimPrefix(path, "/conversations/"),
		"{questionMessageId}": reply["conversationMessageId"].(string), "{fileId}": strings.Split(upload["storagePath"].(string), "/")[2]}
}
