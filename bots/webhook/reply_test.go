package webhook

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
	"parley/bots"
)

var before = parley.Contexts{Open: json.RawMessage(`{"a":1}`), Hidden: json.RawMessage(`{"h":1}`)}

// What bots send in many forms is read as what they mean.
func TestReadsLeniently(t *testing.T) {
	text := func(s string) []parley.BotAnswer { return []parley.BotAnswer{{Type: parley.AnswerText, Text: s}} }
	technical := func(s string) []parley.BotAnswer {
		return []parley.BotAnswer{{Type: parley.AnswerText, Text: "x", Technical: json.RawMessage(s)}}
	}
	for body, want := range map[string]parley.BotReply{
		` {} `: {},
		`{"answers":null,"nlp":"","userInput":"","openContext":"","endSession":"","handover":null,"error":"x"}`: {},
		`{"answers":"","answer":""}`:                    {},
		`{"answers":[{"content":"x"}]}`:                 {Answers: text("x")},
		`{"answers":{"content":5,"type":""}}`:           {Answers: text("5")},
		`{"answers":[{"content":"x","type":" text "}]}`: {Answers: text("x")},
		`{"answer":{"content":{"content":"x","type":"TEXT","description":null,"buttons":[],"quickReply":null},"template":""}}`: {Answers: text("x")},
		`{"answer":{"content":"x"}}`:                                  {Answers: text("x")},
		`{"answers":[{"content":"x"}],"answer":{"content":"y"}}`:      {Answers: text("x")},
		`{"answers":[{"content":"x","evaluable":"true","masked":0}]}`: {Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "x", Evaluable: true}}},
		`{"endSession":"true","handover":1}`:                          {End: true, HandOver: true},
		// the bot's own steps
		`{"steps":[{"id":"size","name":"Which size?"},"done",7]}`: {Steps: []parley.FlowStep{{ID: "size", Name: "Which size?"}, {ID: "done"}, {ID: "7"}}},
		`{"steps":{"id":" one "}}`:                                {Steps: []parley.FlowStep{{ID: "one"}}},
		`{"steps":null}`:                                          {},
		// technical text
		`{"answers":[{"content":"x","technicalText":""}]}`:                    {Answers: text("x")},
		`{"answers":[{"content":"x","technicalText":" "}]}`:                   {Answers: text("x")},
		`{"answers":[{"content":"x","technicalText":{"n":1e2,"n":1.50}}]}`:    {Answers: technical(`{"n":1.50}`)},
		`{"answers":[{"content":"x","technicalText":" {\"a\": \"<b>\"} "}]}`:  {Answers: technical(`{"a":"<b>"}`)},
		`{"answers":[{"content":"x","technicalText":"{broken"}]}`:             {Answers: technical(`{"text":"{broken"}`)},
		`{"answers":[{"content":"x","technicalText":"[1]"}]}`:                 {Answers: technical(`{"text":"[1]"}`)},
		`{"answers":[{"content":"x","technicalText":[1]}]}`:                   {Answers: technical(`{"text":"[1]"}`)},
		`{"answers":[{"content":"x","technicalText":7}]}`:                     {Answers: technical(`{"text":"7"}`)},
		`{"answers":[{"type":"CUSTOM","technicalText":{"type":"handover"}}]}`: {Answers: []parley.BotAnswer{{Type: parley.AnswerCustom, Technical: json.RawMessage(`{"type":"handover"}`)}}},
		`{"answers":[{"content":"x","technicalText":{"lone":"\ud800"}}]}`:     {Answers: technical("{\"lone\":\"\ufffd\"}")},
		// buttons
		`{"answers":[{"content":"x","type":"TEXT_OPTIONS","buttons":[{"name":"n","action":"dropped"},{"value":2,"type":"url"}],"quickReply":{"name":"q","value":null}}]}`: {
			Answers: []parley.BotAnswer{{Type: parley.AnswerOptions, Text: "x", Buttons: []parley.AnswerButton{{Name: "n", Value: "n", Type: parley.ButtonPostback},
				{Name: "2", Value: "2", Type: parley.ButtonURL, Action: "2"}}, QuickReplies: []parley.QuickReply{{Name: "q", Value: "q"}}}}},
		// carousels
		`{"answers":[{"type":"CAROUSEL","content":"[{\"title\":\"t\"}]"}]}`: {Answers: []parley.BotAnswer{{Type: parley.AnswerCarousel, Cards: []parley.AnswerCard{{Title: "t"}}}}},
		`{"answers":[{"type":"CAROUSEL","content":{"imageUrl":"u"}}]}`:      {Answers: []parley.BotAnswer{{Type: parley.AnswerCarousel, Cards: []parley.AnswerCard{{ImageURL: "u"}}}}},
		// what was understood, and what is waited for
		`{"nlp":{"name":"i","score":"0.5"}}`:                                             {NLP: &parley.NLPResult{Type: parley.NLPIntent, Name: "i", Score: 0.5}},
		`{"nlp":{"type":"NONE","name":"i","score":1}}`:                                   {NLP: &parley.NLPResult{Type: parley.NLPNone}},
		`{"nlp":{"entities":[{"name":"e","value":3,"position":{"start":"5","end":2}}]}}`: {NLP: &parley.NLPResult{Type: parley.NLPNone, Entities: []parley.NLPEntity{{Name: "e", Value: "3", Original: "3"}}}},
		`{"userInput":{"type":"date","pattern":"dd"}}`:                                   {Await: &parley.AwaitedInput{Type: "DATE", Pattern: "dd"}},
		`{"userInput":{}}`: {Await: &parley.AwaitedInput{Type: "EMPTY"}},
		// contexts
		`{"openContext":{}}`: {Contexts: &parley.Contexts{Open: json.RawMessage(`{}`), Hidden: before.Hidden}},
		`{"hiddenContext":{"b":[1, 2]},"openContext":null}`: {Contexts: &parley.Contexts{Open: before.Open, Hidden: json.RawMessage(`{"b":[1,2]}`)}},
	} {
		got, err := readReply([]byte(body), before)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("readReply(%s) = %v (-want +got)\n%s", body, err, diff)
		}
	}
}

// What means nothing that was agreed is refused with its place.
func TestRefusesWhatWasNotAgreed(t *testing.T) {
	for body, want := range map[string]string{
		`null`:               "the body must be an object",
		`{"answers":5}`:      "answers must be a list",
		`{"answers":["x"]}`:  "answers[0] must be an object",
		`{"answers":[null]}`: "answers[0] must be an object",
		`{"answers":[{"content":"x"},{"type":"TEXT"}]}`:       "answers[1].content is missing",
		`{"answers":[{"content":" "}]}`:                       "answers[0].content is missing",
		`{"answers":[{"content":["x"]}]}`:                     "answers[0].content must be a text",
		`{"answers":[{"type":"CUSTOM"}]}`:                     "answers[0].content is missing",
		`{"answers":[{"type":"CAROUSEL","content":[]}]}`:      "answers[0].content is missing",
		`{"answers":[{"type":"CAROUSEL","content":[{}]}]}`:    "answers[0].content[0] has neither title nor imageUrl",
		`{"answers":[{"type":"CAROUSEL","content":"x"}]}`:     "answers[0].content must be a list",
		`{"answers":[{"content":"x","evaluable":"perhaps"}]}`: "answers[0].evaluable must be true or false",
		`{"answers":[{"content":"x","buttons":[{}]}]}`:        "answers[0].buttons[0] has neither name nor value",
		`{"answers":[{"content":"x","quickReply":[null]}]}`:   "answers[0].quickReply[0] must be an object",
		`{"answer":"x"}`:            "answer must be an object",
		`{"answer":{"content":{}}}`: "answer.content.content is missing",
		`{"answers":[` + strings.Repeat(`{"content":"x"},`, 64) + `{"content":"x"}]}`:   "answers has more than 64 answers",
		`{"answers":[{"content":"x","buttons":[` + strings.Repeat(`1,`, 1000) + `1]}]}`: "answers[0].buttons has more than 1000 items",
		`{"nlp":{"type":"GUESS"}}`:                         "nlp.type is none of QUESTION, INTENT, NONE",
		`{"nlp":{"name":"x","score":91}}`:                  "nlp.score must be from 0 to 1",
		`{"nlp":{"name":"x","score":"NaN"}}`:               "nlp.score must be a number",
		`{"nlp":{"entities":[{"position":{"start":-1}}]}}`: "nlp.entities[0].position.start must be a place in the text",
		`{"userInput":{"type":"YEAR"}}`:                    "userInput.type is none of DATE, HOUR, CUSTOM, EMPTY",
		`{"userInput":"DATE"}`:                             "userInput must be an object",
		`{"openContext":[]}`:                               "openContext must be an object",
		`{"visibleContext":{"x":"` + strings.Repeat("x", parley.MaxContext) + `"}}`:                                                "visibleContext has more than 65536 bytes",
		`{"hiddenContext":` + strings.Repeat(`{"a":`, 50) + `{}` + strings.Repeat("}", 51):                                         "hiddenContext must not be nested more than 50 deep",
		`{"answers":[{"type":"CUSTOM","technicalText":"` + strings.Repeat(`{\"a\":`, 50) + `{}` + strings.Repeat("}", 50) + `"}]}`: "answers[0].technicalText must not be nested more than 50 deep",
		`{"steps":5}`:     "steps must be a list",
		`{"steps":[" "]}`: "steps[0] needs an id of 1 to 128 characters, and a name of no more",
		`{"steps":[{"id":"` + strings.Repeat("é", 129) + `"}]}`: "steps[0] needs an id of 1 to 128 characters, and a name of no more",
		`{"steps":[` + strings.Repeat(`"a",`, 50) + `"a"]}`:     "steps has more than 50 steps",
		`{"handover":{"to":"agents"}}`:                          "handover must be a text",
	} {
		_, err := readReply([]byte(body), before)
		failure, ok := errors.AsType[*bots.Failure](err)
		if !ok || failure.Why != parley.FailureBot || !strings.HasSuffix(failure.Problem, want) {
			t.Errorf("readReply(%.80s) = %v, want …%s", body, err, want)
		}
	}
	for _, body := range []string{`{"answers":[{"type":"PICTURE"}]}`, `{"answers":[{"content":"x","buttons":[{"name":"n","type":"LINK"}]}]}`} {
		_, err := readReply([]byte(body), before)
		if failure, ok := errors.AsType[*bots.Failure](err); !ok || failure.Why != parley.FailureBotSettings {
			t.Errorf("readReply(%s) = %v, want %s", body, err, parley.FailureBotSettings)
		}
	}
}

// legal checks that whatever was read can be kept and shown: types that there are, objects where objects are promised, all bounds kept.
func legal(t rapid.TB, reply parley.BotReply, err error) {
	t.Helper()
	if err != nil {
		failure, ok := errors.AsType[*bots.Failure](err)
		if !ok || failure.Why != parley.FailureBot && failure.Why != parley.FailureBotSettings || len(failure.Problem) > 300 {
			t.Fatalf("the error is %v", err)
		}
		return
	}
	object := func(what string, raw json.RawMessage, max int) {
		var v map[string]any
		if raw != nil && (json.Unmarshal(raw, &v) != nil || v == nil) || len(raw) > max {
			t.Fatalf("%s is %s", what, raw)
		}
	}
	buttons := func(all []parley.AnswerButton) {
		for _, b := range all {
			if !slices.Contains(buttonTypes, b.Type) || b.Name == "" || b.Value == "" || (b.Action == "") != (b.Type == parley.ButtonPostback) {
				t.Fatalf("a button is %+v", b)
			}
		}
	}
	if len(reply.Steps) > maxSteps || slices.ContainsFunc(reply.Steps, func(s parley.FlowStep) bool { return s.ID == "" || len(s.ID) > 4*maxStepName }) {
		t.Fatalf("steps are %+v", reply.Steps)
	}
	if len(reply.Answers) > maxAnswers {
		t.Fatalf("%d answers", len(reply.Answers))
	}
	for _, a := range reply.Answers {
		if !slices.Contains(parley.AnswerTypes(), a.Type) || (len(a.Cards) > 0) != (a.Type == parley.AnswerCarousel) || a.Text == "" && a.Cards == nil && a.Technical == nil {
			t.Fatalf("an answer is %+v", a)
		}
		object("a technical text", a.Technical, 8*maxAnswer)
		buttons(a.Buttons)
		for _, c := range a.Cards {
			buttons(c.Buttons)
		}
		for _, q := range a.QuickReplies {
			if q.Name == "" || q.Value == "" {
				t.Fatalf("a quick reply is %+v", q)
			}
		}
	}
	if n := reply.NLP; n != nil && (!slices.Contains(nlpTypes, n.Type) || !(n.Score >= 0 && n.Score <= 1)) {
		t.Fatalf("nlp is %+v", n)
	}
	if a := reply.Await; a != nil && !slices.Contains(awaitTypes, a.Type) {
		t.Fatalf("userInput is %+v", a)
	}
	if c := reply.Contexts; c != nil {
		object("the open context", c.Open, parley.MaxContext)
		object("the visible context", c.Visible, parley.MaxContext)
		object("the hidden context", c.Hidden, parley.MaxContext)
	}
	if _, err := json.Marshal(reply); err != nil {
		t.Fatalf("the reply cannot be kept: %v", err)
	}
}

// Whatever values stand where, a reply that is read is legal.
func TestRepliesAreLegal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, err := json.Marshal(thing(t, 5))
		if err != nil {
			t.Fatal(err)
		}
		reply, err := readReply(body, before)
		legal(t, reply, err)
	})
}

// thing is an object with names that mean something, often with values that they may have.
func thing(t *rapid.T, depth int) any {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom([]any{"x", "", " ", nil, true, 1, -0.5, "TEXT", "url", "CAROUSEL", "DATE", "{}", "[{\"title\":\"x\"}]", "NaN", []any{}}).Draw(t, "value")
	}
	if rapid.IntRange(0, 3).Draw(t, "list") == 0 {
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = thing(t, depth-1)
		}
		return list
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 5).Draw(t, "members") {
		name := rapid.SampledFrom([]string{"answers", "answer", "content", "type", "description", "technicalText", "buttons", "quickReply", "evaluable", "masked", "nlp",
			"name", "score", "entities", "position", "start", "end", "value", "originalValue", "userInput", "callToAction", "pattern", "openContext", "visibleContext",
			"hiddenContext", "steps", "endSession", "handover", "title", "imageUrl", "action", "other"}).Draw(t, "name")
		object[name] = thing(t, depth-1)
	}
	return object
}

func FuzzReply(f *testing.F) {
	for _, seed := range []string{documented(f, "response"), `{}`, `{"answer":{"content":{"content":"x"}}}`, `{"answers":[{"content":"x","technicalText":"{\"a\":1}"}]}`,
		`{"answers":[{"type":"CAROUSEL","content":"[{\"title\":\"t\"}]"}]}`, `{"nlp":{"score":"1e400"}}`, `{"openContext":{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}`,
		"{\"a\":\"\xff\"}", `{"endSession":"` + strconv.Itoa(1) + `"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reply, err := readReply(body, before)
		legal(t, reply, err)
	})
}
