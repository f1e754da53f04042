package flow

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"parley"
)

func (p *parser) step(n node) {
	s := &Step{}
	p.mapping(n, map[string]func(node){
		"id": func(n node) {
			s.ID = p.name(n)
			if p.flow.steps[s.ID] != nil {
				p.add(n.Line, n.path, "there is another step %q, on line %d", s.ID, p.stepLines[s.ID].Line)
			}
		},
		"name":      func(n node) { s.Name = p.name(n) },
		"when":      func(n node) { s.When = p.condition(n) },
		"otherwise": func(n node) { s.Otherwise = p.ref(n) },
		"set":       func(n node) { s.Set = p.set(n) },
		"answers": func(n node) {
			p.list(n, maxAnswers, func(n node) { s.Answers = append(s.Answers, p.answer(n)) })
		},
		"ask": func(n node) { s.Ask = p.ask(n) },
		"branches": func(n node) {
			p.list(n, maxItems, func(n node) {
				var b Branch
				p.mapping(n, map[string]func(node){"when": func(n node) { b.When = p.condition(n) }, "goto": func(n node) { b.Goto = p.ref(n) }}, "when", "goto")
				s.Branches = append(s.Branches, b)
			})
		},
		"goto":     func(n node) { s.Goto = p.ref(n) },
		"handover": func(n node) { s.HandOver = p.flag(n) },
		"end":      func(n node) { s.End = p.flag(n) },
	}, "id")
	switch {
	case s.HandOver && s.End:
		p.add(n.Line, n.path, "may hand over or end, not both")
	case (s.HandOver || s.End) && (s.Goto != "" || len(s.Branches) > 0):
		p.add(n.Line, n.path, "cannot go on to another step after handover or end")
	case s.Otherwise != "" && s.When == nil:
		p.add(n.Line, n.path, "has otherwise without when")
	}
	if s.ID != "" && p.flow.steps[s.ID] == nil {
		p.flow.steps[s.ID], p.stepLines[s.ID] = s, n
	}
}

func (p *parser) set(n node) (all []Assignment) {
	p.entries(n, func(key *yaml.Node, v node) {
		place := p.place(node{key, n.path})
		if place != nil {
			all = append(all, Assignment{*place, p.value(v, 0)})
		}
	})
	return all
}

// questions are the types of an ask.
var questions = []string{"DATE", "HOUR", "CUSTOM", "EMPTY"}

const defaultTries = 3

func (p *parser) ask(n node) *Ask {
	a := &Ask{Tries: defaultTries, Interrupts: true}
	var pattern *node
	p.mapping(n, map[string]func(node){
		"type":    func(n node) { a.Type = p.enum(n, questions...) },
		"label":   func(n node) { a.Label = p.textIn(n) },
		"pattern": func(n node) { a.Format, pattern = p.text(n), &n },
		"store":   func(n node) { a.Store = p.place(n) },
		"entity": func(n node) {
			a.Entity = p.text(n)
			p.asked = append(p.asked, reference{n, a.Entity})
		},
		"again":      func(n node) { a.Again = p.textIn(n) },
		"tries":      func(n node) { a.Tries = p.whole(n, 1, 20) },
		"failed":     func(n node) { a.Failed = p.ref(n) },
		"interrupts": func(n node) { a.Interrupts = p.flag(n) },
	}, "type")
	switch {
	case pattern == nil:
	case a.Type == "EMPTY":
		p.add(pattern.Line, pattern.path, "EMPTY takes any text: use CUSTOM for one with a pattern")
	case a.Type == "CUSTOM":
		if at := *pattern; p.pattern(at) != nil {
			whole, err := regexp.Compile(`^(?:` + a.Format + `)$`)
			if err != nil { // such as of \Q without \E
				p.add(at.Line, at.path, "does not end where the pattern ends")
			}
			a.pattern = whole
		}
	}
	return a
}

func (p *parser) answer(n node) Answer {
	var a Answer
	given := map[string]node{}
	keep := func(key string, read func(node)) func(node) {
		return func(n node) {
			given[key] = n
			read(n)
		}
	}
	p.mapping(n, map[string]func(node){
		"id":            func(n node) { a.ID = p.name(n) },
		"type":          func(n node) { a.Type = p.enum(n, parley.AnswerTypes()...) },
		"when":          func(n node) { a.When = p.condition(n) },
		"text":          keep("text", func(n node) { a.content = p.textIn(n) }),
		"url":           keep("url", func(n node) { a.content = p.address(n) }),
		"cards":         keep("cards", func(n node) { p.list(n, maxItems, func(n node) { a.cards = append(a.cards, p.card(n)) }) }),
		"description":   func(n node) { a.description = p.textIn(n) },
		"technicalText": keep("technicalText", func(n node) { a.technical = p.technical(n) }),
		"buttons":       func(n node) { p.list(n, maxItems, func(n node) { a.buttons = append(a.buttons, p.button(n, true)) }) },
		"quickReplies": func(n node) {
			p.list(n, maxItems, func(n node) { a.quickReplies = append(a.quickReplies, p.button(n, false)) })
		},
		"evaluable": func(n node) { a.evaluable = p.flag(n) },
		"masked":    func(n node) { a.masked = p.flag(n) },
	})
	if a.Type == "" {
		a.Type = parley.AnswerText
		if len(a.buttons)+len(a.quickReplies) > 0 {
			a.Type = parley.AnswerOptions
		}
	}
	need, may := "url", "url"
	switch a.Type {
	case parley.AnswerText, parley.AnswerOptions:
		need, may = "text", "text"
	case parley.AnswerCarousel:
		need, may = "cards", "cards"
	case parley.AnswerCustom:
		need, may = "technicalText", "text"
	}
	if _, ok := given[need]; !ok && n.Kind == yaml.MappingNode {
		p.add(n.Line, n.path, "an answer of type %s needs %s", a.Type, need)
	}
	for _, key := range []string{"text", "url", "cards"} {
		if at, ok := given[key]; ok && key != may {
			p.add(at.Line, at.path, "an answer of type %s has no %s", a.Type, key)
		}
	}
	if len(a.cards) == 0 && given["cards"].Node != nil && given["cards"].Kind == yaml.SequenceNode {
		p.add(given["cards"].Line, given["cards"].path, "needs at least one card")
	}
	return a
}

// technical reads an object, also one that is written as a text (reference/broker.md 4.5). That is decided here: what customers say
// fills the placeholders of an object and does not become one.
func (p *parser) technical(n node) value {
	if n.Kind == yaml.ScalarNode && strings.HasPrefix(strings.TrimSpace(n.Value), "{") && json.Valid([]byte(n.Value)) {
		var inner yaml.Node
		if yaml.Unmarshal(plainEscapes([]byte(n.Value)), &inner) == nil && len(inner.Content) == 1 {
			onLine(&inner, n.Line)
			return p.value(node{inner.Content[0], n.path}, 0)
		}
	}
	v := p.value(n, 0)
	switch v := v.(type) {
	case object, Template:
	case constant:
		if v.it != nil {
			p.add(n.Line, n.path, "must be a mapping or a text")
		}
		return nil
	default:
		p.add(n.Line, n.path, "must be a mapping or a text, not %s", kind(n))
	}
	return v
}

// onLine says that a tree stands on one line of the document.
func onLine(n *yaml.Node, line int) {
	n.Line = line
	for _, c := range n.Content {
		onLine(c, line)
	}
}

func (p *parser) card(n node) (c card) {
	p.mapping(n, map[string]func(node){
		"imageUrl": func(n node) { c.image = p.address(n) },
		"title":    func(n node) { c.title = p.textIn(n) },
		"subTitle": func(n node) { c.subTitle = p.textIn(n) },
		"buttons":  func(n node) { p.list(n, maxItems, func(n node) { c.buttons = append(c.buttons, p.button(n, true)) }) },
	}, "title")
	return c
}

// phoneNumber is one as a button has it.
var phoneNumber = regexp.MustCompile(`^\+?[0-9][0-9 ()/.-]{1,30}$`)

// button reads a button, or a quick reply, which has no type.
func (p *parser) button(n node, whole bool) (b button) {
	b.kind = parley.ButtonPostback
	var action, value, to *node
	keys := map[string]func(node){
		"name":  func(n node) { b.name = p.textIn(n) },
		"value": func(n node) { b.value, value = p.textIn(n), &n },
		"step":  func(n node) { to = &n },
	}
	if whole {
		keys["type"] = func(n node) { b.kind = p.enum(n, parley.ButtonPostback, parley.ButtonURL, parley.ButtonPhone) }
		keys["action"] = func(n node) { action = &n }
	}
	if !p.mapping(n, keys, "name") {
		return b
	}
	if value == nil {
		b.value = b.name
	}
	switch {
	case b.kind == parley.ButtonPostback && action != nil:
		p.add(action.Line, action.path, "a button of type POSTBACK has no action")
	case b.kind != parley.ButtonPostback && action == nil:
		p.add(n.Line, n.path, "a button of type %s needs action", b.kind)
	case b.kind != parley.ButtonPostback && to != nil:
		p.add(to.Line, to.path, "a button of type %s says nothing, so it leads to no step", b.kind)
	case b.kind == parley.ButtonURL:
		b.action = p.address(*action)
	case b.kind == parley.ButtonPhone:
		b.action = p.textIn(*action)
		for _, t := range b.action.templates() {
			if s, fixed := t.fixed(); !fixed || !phoneNumber.MatchString(s) {
				p.add(action.Line, action.path, "must be a telephone number without placeholders")
				break
			}
		}
	}
	if to != nil {
		p.choice(*to, &b)
	}
	return b
}

// choice notes which step a button leads to, by its value in every language.
func (p *parser) choice(to node, b *button) {
	step := p.ref(to)
	for _, t := range b.value.templates() {
		s, fixed := t.fixed()
		key := folded(s)
		if !fixed || key == "" {
			p.add(to.Line, to.path, "the value of a button that leads to a step must be a text without placeholders")
			continue
		}
		if other, ok := p.pressed[key]; ok && other.name != step {
			p.add(to.Line, to.path, "a button of the same value leads to %q on line %d", other.name, other.Line)
		}
		p.pressed[key] = reference{to, step}
		p.flow.choices[key] = step
	}
}

// addressStart is what an address with placeholders begins with: values may not choose whom it leads to.
var addressStart = regexp.MustCompile(`^https?://[^/?#\s]+/`)

// address reads the URL of a medium or a link.
func (p *parser) address(n node) Text {
	t := p.textIn(n)
	for _, one := range t.templates() {
		s, fixed := one.fixed()
		if !fixed {
			s = one.begin()
		}
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(s, " \t\r\n"):
			p.add(n.Line, n.path, "must be an absolute http or https address")
			return t
		case !fixed && !addressStart.MatchString(s):
			p.add(n.Line, n.path, "an address with placeholders must begin with its host and a slash")
			return t
		}
	}
	return t
}
