package broker_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
)

// id is the conversation of a session.
func (s *stage) id(session string) parley.ConversationID {
	s.t.Helper()
	id, err := parley.ParseID[parley.Conversation](session)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// agent is what a person says or does in a session.
func (s *stage) agent(session string, kind parley.MessageType, content *parley.Content) {
	s.t.Helper()
	_, err := s.hub.Post(s.t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Application: parley.ConsoleApplication}, Surface: "test",
		Drafts: []parley.Draft{{Conversation: s.id(session), Type: kind, Sender: parley.CustomAgent, Body: parley.Body{Content: content}}}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// says is an agent who joins and says some things.
func (s *stage) says(session string, texts ...string) {
	s.t.Helper()
	s.agent(session, parley.TypeAgentJoin, &parley.Content{JSON: []byte(`{"agentName":"Dana"}`)})
	for _, text := range texts {
		s.agent(session, parley.TypeText, &parley.Content{Text: text})
	}
}

// giveBack gives a session back to the bot.
func (s *stage) giveBack(session string) {
	s.t.Helper()
	if err := s.hub.SetManual(s.t.Context(), parley.DefaultTenant, s.id(session), false); err != nil {
		s.t.Fatal(err)
	}
}

// elsewhere is what the customer asks over another surface, until it is answered.
func (s *stage) elsewhere(session, text string) {
	s.t.Helper()
	posted, err := s.hub.Post(s.t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test", Drafts: []parley.Draft{{Conversation: s.id(session),
		Type: parley.TypeText, Sender: parley.Customer, Asks: true, Body: parley.Body{Content: &parley.Content{Text: text}, Turn: &parley.TurnInput{Surface: "test"}}}}})
	if err == nil {
		_, err = s.hub.AwaitTurn(s.t.Context(), parley.DefaultTenant, s.id(session), posted[0].Seq)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// contents are the texts of an answer, and who has the session by it; "" = the bot.
func (a *said) contents() (texts []string, handover any) {
	for _, one := range a.Answers {
		text, _ := one.Content.(string)
		texts = append(texts, text)
	}
	if shown, ok := a.ContextReadOnly["handover"].(map[string]any); ok {
		return texts, shown["state"]
	}
	return texts, ""
}

func (s *stage) wants(name string, got said, handover any, want ...string) {
	s.t.Helper()
	texts, state := got.contents()
	if diff := cmp.Diff(want, texts); diff != "" || state != handover {
		s.t.Errorf("%s: handover %q, want %q (-want +got)\n%s", name, state, handover, diff)
	}
}

// What people said before they gave the conversation back comes before the bot's answer, once, and so does that they have gone.
func TestPeopleGiveBack(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"human"}`, 200).SessionCode
	s.says(session, "Dana here.", "Ask the bot for the rest.")
	s.giveBack(session)
	s.elsewhere(session, "hours?")              // answered there
	s.turn(session, `{"text":"fail bot"}`, 460) // tells nothing, so that it is still to be told
	got := s.turn(session, `{"text":"hours"}`, 200, "x-request-id", "r1")
	s.wants("given back", got, "closed", "Dana here.", "Ask the bot for the rest.", "you said|hours||||||Windows|es-ES")
	if again := s.turn(session, `{"text":"hours"}`, 200, "x-request-id", "r1"); cmp.Diff(got, again) != "" {
		t.Errorf("repeated\n%s", cmp.Diff(got, again))
	}
	s.wants("after that", s.turn(session, `{"text":"more"}`, 200), "", "you said|more||||||Windows|es-ES")
	s.turn(session, `{"text":"human"}`, 200)
	s.says(session, "Me again.")
	s.wants("again with people", s.turn(session, `{"text":"hm"}`, 200), "agent", "Me again.")
	s.giveBack(session)
	s.turn(session, `{"text":"thanks"}`, 200)
	s.turn(session, `{"text":"human"}`, 200)
	s.agent(session, parley.TypeText, &parley.Content{Text: "Whoever I am."})
	s.wants("with somebody who has no name", s.turn(session, `{"text":"hm"}`, 200), "agent", "Whoever I am.")
	s.wants("and no more words", s.turn(session, `{"text":"hm"}`, 200), "agent")
	s.giveBack(session)
	s.wants("given back in silence", s.turn(session, `{"text":"thanks"}`, 200), "closed", "you said|thanks||||||Windows|es-ES")
}

// The answer that says that people go on is known by its id like others: it cannot be rated, and history has it.
func TestHandOverIsAnAnswer(t *testing.T) {
	s := newStage(t)
	turn := s.turn("", `{"text":"human"}`, 200, "Business-Key", "4711")
	s.says(turn.SessionCode, "Dana here.")
	var want []string
	for _, a := range turn.Answers {
		want = append(want, a.InteractionID)
	}
	rate := func(id string) int {
		res, _ := s.Do("POST", s.environment()+"/likable?requesterId=dana", `{"evaluation":true,"interactionId":"`+id+`"}`, "Api-Key", s.key)
		return res.StatusCode
	}
	if id := want[len(want)-1]; rate(id) != 422 {
		t.Errorf("the hand-over %s is rated with %d, want 422", id, rate(id))
	}
	plain := s.turn("", `{"text":"hello"}`, 200).UserInteractionUUID
	if id := plain[:14] + "8" + plain[15:]; rate(id) != 404 {
		t.Errorf("the hand-over that never was, %s, is rated with %d, want 404", id, rate(id))
	}
	_, rows := s.shown("4711")
	var got []string
	for _, row := range rows {
		if row["userSentId"] == turn.UserInteractionUUID {
			got = append(got, row["uuid"].(string))
		}
	}
	if len(got) != 3 { // the person's words, too
		t.Fatalf("history has the answers %v, want %v and one of Dana", got, want)
	}
	if diff := cmp.Diff(want, got[:2]); diff != "" {
		t.Errorf("history (-want +got)\n%s", diff)
	}
	for i, row := range rows[1:] {
		if row["id"].(float64) <= rows[i]["id"].(float64) {
			t.Errorf("ids do not grow: %v after %v", row["id"], rows[i]["id"])
		}
	}
}

// Whoever ended a session: what people said last is told once.
func TestLastWordsOfPeople(t *testing.T) {
	for name, end := range map[string]func(s *stage, session string){
		"the hub ends it": func(s *stage, session string) {
			if err := s.hub.End(s.t.Context(), parley.DefaultTenant, s.id(session), "test"); err != nil {
				s.t.Fatal(err)
			}
		},
		"its time is over": func(s *stage, session string) {
			s.giveBack(session)
			s.late.Store(int64(time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			session := s.turn("", `{"text":"human"}`, 200).SessionCode
			s.says(session, "Goodbye.")
			end(s, session)
			first := s.turn(session, `{"text":"hello?"}`, 200, "X-Request-Id", "r1")
			s.wants("after the end", first, "closed", "Goodbye.")
			if again := s.turn(session, `{"text":"hello?"}`, 200, "X-Request-Id", "r1"); cmp.Diff(first, again) != "" {
				t.Errorf("repeated\n%s", cmp.Diff(first, again))
			}
			s.turn(session, `{"text":"hello?"}`, 409)
			s.turn(session, `{"text":"hello?"}`, 409, "X-Request-Id", "r2")
			s.late.Add(int64(2 * time.Minute))
			s.turn(session, `{"text":"hello?"}`, 409, "X-Request-Id", "r1")
		})
	}
}

// People who end a session without another word have gone all the same: the channel hears that once.
func TestPeopleEndWithoutAWord(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"human"}`, 200).SessionCode
	s.says(session, "Goodbye.")
	s.wants("with people", s.turn(session, `{"text":"bye"}`, 200), "agent", "Goodbye.")
	s.agent(session, parley.TypeConversationEnd, nil)
	s.wants("after the end", s.turn(session, `{"text":"hello?"}`, 200), "closed")
	s.turn(session, `{"text":"hello?"}`, 409)
}

// People go on: the bot is not asked, and what they say comes with the next turn.
func TestPeopleGoOn(t *testing.T) {
	s := newStage(t)
	start := s.turn("", `{"text":"human"}`, 200)
	last := start.Answers[len(start.Answers)-1]
	if last.Type != "CUSTOM" || last.TechnicalText["type"] != "handover" || last.TechnicalText["action"] != "connect" || start.ContextReadOnly["handover"].(map[string]any)["state"] != "waiting" {
		t.Errorf("the hand-over is %+v, %v", last, start.ContextReadOnly)
	}
	page, err := os.ReadFile("../../docs/broker.md")
	if err != nil {
		t.Fatal(err)
	}
	_, snippet, _ := strings.Cut(string(page), "```json\n")
	snippet, _, _ = strings.Cut(snippet, "```")
	var documented map[string]any
	if err := json.Unmarshal([]byte(snippet), &documented); err != nil || cmp.Diff(documented, last.TechnicalText) != "" {
		t.Errorf("docs/broker.md says %s, %v (-document +answer)\n%s", snippet, err, cmp.Diff(documented, last.TechnicalText))
	}
	asked := s.asked.Load()
	if waiting := s.turn(start.SessionCode, `{"text":"anybody?"}`, 200); len(waiting.Answers) != 0 || waiting.ContextReadOnly["handover"].(map[string]any)["state"] != "waiting" || waiting.NLPResponse.Type != "NONE" {
		t.Errorf("while nobody is there: %+v", waiting)
	}
	say := func(kind parley.MessageType, content *parley.Content) {
		t.Helper()
		s.agent(start.SessionCode, kind, content)
	}
	say(parley.TypeAgentJoin, &parley.Content{JSON: []byte(`{"agentName":"Dana"}`)})
	say(parley.TypeText, &parley.Content{Text: "Dana here."})
	say(parley.TypeText, &parley.Content{Text: "How can I help?"})
	got := s.turn(start.SessionCode, `{"text":"my parcel"}`, 200)
	if len(got.Answers) != 2 || got.first() != "Dana here." || got.ContextReadOnly["handover"].(map[string]any)["state"] != "agent" || got.Answers[0].Evaluable {
		t.Errorf("with an agent: %+v", got)
	}
	s.late.Store(int64(24 * time.Hour)) // sessions that an agent has do not expire
	say(parley.TypeText, &parley.Content{Text: "It arrives today."})
	if got = s.turn(start.SessionCode, `{"text":"thanks"}`, 200); got.first() != "It arrives today." {
		t.Errorf("a day later: %+v", got)
	}
	say(parley.TypeText, &parley.Content{Text: "Goodbye."})
	say(parley.TypeConversationEnd, nil)
	if got = s.turn(start.SessionCode, `{"text":"hello?"}`, 200); got.first() != "Goodbye." || got.ContextReadOnly["handover"].(map[string]any)["state"] != "closed" {
		t.Errorf("after the end, once: %+v", got)
	}
	if res, _ := s.Do("POST", s.turns()+"/"+start.SessionCode, `{"text":"hello?"}`, s.headers()...); res.StatusCode != http.StatusConflict {
		t.Errorf("after that: %d", res.StatusCode)
	}
	if s.asked.Load() != asked {
		t.Errorf("the bot was asked %d times while people had the conversation", s.asked.Load()-asked)
	}
}
