package flow

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"parley/insight/text"
)

// More bounds of documents.
const (
	maxLanguages = 20
	maxSteps     = 1000
	maxIntents   = 500
	maxExamples  = 2000 // of a language: training takes under a second
	maxEntities  = 100
	maxAnswers   = 20 // of a step
	maxItems     = 1000
)

// A parser reads a flow.
type parser struct {
	reader
	flow      *Flow
	refs      []reference          // to steps
	asked     []reference          // entities that steps ask for
	stepLines map[string]node      // steps by id
	pressed   map[string]reference // by the folded value of a button
}

// A reference is a name of something elsewhere in the document.
type reference struct {
	node
	name string
}

// Parse reads a flow. The error is an [*Invalid] with everything that is wrong.
func Parse(source []byte) (*Flow, error) {
	p := parser{flow: &Flow{zone: time.UTC, steps: map[string]*Step{}, codes: map[string]string{}, choices: map[string]string{}}, stepLines: map[string]node{}, pressed: map[string]reference{}}
	if root, ok := p.document(source); ok {
		p.root(root)
	}
	all, wrong := p.sorted()
	if wrong {
		return nil, &Invalid{Problems: all}
	}
	p.flow.Warnings = all
	p.flow.compile()
	return p.flow, nil
}

// compile prepares what is understood.
func (f *Flow) compile() {
	tags := make([]language.Tag, len(f.Languages))
	f.understand = map[string]func() *understanding{}
	for i, l := range f.Languages {
		tags[i] = language.Make(l)
		f.understand[l] = sync.OnceValue(func() *understanding { return f.learn(l) })
	}
	f.matcher = language.NewMatcher(tags)
}

func (p *parser) root(n node) {
	p.languages(n)
	f := p.flow
	ok := p.mapping(n, map[string]func(node){
		"name":              func(n node) { f.Name = p.name(n) },
		"languages":         func(node) {}, // read already: texts depend on it
		"timeZone":          p.timeZone,
		"minimumConfidence": func(n node) { f.MinimumConfidence = p.number(n, 0, 1) },
		"welcome":           func(n node) { f.Welcome = p.ref(n) },
		"fallback":          func(n node) { f.Fallback = p.ref(n) },
		"onContext":         func(n node) { f.OnContext = p.ref(n) },
		"escalate": func(n node) {
			p.mapping(n, map[string]func(node){
				"after": func(n node) { f.EscalateAfter = p.whole(n, 1, 20) },
				"step":  func(n node) { f.Escalate = p.ref(n) },
			}, "after", "step")
		},
		"codes": func(n node) {
			p.entries(n, func(key *yaml.Node, v node) { f.codes[key.Value] = p.ref(v) })
		},
		"entities": func(n node) { p.list(n, maxEntities, p.entity) },
		"intents":  func(n node) { p.list(n, maxIntents, p.intent) },
		"steps":    func(n node) { p.list(n, maxSteps, p.step) },
	}, "name", "languages", "fallback", "steps")
	if ok {
		p.check(n)
	}
}

// languages reads the languages before everything else.
func (p *parser) languages(n node) {
	p.flow.Languages = []string{"en"} // in place of what is wrong
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "languages" {
			continue
		}
		var all []string
		at := n.member("languages", n.Content[i+1])
		p.list(at, maxLanguages, func(n node) {
			l := p.text(n)
			if _, err := language.Parse(l); err != nil {
				p.add(n.Line, n.path, "%q is no language tag such as en or de-AT", l)
			} else if slices.Contains(all, l) {
				p.add(n.Line, n.path, "%s is there twice", l)
			} else {
				all = append(all, l)
			}
		})
		if len(all) > 0 {
			p.flow.Languages = all
		} else if at.Kind == yaml.SequenceNode && len(at.Content) == 0 {
			p.add(at.Line, at.path, "needs at least one language")
		}
		return
	}
}

func (p *parser) timeZone(n node) {
	zone, err := time.LoadLocation(p.text(n))
	if err != nil {
		p.add(n.Line, n.path, "%q is no time zone such as Europe/Berlin", n.Value)
		return
	}
	p.flow.zone = zone
}

// ref reads the id of a step.
func (p *parser) ref(n node) string {
	id := strings.TrimSpace(p.text(n))
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && id == "" {
		p.add(n.Line, n.path, "must be the id of a step")
	}
	p.refs = append(p.refs, reference{n, id})
	return id
}

// identifier is what names entities and members of contexts in expressions.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

func (p *parser) identifier(n node) string {
	s := p.text(n)
	if n.Kind == yaml.ScalarNode && !identifier.MatchString(s) {
		p.add(n.Line, n.path, "%q must be letters, digits and _, and begin with a letter", s)
	}
	return s
}

func (p *parser) entity(n node) {
	var e entity
	var phrases []string
	forms := 0
	p.mapping(n, map[string]func(node){
		"name": func(n node) {
			e.name = p.identifier(n)
			if slices.ContainsFunc(p.flow.entities, func(o entity) bool { return o.name == e.name }) {
				p.add(n.Line, n.path, "there is another entity %q", e.name)
			}
		},
		"list": func(n node) {
			forms++
			p.list(n, maxItems, func(n node) {
				var names []string
				value := ""
				p.mapping(n, map[string]func(node){
					"value":    func(n node) { value = p.name(n) },
					"synonyms": func(n node) { p.list(n, maxItems, func(n node) { names = append(names, p.phrase(n)) }) },
				}, "value")
				for _, s := range append([]string{value}, names...) {
					phrases, e.values = append(phrases, s), append(e.values, value)
				}
			})
		},
		"pattern": func(n node) { forms++; e.pattern = p.pattern(n) },
		"builtIn": func(n node) {
			forms++
			if e.builtIn = builtIns[p.text(n)]; e.builtIn == "" {
				p.add(n.Line, n.path, "must be one of %s", strings.Join(slices.Sorted(maps.Keys(builtIns)), ", "))
			}
		},
	}, "name")
	if forms != 1 && n.Kind == yaml.MappingNode {
		p.add(n.Line, n.path, "needs exactly one of list, pattern, builtIn")
	}
	if len(phrases) > 0 {
		e.lexicon = text.NewLexicon(phrases)
	}
	if e.lexicon != nil || e.pattern != nil || e.builtIn != "" {
		p.flow.entities = append(p.flow.entities, e)
	}
}

// phrase is a text with a word in it.
func (p *parser) phrase(n node) string {
	s := p.text(n)
	if n.Kind == yaml.ScalarNode && (len(s) > maxExpression || folded(s) == "") {
		p.add(n.Line, n.path, "must have a letter or digit, and at most %d bytes", maxExpression)
	}
	return s
}

// phrases are lists of phrases by language; a list without languages counts for every one.
func (p *parser) phrases(n node) map[string][]string {
	all := map[string][]string{}
	read := func(language string) func(node) {
		return func(n node) { all[language] = append(all[language], p.phrase(n)) }
	}
	if n.Kind != yaml.MappingNode {
		p.list(n, maxExamples, read(""))
		return all
	}
	p.entries(n, func(key *yaml.Node, v node) {
		if p.known(key, n) {
			p.list(v, maxExamples, read(key.Value))
		}
	})
	return all
}

// known says whether a key is one of the flow's languages.
func (p *parser) known(key *yaml.Node, n node) bool {
	if slices.Contains(p.flow.Languages, key.Value) {
		return true
	}
	p.add(key.Line, n.path, "%q is none of the flow's languages", key.Value)
	return false
}

func (p *parser) intent(n node) {
	var one Intent
	p.mapping(n, map[string]func(node){
		"name": func(n node) {
			if one.Name = p.name(n); p.flow.Intent(one.Name) != nil {
				p.add(n.Line, n.path, "there is another intent %q", one.Name)
			}
		},
		"examples": func(n node) { one.examples = p.phrases(n) },
		"keywords": func(n node) { one.keywords = p.phrases(n) },
		"step":     func(n node) { one.Step = p.ref(n) },
	}, "name", "step")
	p.flow.intents = append(p.flow.intents, one)
	for _, l := range p.flow.Languages {
		if len(one.examples)+len(one.keywords) > 0 && len(in(one.examples, l))+len(in(one.keywords, l)) == 0 {
			p.warn(n.Line, n.path, "nobody who speaks %s can say this: it has neither examples nor keywords", l)
		}
	}
}

// textIn reads a text: one for every language, or a mapping by language.
func (p *parser) textIn(n node) Text {
	if n.Kind != yaml.MappingNode {
		return Text{all: p.template(n)}
	}
	t := Text{byLocale: map[string]Template{}, otherwise: p.flow.Languages[0]}
	p.entries(n, func(key *yaml.Node, v node) {
		if p.known(key, n) {
			t.byLocale[key.Value] = p.template(v)
		}
	})
	for i, l := range p.flow.Languages {
		if _, ok := t.byLocale[l]; ok {
			continue
		}
		if i == 0 {
			p.add(n.Line, n.path, "has no text in %s, the flow's first language", l)
		} else {
			p.warn(n.Line, n.path, "has no text in %s: customers get that in %s", l, p.flow.Languages[0])
		}
	}
	return t
}

// condition reads an expression that is true or not.
func (p *parser) condition(n node) *Expression {
	e, err := compile(p.text(n), true)
	if err != nil {
		p.add(n.Line, n.path, "%s", err)
		return nil
	}
	return e
}

// place reads a member of a context; without a context it is in the hidden one.
func (p *parser) place(n node) *Place {
	context, key, dotted := strings.Cut(p.text(n), ".")
	if !dotted {
		context, key = "hidden", context
	}
	if !slices.Contains(contexts, context) || !identifier.MatchString(key) {
		p.add(n.Line, n.path, "%q must be a name, or one in a context such as open.name", n.Value)
		return nil
	}
	return &Place{context, key}
}

var contexts = []string{"open", "visible", "hidden"}

// enum is one of a few texts.
func (p *parser) enum(n node, allowed ...string) string {
	s := p.text(n)
	if n.Kind == yaml.ScalarNode && !slices.Contains(allowed, s) {
		p.add(n.Line, n.path, "%s is none of %s", fmt.Sprintf("%q", s), strings.Join(allowed, ", "))
	}
	return s
}
