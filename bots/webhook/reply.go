package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"parley/bots"

	"parley"
)

// Bounds of what a bot may say in one turn, and of the steps that it went through.
const (
	maxAnswers  = 64
	maxSteps    = 50
	maxStepName = 128 // characters
)

// The words of an answer besides the types of answers.
var (
	buttonTypes = []string{parley.ButtonPostback, parley.ButtonURL, parley.ButtonPhone}
	nlpTypes    = []string{parley.NLPQuestion, parley.NLPIntent, parley.NLPNone}
	awaitTypes  = []string{"DATE", "HOUR", "CUSTOM", "EMPTY"}
)

// readReply reads what a bot answered (reference/broker.md 12). Contexts that it does not name stay as they were before. The error is a
// *bots.Failure that says what is not as agreed, and nothing of what was answered.
func readReply(raw []byte, before parley.Contexts) (parley.BotReply, error) {
	r := &reading{}
	if !utf8.Valid(raw) || !json.Valid(raw) {
		r.fail(parley.FailureBot, "the answer of "+whom+" is no JSON")
		return parley.BotReply{}, r.failure
	}
	body := r.open(value{at: "the body", raw: bytes.TrimSpace(raw)})
	if body.members == nil {
		r.wrong(body, "must be an object")
		return parley.BotReply{}, r.failure
	}
	body.at = ""
	reply := parley.BotReply{
		Answers: answersOf(r, body), NLP: nlpOf(r, body.member("nlp")), Await: awaitOf(r, body.member("userInput")),
		Steps: stepsOf(r, body.member("steps")), Contexts: contextsOf(r, body, before), End: r.flag(body.member("endSession")), HandOver: r.flag(body.member("handover")),
	}
	if r.failure != nil {
		return parley.BotReply{}, r.failure
	}
	return reply, nil
}

// answersOf reads all answers: the list, or the vendor's single one.
func answersOf(r *reading, body value) (all []parley.BotAnswer) {
	list := body.member("answers")
	items := r.items(list)
	if single := r.open(body.member("answer")); len(items) == 0 && !single.absent() {
		if inner := single.member("content"); inner.first() == '{' {
			single = inner
		}
		items = []value{single}
	}
	if len(items) > maxAnswers {
		r.wrong(list, fmt.Sprintf("has more than %d answers", maxAnswers))
		return nil
	}
	for _, v := range items {
		all = append(all, answerOf(r, v))
	}
	return all
}

func answerOf(r *reading, v value) parley.BotAnswer {
	if v.absent() {
		r.wrong(v, "must be an object")
	}
	v = r.open(v)
	a := parley.BotAnswer{
		Type:        r.word(v.member("type"), parley.AnswerText, parley.FailureBotSettings, parley.AnswerTypes()),
		Description: r.text(v.member("description")),
		Technical:   technicalOf(r, v.member("technicalText")),
		Buttons:     buttonsOf(r, v.member("buttons")),
		Evaluable:   r.flag(v.member("evaluable")),
		Masked:      r.flag(v.member("masked")),
	}
	for _, q := range r.items(v.member("quickReply")) {
		name, value := labelled(r, q)
		a.QuickReplies = append(a.QuickReplies, parley.QuickReply{Name: name, Value: value})
	}
	content := v.member("content")
	if a.Type == parley.AnswerCarousel {
		a.Cards = cardsOf(r, content)
		return a
	}
	a.Text = r.text(content)
	if strings.TrimSpace(a.Text) == "" && (a.Type != parley.AnswerCustom || a.Technical == nil) { // what a CUSTOM one says is in its technical text
		r.wrong(content, "is missing")
	}
	return a
}

// technicalOf reads free JSON for the channel. Authors often write it as text: one that is an object becomes that object, another one
// the text of an object.
func technicalOf(r *reading, v value) json.RawMessage {
	if v.absent() {
		return nil
	}
	if v.first() == '{' {
		return r.object(v)
	}
	text := string(v.raw)
	if v.first() == '"' {
		text = strings.TrimSpace(r.text(v))
	}
	switch {
	case text == "":
		return nil
	case text[0] == '{' && json.Valid([]byte(text)):
		return r.object(value{at: v.at, raw: json.RawMessage(text)})
	}
	return bots.Encode(map[string]string{"text": text})
}

// cardsOf reads the content of a carousel, which may be JSON in a text.
func cardsOf(r *reading, content value) (cards []parley.AnswerCard) {
	if content.first() == '"' {
		if text := strings.TrimSpace(r.text(content)); json.Valid([]byte(text)) {
			content.raw = json.RawMessage(text)
		}
	}
	for _, v := range r.items(content) {
		if v.absent() {
			r.wrong(v, "must be an object")
		}
		v = r.open(v)
		c := parley.AnswerCard{ImageURL: r.text(v.member("imageUrl")), Title: r.text(v.member("title")), SubTitle: r.text(v.member("subTitle")), Buttons: buttonsOf(r, v.member("buttons"))}
		if c.ImageURL == "" && c.Title == "" {
			r.wrong(v, "has neither title nor imageUrl")
		}
		cards = append(cards, c)
	}
	if len(cards) == 0 {
		r.wrong(content, "is missing")
	}
	return cards
}

func buttonsOf(r *reading, list value) (buttons []parley.AnswerButton) {
	for _, v := range r.items(list) {
		name, said := labelled(r, v)
		v = r.open(v)
		b := parley.AnswerButton{Name: name, Value: said, Action: r.text(v.member("action")), Type: r.word(v.member("type"), parley.ButtonPostback, parley.FailureBotSettings, buttonTypes)}
		switch {
		case b.Type == parley.ButtonPostback:
			b.Action = ""
		case b.Action == "":
			b.Action = b.Value // where some bots put the address
		}
		buttons = append(buttons, b)
	}
	return buttons
}

// labelled reads what buttons and quick replies share. Either stands in for the other.
func labelled(r *reading, v value) (name, said string) {
	if v.absent() {
		r.wrong(v, "must be an object")
	}
	v = r.open(v)
	name, said = r.text(v.member("name")), r.text(v.member("value"))
	if name == "" && said == "" {
		r.wrong(v, "has neither name nor value")
	}
	if name == "" {
		name = said
	}
	if said == "" {
		said = name
	}
	return name, said
}

func nlpOf(r *reading, v value) *parley.NLPResult {
	if v.absent() {
		return nil
	}
	v = r.open(v)
	n := &parley.NLPResult{Name: r.text(v.member("name")), Score: r.number(v.member("score"))}
	otherwise := parley.NLPIntent
	if n.Name == "" {
		otherwise = parley.NLPNone
	}
	n.Type = r.word(v.member("type"), otherwise, parley.FailureBot, nlpTypes)
	if n.Score < 0 || n.Score > 1 {
		r.wrong(v.member("score"), "must be from 0 to 1")
	}
	if n.Type == parley.NLPNone {
		n.Name, n.Score = "", 0
	}
	for _, e := range r.items(v.member("entities")) {
		if e.absent() {
			r.wrong(e, "must be an object")
		}
		e = r.open(e)
		at := r.open(e.member("position"))
		found := parley.NLPEntity{Name: r.text(e.member("name")), Value: r.text(e.member("value")), Original: r.text(e.member("originalValue")),
			Start: place(r, at.member("start")), End: place(r, at.member("end"))}
		if found.Original == "" {
			found.Original = found.Value
		}
		if found.Start >= found.End {
			found.Start, found.End = 0, 0
		}
		n.Entities = append(n.Entities, found)
	}
	return n
}

// place reads a place in a text.
func place(r *reading, v value) int {
	n := r.number(v)
	if n < 0 || n > 1<<30 || n != float64(int(n)) {
		r.wrong(v, "must be a place in the text")
		return 0
	}
	return int(n)
}

func awaitOf(r *reading, v value) *parley.AwaitedInput {
	if v.absent() {
		return nil
	}
	v = r.open(v)
	return &parley.AwaitedInput{Type: r.word(v.member("type"), "EMPTY", parley.FailureBot, awaitTypes),
		CallToAction: r.text(v.member("callToAction")), Pattern: r.text(v.member("pattern"))}
}

// stepsOf reads the steps of its own that a bot went through, each an object or its id alone: an addition of ours, by which its conversations
// have ways in the analytics surface (reference/analytics.md 5).
func stepsOf(r *reading, list value) (steps []parley.FlowStep) {
	items := r.items(list)
	if len(items) > maxSteps {
		r.wrong(list, fmt.Sprintf("has more than %d steps", maxSteps))
		return nil
	}
	for _, v := range items {
		step := parley.FlowStep{}
		if v.first() == '{' {
			v = r.open(v)
			step.ID, step.Name = strings.TrimSpace(r.text(v.member("id"))), strings.TrimSpace(r.text(v.member("name")))
		} else {
			step.ID = strings.TrimSpace(r.text(v))
		}
		if n := utf8.RuneCountInString(step.ID); n == 0 || n > maxStepName || utf8.RuneCountInString(step.Name) > maxStepName {
			r.wrong(v, fmt.Sprintf("needs an id of 1 to %d characters, and a name of no more", maxStepName))
		}
		steps = append(steps, step)
	}
	return steps
}

// contextsOf replaces the contexts of a conversation by those of an answer; nil = none was given.
func contextsOf(r *reading, body value, before parley.Contexts) *parley.Contexts {
	after, given := before, false
	for _, c := range []struct {
		name string
		of   *json.RawMessage
	}{{"openContext", &after.Open}, {"visibleContext", &after.Visible}, {"hiddenContext", &after.Hidden}} {
		v := body.member(c.name)
		if v.absent() {
			continue
		}
		given = true
		if *c.of = r.object(v); len(*c.of) > parley.MaxContext {
			r.wrong(v, fmt.Sprintf("has more than %d bytes", parley.MaxContext))
		}
	}
	if !given {
		return nil
	}
	return &after
}
