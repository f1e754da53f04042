package flow

import (
	"math"

	"go.yaml.in/yaml/v3"
)

// A value is one of JSON whose texts may have placeholders.
type value interface {
	in(v *Values) (any, error)
}

type (
	constant struct{ it any }
	object   map[string]value
	array    []value
)

func (c constant) in(*Values) (any, error) { return c.it, nil }

func (t Template) in(v *Values) (any, error) { return t.value(v) }

func (o object) in(v *Values) (any, error) {
	out := make(map[string]any, len(o))
	for k, one := range o {
		x, err := one.in(v)
		if err != nil {
			return nil, err
		}
		out[k] = x
	}
	return out, nil
}

func (a array) in(v *Values) (any, error) {
	out := make([]any, len(a))
	for i, one := range a {
		x, err := one.in(v)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// Value is what is to be put there; nil removes the member.
func (a *Assignment) Value(v *Values) (any, error) { return a.value.in(v) }

// value reads any value.
func (r *reader) value(n node, depth int) value {
	if depth > maxDepth {
		r.add(n.Line, n.path, "has values more than %d deep", maxDepth)
		return constant{}
	}
	switch n.Kind {
	case yaml.MappingNode:
		o := object{}
		r.entries(n, func(key *yaml.Node, v node) { o[key.Value] = r.value(v, depth+1) })
		return o
	case yaml.SequenceNode:
		a := make(array, len(n.Content))
		for i := range n.Content {
			a[i] = r.value(n.at(i), depth+1)
		}
		return a
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return constant{}
		case "!!bool":
			return constant{r.flag(n)}
		case "!!int", "!!float":
			var f float64
			if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				r.add(n.Line, n.path, "is a number that JSON has not")
			}
			return constant{f}
		}
		return r.template(n)
	}
	r.add(n.Line, n.path, "must be a value, not %s", kind(n))
	return constant{}
}

// template reads a text with placeholders.
func (r *reader) template(n node) Template {
	t, err := parseTemplate(r.text(n))
	if err != nil {
		r.add(n.Line, n.path, "%s", err)
	}
	return t
}
