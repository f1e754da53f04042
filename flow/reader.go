package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of documents.
const (
	MaxSource = 512 << 10 // bytes
	maxDepth  = 24        // of values within values
	maxName   = 100       // bytes of ids and names
)

// A reader takes a tree of YAML apart, and notes what is not as it should be.
type reader struct{ problems }

// node is a value of the document and where it stands.
type node struct {
	*yaml.Node
	path string
}

func (n node) at(i int) node { return node{n.Content[i], fmt.Sprintf("%s[%d]", n.path, i)} }

func (n node) member(key string, value *yaml.Node) node {
	if n.path != "" {
		key = n.path + "." + key
	}
	return node{value, key}
}

// document reads the one document of a source; false if there is none.
func (r *reader) document(source []byte) (node, bool) {
	if len(source) > MaxSource {
		r.add(1, "", "the document is larger than %d KiB", MaxSource>>10)
		return node{}, false
	}
	decoder := yaml.NewDecoder(bytes.NewReader(plainEscapes(source)))
	var tree yaml.Node
	if err := decoder.Decode(&tree); errors.Is(err, io.EOF) {
		r.add(1, "", "the document is empty")
		return node{}, false
	} else if err != nil {
		r.syntax(err)
		return node{}, false
	}
	var more yaml.Node
	if err := decoder.Decode(&more); err == nil {
		r.add(more.Line, "", "there is a second document")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}
	if tree.Kind != yaml.DocumentNode || len(tree.Content) != 1 {
		r.add(1, "", "the document is empty")
		return node{}, false
	}
	return node{tree.Content[0], ""}, true
}

// syntaxLine finds the line in what the library says of broken YAML: its errors have it in no other form.
var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (r *reader) syntax(err error) {
	line := 1
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
	}
	r.add(line, "", "%s", syntaxLine.ReplaceAllString(err.Error(), ""))
}

// mapping calls the function of each key. Those of required must be there.
func (r *reader) mapping(n node, keys map[string]func(node), required ...string) bool {
	if n.Kind != yaml.MappingNode {
		r.add(n.Line, n.path, "must be a mapping of keys and values, not %s", kind(n))
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, known := keys[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			r.add(key.Line, n.path, "unknown key %q", key.Value)
		case seen[key.Value]:
			r.add(key.Line, n.path, "the key %q is there twice", key.Value)
		default:
			read(n.member(key.Value, value))
		}
		seen[key.Value] = true
	}
	for _, key := range required {
		if !seen[key] {
			r.add(n.Line, n.path, "%s is missing", key)
		}
	}
	return true
}

// entries calls a function for each key and value of a mapping whose keys are the author's.
func (r *reader) entries(n node, each func(key *yaml.Node, value node)) {
	if n.Kind != yaml.MappingNode {
		r.add(n.Line, n.path, "must be a mapping, not %s", kind(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Value == "" {
			r.add(key.Line, n.path, "keys must be texts")
			continue
		}
		if seen[key.Value] {
			r.add(key.Line, n.path, "the key %q is there twice", key.Value)
			continue
		}
		seen[key.Value] = true
		each(key, n.member(key.Value, n.Content[i+1]))
	}
}

// list calls a function for each item, at most limit of them.
func (r *reader) list(n node, limit int, each func(node)) {
	if n.Kind != yaml.SequenceNode {
		r.add(n.Line, n.path, "must be a list, not %s", kind(n))
		return
	}
	if len(n.Content) > limit {
		r.add(n.Line, n.path, "may have at most %d items", limit)
		return
	}
	for i := range n.Content {
		each(n.at(i))
	}
}

// text is a scalar as it is written; numbers and the like count as texts.
func (r *reader) text(n node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		r.add(n.Line, n.path, "must be a text, not %s", kind(n))
		return ""
	}
	return n.Value
}

// name is a short text on one line.
func (r *reader) name(n node) string {
	s := strings.TrimSpace(r.text(n))
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && (s == "" || len(s) > maxName || strings.ContainsAny(s, "\r\n")) {
		r.add(n.Line, n.path, "must be one line of 1 to %d bytes", maxName)
	}
	return s
}

func (r *reader) flag(n node) (yes bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&yes) != nil {
		r.add(n.Line, n.path, "must be true or false")
	}
	return yes
}

func (r *reader) number(n node, low, high float64) (f float64) {
	if tag := n.ShortTag(); n.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || n.Decode(&f) != nil || !(f >= low && f <= high) {
		r.add(n.Line, n.path, "must be a number from %v to %v", low, high)
		return low
	}
	return f
}

func (r *reader) whole(n node, low, high int) int {
	f := r.number(n, float64(low), float64(high))
	if f != math.Trunc(f) {
		r.add(n.Line, n.path, "must be a whole number")
	}
	return int(f)
}

// pattern is a regular expression; nil if it is none.
func (r *reader) pattern(n node) *regexp.Regexp {
	s := r.text(n)
	if len(s) > maxExpression {
		r.add(n.Line, n.path, "is longer than %d bytes", maxExpression)
		return nil
	}
	p, err := regexp.Compile(s)
	if err != nil {
		r.add(n.Line, n.path, "is no regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	return p
}

func kind(n node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias: write it out"
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return "nothing"
		}
	}
	return fmt.Sprintf("%q", n.Value)
}
