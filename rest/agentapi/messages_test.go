package agentapi_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/directory"
	"parley/hub"
	"parley/ident"
)

// A send that waits answers with the agent's reply, which is one message however much the agent says.
func TestSendAndWait(t *testing.T) {
	s := newStage(t)
	path := s.open()
	reply := s.must("POST", path+"/messages", `{"message":"hello","context":"on the price page","files":null}`, 201)
	if note := s.told.Load().Input.Note; note != "on the price page" {
		t.Errorf("the agent is told %q", note)
	}
	question := reply["conversationMessageId"].(string)
	want := map[string]any{"id": reply["id"], "message": "you said hello", "rawMessage": "you said hello", "conversationId": strings.TrimPrefix(path, "/conversations/"), "senderRole": "assistant",
		"conversationMessageId": question, "source": "api", "createdAt": reply["createdAt"], "subagentId": nil, "expandedMessage": nil, "files": []any{}, "isAnonymized": false,
		"fullAIResponse": map[string]any{"reasoning": nil, "outputText": "you said hello", "urlCitations": nil, "fileCitations": nil}}
	if diff := cmp.Diff(want, reply); diff != "" {
		t.Errorf("the reply (-want +got)\n%s", diff)
	}
	much := s.say(path, "much")
	if text := "One\n\nTwo\n\nA picture\nhttps://a.example/i.png\n\nWhich?"; much["message"] != text || much["fullAIResponse"].(map[string]any)["outputText"] != text {
		t.Errorf("much is %q", much["message"])
	}
	all := s.must("GET", path+"/messages", "", 200)["messages"].([]any)
	if len(all) != 4 || cmp.Diff(all[1], any(reply)) != "" || cmp.Diff(all[3], any(much)) != "" || all[0].(map[string]any)["id"] != question {
		t.Errorf("the list is %v", all)
	}
	for i, m := range all[1:] {
		if before := all[i].(map[string]any)["createdAt"].(string); m.(map[string]any)["createdAt"].(string) <= before {
			t.Errorf("message %d was not made after %s", i+1, before)
		}
	}
	back := s.must("GET", path+"/messages?orderDirection=DESC", "", 200)["messages"].([]any)
	slices.Reverse(back)
	if diff := cmp.Diff(all, back); diff != "" {
		t.Errorf("newest first (-want +got)\n%s", diff)
	}
	// An agent that hands over without a word leaves the question to people; one that says nothing has failed.
	if got := s.say(path, "silent human"); got["senderRole"] != "conversation_user" || got["message"] != "silent human" {
		t.Errorf("a silent handover answered %v", got)
	}
	s.must("PUT", path+"/mode", `{"mode":"ai"}`, 200)
	if status, text := s.call("POST", path+"/messages", `{"message":"nothing"}`); status != 500 || text != `{"status":500,"message":"Internal Server Error"}` {
		t.Errorf("nothing answered %d %s", status, text)
	}
	if s.say(path, "bye")["message"] != "Bye." || s.say(path, "again")["message"] != "you said again" {
		t.Error("the agent's end ended the conversation")
	}
}

// A send that does not wait answers with the question; the answer is asked for. Both ways see the same.
func TestSendAndPoll(t *testing.T) {
	s := newStage(t)
	path := s.open()
	question := s.must("POST", path+"/messages/async", `{"message":"slow"}`, 201)
	at := path + "/messages/" + question["id"].(string)
	if question["senderRole"] != "conversation_user" || question["conversationMessageId"] != question["id"] || question["rawMessage"] != nil || question["fullAIResponse"] != nil {
		t.Errorf("the question is %v", question)
	}
	s.thinking()
	second := s.must("POST", path+"/messages/async", `{"message":"second"}`, 201)
	for _, m := range []string{at, path + "/messages/" + second["id"].(string)} {
		if diff := cmp.Diff(map[string]any{"status": "pending", "message": nil, "error": nil}, s.must("GET", m+"/response-on", "", 200)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	close(s.hold)
	got := s.poll(at)
	if got["status"] != "completed" || got["error"] != nil || got["message"].(map[string]any)["message"] != "at last" || got["message"].(map[string]any)["conversationMessageId"] != question["id"] {
		t.Errorf("the answer is %v", got)
	}
	if got := s.poll(path + "/messages/" + second["id"].(string)); got["message"].(map[string]any)["message"] != "you said second" {
		t.Errorf("the second answer is %v", got)
	}
	failed := s.must("POST", path+"/messages/async", `{"message":"fail bot"}`, 201)
	if got := s.poll(path + "/messages/" + failed["id"].(string)); got["status"] != "failed" || got["error"] != "it failed" || got["message"] != nil {
		t.Errorf("a failure is %v", got)
	}
	waited := s.say(path, "waited")
	if got := s.poll(path + "/messages/" + waited["conversationMessageId"].(string)); cmp.Diff(got["message"], any(waited)) != "" {
		t.Errorf("what was waited for reads %v", got)
	}
	if status, _ := s.call("GET", path+"/messages/"+waited["id"].(string)+"/response-on", ""); status != 404 {
		t.Errorf("the response on a reply answered %d", status)
	}
}

// A conversation that is ended while the agent thinks, since its channel is deleted, leaves no question pending.
func TestConversationEndsBeforeTheAnswer(t *testing.T) {
	s := newStage(t)
	defer close(s.hold)
	path := s.open()
	question := s.must("POST", path+"/messages/async", `{"message":"slow"}`, 201)
	s.thinking()
	waits := make(chan int, 1)
	go func() {
		status, _ := s.call("POST", path+"/messages", `{"message":"hello"}`)
		waits <- status
	}()
	id, _ := parley.ParseID[parley.Conversation](strings.TrimPrefix(path, "/conversations/"))
	for said := int64(0); said < 2; { // both questions
		if err := s.store.View(t.Context(), func(tx parley.Tx) error {
			c, err := tx.Conversation(t.Context(), parley.DefaultTenant, id)
			said = c.Seq
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	channel, err := s.bots.ChannelFor(t.Context(), parley.DefaultTenant, s.agent.ID, directory.AgentChannel)
	if err == nil {
		err = s.bots.DeleteChannel(t.Context(), parley.DefaultTenant, s.agent.ID, channel.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := s.poll(path + "/messages/" + question["id"].(string)); got["status"] != "failed" || got["message"] != nil || got["error"] != "the conversation ended before the agent answered" {
		t.Errorf("what was polled for is %v", got)
	}
	if status := <-waits; status != 500 {
		t.Errorf("what was waited for answered %d", status)
	}
	if status, text := s.call("POST", path+"/messages", `{"message":"hello"}`); status != 400 || !strings.Contains(text, `"field":"conversation"`) {
		t.Errorf("another message answered %d %s", status, text)
	}
}

// Every way in which an agent can fail is a 500 whose question stays, with a reason.
func TestAgentFails(t *testing.T) {
	s := newStage(t)
	path := s.open()
	for _, why := range []parley.TurnFailure{parley.FailureBot, parley.FailureDeadline, parley.FailureBotSettings, parley.FailureModel, parley.FailureModelRefuses, parley.FailureInternal} {
		if status, text := s.call("POST", path+"/messages", `{"message":"fail `+string(why)+`"}`); status != 500 || strings.Contains(text, "it failed") {
			t.Errorf("%s answered %d %s", why, status, text)
		}
		all := s.must("GET", path+"/messages", "", 200)["messages"].([]any)
		last := all[len(all)-1].(map[string]any)
		if got := s.must("GET", path+"/messages/"+last["id"].(string)+"/response-on", "", 200); got["status"] != "failed" || got["error"] != "it failed" {
			t.Errorf("%s is %v", why, got)
		}
	}
	if s.say(path, "hello")["message"] != "you said hello" {
		t.Error("after the failures the agent does not answer")
	}
}

// An agent has a minute, unless its settings say less.
func TestTimeOfAnAgent(t *testing.T) {
	for set, want := range map[time.Duration]string{0: "you have 60 s", 20 * time.Second: "you have 20 s"} {
		s := newStage(t)
		if err := s.bots.Change(t.Context(), parley.DefaultTenant, s.agent.ID, func(b *directory.Bot) { b.Settings.TurnDeadline = set }); err != nil {
			t.Fatal(err)
		}
		if got := s.say(s.open(), "time")["message"]; got != want {
			t.Errorf("it answered %v, want %s", got, want)
		}
	}
}

// People take over, answer what they name, and give back.
func TestPeopleAnswer(t *testing.T) {
	s := newStage(t)
	path := s.open()
	if got := s.must("PUT", path+"/mode", `{"mode":"manual"}`, 200); got["mode"] != "manual" {
		t.Errorf("the conversation is %v", got)
	}
	s.must("PUT", path+"/mode", `{}`, 200)
	asked := s.say(path, "anybody?")
	if asked["senderRole"] != "conversation_user" || s.asked.Load() != 0 {
		t.Errorf("in manual mode a send answered %v, and the agent was asked %d times", asked, s.asked.Load())
	}
	other := s.must("POST", path+"/messages/async", `{"message":"hello?"}`, 201)
	at := path + "/messages/" + asked["id"].(string)
	unnamed := s.must("POST", path+"/send-manual-message", `{"message":"We are here.","authorId":"planted-author"}`, 200)
	if unnamed["senderRole"] != "manual_assistant" || unnamed["conversationMessageId"] != unnamed["id"] || unnamed["source"] != "api" {
		t.Errorf("what a person said is %v", unnamed)
	}
	if got := s.must("GET", at+"/response-on", "", 200); got["status"] != "pending" {
		t.Errorf("before somebody names it the question is %v", got)
	}
	named := s.must("POST", path+"/send-manual-message", `{"message":"Yes.","conversationMessageId":"`+asked["id"].(string)+`","files":[]}`, 200)
	if got := s.must("GET", at+"/response-on", "", 200); got["status"] != "completed" || cmp.Diff(got["message"], any(named)) != "" {
		t.Errorf("the answer is %v", got)
	}
	if named["conversationMessageId"] != asked["id"] {
		t.Errorf("the named answer is %v", named)
	}
	if got := s.must("PUT", path+"/mode", `{"mode":"ai"}`, 200); got["mode"] != "ai" {
		t.Errorf("given back it is %v", got)
	}
	if got := s.must("GET", path+"/messages/"+other["id"].(string)+"/response-on", "", 200); got["status"] != "pending" || s.asked.Load() != 0 {
		t.Errorf("what people did not answer is %v", got)
	}
	if s.say(path, "back")["message"] != "you said back" {
		t.Error("the agent does not answer")
	}
	if status, _ := s.call("POST", path+"/send-manual-message", `{"message":"x"}`); status != 400 {
		t.Errorf("a person in ai mode: %d", status)
	}
	if got := s.say(path, "human"); got["message"] != "A colleague will help." || s.must("GET", path, "", 200)["mode"] != "manual" {
		t.Errorf("a handover answered %v", got)
	}
	want := []string{"conversation_user api: anybody?", "conversation_user api: hello?", "manual_assistant api: We are here.", "manual_assistant api: Yes.", "conversation_user api: back", "assistant api: you said back",
		"conversation_user api: human", "assistant api: A colleague will help."}
	if diff := cmp.Diff(want, s.transcript(path)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A turn that runs when people take over is finished; who speaks for them then waits for it.
func TestPeopleWaitForARunningTurn(t *testing.T) {
	s := newStage(t)
	path := s.open()
	s.must("POST", path+"/messages/async", `{"message":"slow"}`, 201)
	s.thinking()
	if got := s.must("PUT", path+"/mode", `{"mode":"manual"}`, 200); got["mode"] != "manual" {
		t.Errorf("the mode is %v", got["mode"])
	}
	if got := s.say(path, "and this?"); got["senderRole"] != "conversation_user" {
		t.Errorf("a question after that answered %v", got)
	}
	var spoke sync.WaitGroup
	spoke.Go(func() { s.must("POST", path+"/send-manual-message", `{"message":"Hello."}`, 200) })
	close(s.hold)
	spoke.Wait()
	want := []string{"conversation_user api: slow", "conversation_user api: and this?", "assistant api: at last", "manual_assistant api: Hello."}
	if diff := cmp.Diff(want, s.transcript(path)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Fifty callers at once are answered one after the other, each with the answer to its own question.
func TestSendsAtOnce(t *testing.T) {
	s := newStage(t)
	path := s.open()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if got := s.say(path, fmt.Sprint("m", i)); got["message"] != fmt.Sprint("you said m", i) {
				t.Errorf("m%d is answered with %v", i, got["message"])
			}
		})
	}
	all.Wait()
	lines := s.transcript(path)
	if len(lines) != 100 || s.asked.Load() != 50 {
		t.Errorf("%d messages, %d questions", len(lines), s.asked.Load())
	}
	if n := s.together.Load(); n != 1 {
		t.Errorf("the agent had %d questions at a time", n)
	}
}

// What an agent in conversationmgr says is said here; who ends there gives back.
func TestAgentsOfOtherSurfaces(t *testing.T) {
	s := newStage(t)
	path := s.open()
	s.say(path, "human")
	id, _ := parley.ParseID[parley.Conversation](strings.TrimPrefix(path, "/conversations/"))
	post := func(kind parley.MessageType, text string) {
		t.Helper()
		d := parley.Draft{Conversation: id, Type: kind, Sender: parley.CustomAgent}
		if text != "" {
			d.Body.Content = &parley.Content{Text: text}
		}
		if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Application: parley.ConsoleApplication}, Surface: "test", Drafts: []parley.Draft{d}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.must("GET", path, "", 200); got["assignedUser"] != nil {
		t.Errorf("in the queue it is assigned to %v", got["assignedUser"])
	}
	join := parley.Draft{Conversation: id, Type: parley.TypeAgentJoin, Sender: parley.CustomAgent, Body: parley.Body{Content: &parley.Content{JSON: []byte(`{"agentName":"Ada Maria King"}`)}}}
	if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Application: parley.ConsoleApplication}, Surface: "test", Drafts: []parley.Draft{join}}); err != nil {
		t.Fatal(err)
	}
	got := s.must("GET", path, "", 200)["assignedUser"]
	ada := map[string]any{"id": ident.Colleague(parley.ConsoleApplication, "Ada Maria King").String(), "firstName": "Ada Maria", "lastName": "King", "email": "", "avatarUrl": nil, "phoneNumber": nil}
	if diff := cmp.Diff(any(ada), got); diff != "" {
		t.Errorf("assigned to (-want +got)\n%s", diff)
	}
	post(parley.TypeText, "Hello, I am Ada.")
	post(parley.TypeConversationEnd, "")
	if got := s.must("GET", path, "", 200); got["mode"] != "ai" || got["assignedUser"] != nil {
		t.Errorf("after the agent's end the mode is %v, assigned to %v", got["mode"], got["assignedUser"])
	}
	s.say(path, "hello")
	want := []string{"conversation_user api: human", "assistant api: A colleague will help.", "manual_assistant api: Hello, I am Ada.", "conversation_user api: hello", "assistant api: you said hello"}
	if diff := cmp.Diff(want, s.transcript(path)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A message has come by this surface, or by the conversation's channel; an answer by what asked.
func TestSources(t *testing.T) {
	s := newStage(t)
	started := s.must("POST", "/conversations/start", `{"firstName":"Bo","lastName":"Li","channel":"sms","phoneNumber":"+4912345678","smsIntroduction":"Hi"}`, 201)["conversationId"].(string)
	id, err := parley.ParseID[parley.Conversation](started)
	if err != nil {
		t.Fatal(err)
	}
	says := func(text string, turn *parley.TurnInput) {
		t.Helper()
		d := parley.Draft{Conversation: id, Type: parley.TypeText, Sender: parley.Customer, Asks: true, Body: parley.Body{Content: &parley.Content{Text: text}, Turn: turn}}
		posted, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test", Drafts: []parley.Draft{d}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.hub.AwaitTurn(t.Context(), parley.DefaultTenant, id, posted[0].Seq); err != nil {
			t.Fatal(err)
		}
	}
	says("by phone", nil)
	says("by the broker", &parley.TurnInput{Surface: "broker"})
	s.say("/conversations/"+started, "by program")
	want := []string{"assistant sms: Hi", "conversation_user sms: by phone", "assistant sms: you said by phone", "conversation_user sms: by the broker", "assistant sms: you said by the broker",
		"conversation_user api: by program", "assistant api: you said by program"}
	if diff := cmp.Diff(want, s.transcript("/conversations/"+started)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
