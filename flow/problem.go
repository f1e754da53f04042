package flow

import (
	"cmp"
	"fmt"
	"slices"
)

// A Problem is something wrong with a document.
type Problem struct {
	Line    int    // from 1
	Path    string // such as steps[2].ask.pattern; "" = the document
	Message string
	Warning bool // the flow works nevertheless
}

func (p Problem) String() string {
	kind := ""
	if p.Warning {
		kind = "warning: "
	}
	if p.Path == "" {
		return fmt.Sprintf("line %d: %s%s", p.Line, kind, p.Message)
	}
	return fmt.Sprintf("line %d: %s: %s%s", p.Line, p.Path, kind, p.Message)
}

// Invalid is the error of a document that is no flow.
type Invalid struct {
	Problems []Problem // by line; also the warnings
}

// Error tells the first problem.
func (e *Invalid) Error() string {
	wrong := slices.DeleteFunc(slices.Clone(e.Problems), func(p Problem) bool { return p.Warning })
	if len(wrong) == 1 {
		return wrong[0].String()
	}
	return fmt.Sprintf("%s (and %d more)", wrong[0], len(wrong)-1)
}

// maxProblems bounds what is told of one document; whoever has mended these sees the others.
const maxProblems = 200

// problems collects what is wrong.
type problems struct{ all []Problem }

func (p *problems) add(line int, path, format string, args ...any) {
	p.all = append(p.all, Problem{Line: max(line, 1), Path: path, Message: fmt.Sprintf(format, args...)})
}

func (p *problems) warn(line int, path, format string, args ...any) {
	p.add(line, path, format, args...)
	p.all[len(p.all)-1].Warning = true
}

// sorted is by line, errors first where there are too many.
func (p *problems) sorted() (all []Problem, wrong bool) {
	all = slices.Clone(p.all)
	wrong = slices.ContainsFunc(all, func(p Problem) bool { return !p.Warning })
	if len(all) > maxProblems {
		slices.SortStableFunc(all, func(a, b Problem) int { return order(a.Warning) - order(b.Warning) })
		all = all[:maxProblems]
	}
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(a.Line-b.Line, cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return all, wrong
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}
