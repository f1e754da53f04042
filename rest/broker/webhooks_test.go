package broker_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// A turn goes to a bot's webhook with all that the channel sent, and all that it answers comes back to the channel (reference/broker.md 12): contexts that
// it gives are what the conversation has from then on, and it hands over or ends the session by a word.
func TestWebhooksBothWays(t *testing.T) {
	asked, answers := make(chan string, 10), make(chan string, 1)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		select {
		case answer := <-answers:
			_, _ = io.WriteString(w, answer)
		default: // nothing was to be asked
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(program.Close)
	s := newStage(t, func(b *parley.BotSettings) { b.Connector, b.URL = parley.ConnectorWebhook, program.URL })
	info := map[string]any{"bot": "Rex", "channelName": "default", "channelType": "default", "channelClassification": "", "operatingSystem": "iOS", "operatingSystemVersion": "19.1", "browser": "Safari", "browserVersion": "19",
		"userRef": "203.0.113.7", "businessKey": "4711", "locale": "de-AT"}
	turn := func(session, body, answer string, want map[string]any) said {
		t.Helper()
		answers <- answer
		got := s.turn(session, body, 200, "Os", "iOS", "Os-Version", "19.1", "Browser", "Safari", "Browser-Version", "19", "Business-Key", "4711", "Locale", "de-AT")
		info["sessionCode"] = got.SessionCode
		sent := map[string]any{"text": "", "code": "", "userInput": nil, "info": info, "intents": []any{}, "entities": []any{}, "openContext": map[string]any{}, "visibleContext": map[string]any{}, "hiddenContext": map[string]any{},
			"background": "", "note": ""}
		for key, value := range want {
			sent[key] = value
		}
		var in map[string]any
		if err := json.Unmarshal([]byte(<-asked), &in); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent, in); diff != "" {
			t.Errorf("of %s the bot is told (-want +got)\n%s", body, diff)
		}
		return got
	}
	object := func(pairs ...any) map[string]any {
		all := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i].(string)] = pairs[i+1]
		}
		return all
	}

	first := turn("", `{"text":"my parcel","code":"ORDER_77","intent":"track","confidence":0.9,"userInput":"7","entities":{"object":"parcel"},"context":{"tier":"gold"}}`,
		`{"answers":[{"content":"When?","type":"TEXT_OPTIONS","description":"a date","technicalText":{"k":1},"buttons":[{"name":"Now","value":"now"}],"quickReply":[{"name":"Later","value":"later"}],"evaluable":true,"masked":true}],
			"nlp":{"type":"QUESTION","name":"when","score":0.8,"entities":[{"name":"object","value":"parcel","position":{"start":3,"end":9}}]},"userInput":{"type":"DATE","callToAction":"Day","pattern":"yyyy-MM-dd"},
			"openContext":{"order":1},"visibleContext":{"step":2},"hiddenContext":{"secret":3}}`,
		object("text", "my parcel", "code", "ORDER_77", "userInput", "7", "intents", []any{object("name", "track", "confidence", 0.9)},
			"entities", []any{object("name", "object", "value", "parcel", "originalValue", "parcel", "position", object("start", 3.0, "end", 9.0))}, "openContext", object("tier", "gold")))
	if len(first.Answers) != 1 || first.first() != "When?" || first.Answers[0].Type != "TEXT_OPTIONS" || first.Answers[0].TechnicalText["k"] != 1.0 || !first.Answers[0].Evaluable {
		t.Errorf("the answers are %+v", first.Answers)
	}
	if first.UserInput == nil || first.UserInput.Type != "DATE" || first.UserInput.CallToAction != "Day" || first.UserInput.Pattern != "yyyy-MM-dd" ||
		first.NLPResponse.Type != "QUESTION" || first.NLPResponse.Name != "when" || first.NLPResponse.Score != 0.8 {
		t.Errorf("understood %+v, waits for %+v", first.NLPResponse, first.UserInput)
	}
	if diff := cmp.Diff([]map[string]any{object("order", 1.0), object("step", 2.0)}, []map[string]any{first.Context, first.ContextReadOnly}); diff != "" {
		t.Errorf("the contexts (-want +got)\n%s", diff)
	}

	// A context that is not given stays, one that is given replaces what there was.
	second := turn(first.SessionCode, `{"userInput":"2026-03-01","context":{"tier":"silver"}}`, `{"openContext":{}}`,
		object("userInput", "2026-03-01", "openContext", object("order", 1.0, "tier", "silver"), "visibleContext", object("step", 2.0), "hiddenContext", object("secret", 3.0)))
	if len(second.Answers) != 0 || len(second.Context) != 0 || second.ContextReadOnly["step"] != 2.0 {
		t.Errorf("without answers it is %+v", second)
	}
	third := turn(first.SessionCode, `{"text":"bye"}`, `{"answers":[{"content":"Bye."}],"endSession":true}`, object("text", "bye", "visibleContext", object("step", 2.0), "hiddenContext", object("secret", 3.0)))
	if third.first() != "Bye." || third.Answers[0].Type != "TEXT" {
		t.Errorf("the last answer is %+v", third)
	}
	if res, text := s.Do("POST", s.turns()+"/"+first.SessionCode, `{"text":"still there?"}`, s.headers()...); res.StatusCode != 409 || !strings.Contains(text, "SESSION_EXPIRED") {
		t.Errorf("after the bot ended the session it answered %d %s", res.StatusCode, text)
	}

	people := turn("", `{"text":"a person"}`, `{"answer":{"content":{"content":"One moment."}},"handover":true}`, object("text", "a person"))
	if handover, _ := people.ContextReadOnly["handover"].(map[string]any); people.first() != "One moment." || handover["state"] != "waiting" {
		t.Errorf("a hand-over is answered %+v", people)
	}
	if res, text := s.Do("POST", s.turns()+"/"+people.SessionCode, `{"text":"anybody?"}`, s.headers()...); res.StatusCode != 200 || len(asked) != 0 {
		t.Errorf("with people it answered %d %s, and the bot is asked %d times", res.StatusCode, text, len(asked))
	}
}
