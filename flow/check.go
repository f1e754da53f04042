package flow

import (
	"slices"
	"strings"
)

// check looks at what depends on the whole document.
func (p *parser) check(root node) {
	f := p.flow
	for _, r := range p.refs {
		if _, ok := f.steps[r.name]; !ok && r.name != "" {
			p.add(r.Line, r.path, "there is no step %q", r.name)
		}
	}
	for _, r := range p.asked {
		if !slices.ContainsFunc(f.entities, func(e entity) bool { return e.name == r.name }) {
			p.add(r.Line, r.path, "there is no entity %q", r.name)
		}
	}
	for _, l := range f.Languages {
		n := 0
		for i := range f.intents {
			n += len(in(f.intents[i].examples, l)) + len(in(f.intents[i].keywords, l))
		}
		if n > maxExamples {
			p.add(root.Line, "intents", "has %d examples and keywords in %s, more than %d", n, l, maxExamples)
		}
	}
	if s := f.steps[f.Fallback]; s != nil && s.When != nil && s.Otherwise == "" {
		at := p.stepLines[s.ID]
		p.add(at.Line, at.path, "the fallback must not depend on a condition without otherwise")
	}
	if f.Welcome == "" {
		p.warn(root.Line, "", "there is no welcome: channels that ask for one get an error")
	}
	p.unreachable()
	p.circles()
}

// next are the steps that one may go on to.
func (f *Flow) next(s *Step) []string {
	to := []string{s.Otherwise, s.Goto}
	if s.When != nil && s.Otherwise == "" || s.Ask != nil && s.Ask.Failed == "" {
		to = append(to, f.Fallback)
	}
	for _, b := range s.Branches {
		to = append(to, b.Goto)
	}
	if s.Ask != nil {
		to = append(to, s.Ask.Failed)
	}
	return to
}

// unreachable warns of steps that no input leads to. A button counts wherever it stands.
func (p *parser) unreachable() {
	f := p.flow
	todo := []string{f.Welcome, f.Fallback, f.OnContext, f.Escalate}
	for i := range f.intents {
		todo = append(todo, f.intents[i].Step)
	}
	for _, of := range []map[string]string{f.codes, f.choices} {
		for _, step := range of {
			todo = append(todo, step)
		}
	}
	seen := map[string]bool{}
	for len(todo) > 0 {
		s := f.steps[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		if s != nil && !seen[s.ID] {
			seen[s.ID] = true
			todo = append(todo, f.next(s)...)
		}
	}
	for id, at := range p.stepLines {
		if !seen[id] {
			p.warn(at.Line, at.path, "nothing leads to the step %q", id)
		}
	}
}

// circles warns of steps that lead to each other whatever happens: a turn that comes there fails.
func (p *parser) circles() {
	f := p.flow
	told := map[string]bool{}
	for id := range p.stepLines {
		var way []string
		for s := f.steps[id]; s != nil && !told[id]; s = f.steps[s.Goto] {
			if s.When != nil || s.Ask != nil || len(s.Branches) > 0 {
				break
			}
			if i := slices.Index(way, s.ID); i >= 0 {
				if s.ID == id {
					for _, w := range way {
						told[w] = true
					}
					first := slices.Min(way)
					p.warn(p.stepLines[first].Line, p.stepLines[first].path, "these steps go round for ever: %s", strings.Join(turned(way, first), ", "))
				}
				break
			}
			way = append(way, s.ID)
		}
	}
}

// turned is a circle as it reads from one of its members.
func turned(circle []string, first string) []string {
	i := slices.Index(circle, first)
	return append(slices.Clone(circle[i:]), circle[:i]...)
}
