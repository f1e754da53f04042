package flow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
)

// Values are what expressions are about.
type Values struct {
	Open     map[string]any `expr:"open"` // the contexts, as JSON has them
	Visible  map[string]any `expr:"visible"`
	Hidden   map[string]any `expr:"hidden"`
	Entities map[string]any `expr:"entities"` // values of this input, as texts
	Input    InputValues    `expr:"input"`
	Now      NowValues      `expr:"now"`
}

// InputValues are what was said.
type InputValues struct {
	Text     string `expr:"text"`
	Code     string `expr:"code"`
	Intent   string `expr:"intent"`   // what was understood; "" = nothing
	Channel  string `expr:"channel"`  // its type
	Language string `expr:"language"` // of the flow, that answers are in
	Locale   string `expr:"locale"`   // as the channel sent it
}

// NowValues are the time of the turn, in the flow's time zone.
type NowValues struct {
	Date    string `expr:"date"`    // 2026-12-31
	Time    string `expr:"time"`    // 23:59
	Weekday int    `expr:"weekday"` // 1 = Monday to 7 = Sunday
}

// An Expression is a condition, or what stands between the braces of a placeholder: contexts, entities, comparisons, and, or,
// not, and a few functions. It is compiled by expr-lang, of which everything else is refused: there is nothing in it
// that repeats, stores or reaches outside, and its length is bounded.
type Expression struct{ program *vm.Program }

const (
	maxExpression = 1000 // bytes
	maxNodes      = 200  // of the syntax tree
)

// operators are those that may be used.
var operators = strings.Fields("== != < <= > >= and && or || not ! in contains startsWith endsWith matches ?? -")

var (
	// errNotNumber ends an expression, which then has no value.
	errNotNumber = errors.New("not a number")
	functions    = []expr.Option{
		expr.Function("exists", func(args ...any) (any, error) { return args[0] != nil, nil }, new(func(any) bool)),
		expr.Function("lower", func(args ...any) (any, error) { return strings.ToLower(show(args[0])), nil }, new(func(any) string)),
		expr.Function("number", func(args ...any) (any, error) {
			n, err := strconv.ParseFloat(strings.TrimSpace(show(args[0])), 64)
			if err != nil {
				return nil, errNotNumber
			}
			return n, nil
		}, new(func(any) float64)),
	}
	functionNames = []string{"exists", "lower", "number"}
)

// compile compiles an expression. The error is for people.
func compile(source string, condition bool) (*Expression, error) {
	if strings.TrimSpace(source) == "" {
		return nil, errors.New("must not be empty")
	}
	if len(source) > maxExpression {
		return nil, fmt.Errorf("is longer than %d bytes", maxExpression)
	}
	guard := &closed{}
	options := []expr.Option{expr.Env(Values{}), expr.DisableAllBuiltins(), expr.DisableIfOperator(), expr.MaxNodes(maxNodes), expr.Optimize(false), expr.Patch(guard)}
	options = append(options, functions...)
	if condition {
		options = append(options, expr.AsBool())
	}
	program, err := expr.Compile(source, options...)
	if guard.refused != "" {
		return nil, errors.New(guard.refused)
	}
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n") // the other lines draw the place
		return nil, errors.New(first)
	}
	return &Expression{program}, nil
}

// closed is the visitor that refuses what is not part of our language. It also makes members of nothing be nothing.
type closed struct{ refused string }

// Visit implements [ast.Visitor].
func (c *closed) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			c.refuse("$env may not be used")
		}
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ArrayNode, *ast.ChainNode:
	case *ast.UnaryNode:
		c.operator(n.Operator)
	case *ast.BinaryNode:
		c.operator(n.Operator)
		if _, constant := n.Right.(*ast.StringNode); n.Operator == "matches" && !constant {
			c.refuse("matches needs a regular expression in quotes")
		}
		if n.Operator == "-" {
			c.refuse("- is not for calculating here")
		}
	case *ast.MemberNode:
		if !n.Optional {
			n.Optional = true
			ast.Patch(node, &ast.ChainNode{Node: n})
		}
	case *ast.CallNode:
		name, ok := n.Callee.(*ast.IdentifierNode)
		switch {
		case !ok || !slices.Contains(functionNames, name.Value):
			c.refuse("may call " + strings.Join(functionNames, ", ") + " only")
		case len(n.Arguments) != 1:
			c.refuse(name.Value + " takes one argument")
		}
	default:
		c.refuse("may consist of values, comparisons, and, or, not, and the functions " + strings.Join(functionNames, ", ") + " only")
	}
}

func (c *closed) operator(name string) {
	if !slices.Contains(operators, name) {
		c.refuse("the operator " + name + " may not be used")
	}
}

func (c *closed) refuse(why string) {
	if c.refused == "" {
		c.refused = why
	}
}

// Holds says whether a condition is true. One that cannot be decided, such as "text" > 5, is not.
func (e *Expression) Holds(v *Values) bool {
	value, err := expr.Run(e.program, v)
	yes, _ := value.(bool)
	return err == nil && yes
}

// Value is what an expression gives; nil if it is nothing or cannot be decided.
func (e *Expression) Value(v *Values) any {
	value, err := expr.Run(e.program, v)
	if err != nil {
		return nil
	}
	return value
}
