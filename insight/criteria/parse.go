package criteria

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"parley"
)

const (
	// MaxLength of a text, in characters.
	MaxLength = 1024
	// MaxSelectors is how many different selectors one text may compare.
	MaxSelectors = 2
)

// Parse reads the criteria of a group.
func Parse(text string) (parley.Condition, error) { return parse(text, MaxLength, false) }

// ParseFilter reads the filter of a list, which has no OR.
func ParseFilter(text string) (parley.Condition, error) { return parse(text, MaxLength, true) }

func parse(text string, length int, filter bool) (parley.Condition, error) {
	p := &parser{text: []rune(text), filter: filter}
	for i, c := range text {
		if c != 0 && c != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[i:]); c == 0 || size == 1 {
			p.at = utf8.RuneCountInString(text[:i])
			return parley.Condition{}, p.expected("text in UTF-8 without the character 0")
		}
	}
	if len(p.text) > length {
		p.at = length
		return parley.Condition{}, p.expected(fmt.Sprintf("the end, for more than %d characters are not read", length))
	}
	c, err := p.or()
	if err == nil && p.at < len(p.text) {
		err = p.expected("an operator ; and , or, or the end")
		if p.text[p.at] == ')' {
			err = p.expected("the end: this bracket closes nothing")
		}
	}
	if err != nil {
		return parley.Condition{}, err
	}
	return c, nil
}

// A parser is at a character of its text.
type parser struct {
	text      []rune
	at        int
	filter    bool
	selectors []parley.Selector // those seen, each once
}

// expected is the error of where the parser is.
func (p *parser) expected(what string) error {
	found := "the end"
	if p.at < len(p.text) {
		found = fmt.Sprintf("%q", p.text[p.at])
	}
	return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue,
		Msg: fmt.Sprintf("at character %d: expected %s, found %s", p.at+1, what, found)}
}

func (p *parser) or() (parley.Condition, error) {
	return p.joined(',', "or", p.and, func(all []parley.Condition) parley.Condition { return parley.Condition{Any: all} })
}

func (p *parser) and() (parley.Condition, error) {
	return p.joined(';', "and", p.constraint, func(all []parley.Condition) parley.Condition { return parley.Condition{All: all} })
}

// joined reads what stands between separators; one alone stays as it is.
func (p *parser) joined(sign rune, word string, next func() (parley.Condition, error), join func([]parley.Condition) parley.Condition) (parley.Condition, error) {
	first, err := next()
	if err != nil {
		return first, err
	}
	all := []parley.Condition{first}
	for {
		before := p.at
		if !p.separator(sign, word) {
			break
		}
		if p.filter && word == "or" {
			p.at = before
			return first, p.expected("; and, or the end, for a filter has no OR")
		}
		c, err := next()
		if err != nil {
			return c, err
		}
		all = append(all, c)
	}
	if len(all) == 1 {
		return first, nil
	}
	return join(all), nil
}

// separator goes past the sign, or past the word with white space around it, if one of them is next.
func (p *parser) separator(sign rune, word string) bool {
	if p.next(string(sign)) {
		return true
	}
	at := p.at
	if p.space() && p.next(word) && p.space() {
		return true
	}
	p.at = at
	return false
}

// next goes past a text if it is next.
func (p *parser) next(text string) bool {
	if end := p.at + utf8.RuneCountInString(text); end <= len(p.text) && string(p.text[p.at:end]) == text {
		p.at = end
		return true
	}
	return false
}

func (p *parser) space() bool {
	at := p.at
	for p.at < len(p.text) && strings.ContainsRune(whiteSpace, p.text[p.at]) {
		p.at++
	}
	return p.at > at
}

const (
	whiteSpace = " \t\n\r"
	reserved   = `"'();,=!~<>` + whiteSpace
)

// unreserved reads the characters up to a reserved one.
func (p *parser) unreserved() string {
	at := p.at
	for p.at < len(p.text) && !strings.ContainsRune(reserved, p.text[p.at]) {
		p.at++
	}
	return string(p.text[at:p.at])
}

func (p *parser) constraint() (parley.Condition, error) {
	if p.next("(") {
		c, err := p.or()
		if err == nil && !p.next(")") {
			err = p.expected("an operator ; and , or, or a closing bracket")
		}
		return c, err
	}
	c := parley.Condition{}
	at := p.at
	name := p.unreserved()
	var ok bool
	if c.Selector, ok = parley.ParseSelector(name); !ok {
		p.at = at
		return c, p.expected("a selector, such as conversation.metadata.region, .id, .name, .type, .startTime, .endTime or .label")
	}
	if !slices.Contains(p.selectors, c.Selector) {
		if len(p.selectors) == MaxSelectors {
			p.at = at
			return c, p.expected(fmt.Sprintf("%s or %s, for at most %d different selectors are compared", p.selectors[0], p.selectors[1], MaxSelectors))
		}
		p.selectors = append(p.selectors, c.Selector)
	}
	if c.Op = p.operator(); c.Op == 0 {
		return c, p.expected("one of == != < <= > >= =lt= =le= =gt= =ge= =in= =out=")
	}
	err := p.arguments(&c)
	return c, err
}

// operators are in the order in which they are tried: none may begin with one that stands before it.
var operators = []struct {
	text string
	op   parley.Operator
}{
	{"==", parley.Equal}, {"!=", parley.NotEqual}, {"<=", parley.LessOrEqual}, {"<", parley.Less}, {">=", parley.GreaterOrEqual},
	{">", parley.Greater}, {"=lt=", parley.Less}, {"=le=", parley.LessOrEqual}, {"=gt=", parley.Greater},
	{"=ge=", parley.GreaterOrEqual}, {"=in=", parley.In}, {"=out=", parley.Out},
}

// operator reads one; 0 = there is none.
func (p *parser) operator() parley.Operator {
	for _, o := range operators {
		if p.next(o.text) {
			return o.op
		}
	}
	return 0
}

func (p *parser) arguments(c *parley.Condition) error {
	if !c.Op.IsList() {
		return p.value(c)
	}
	if !p.next("(") {
		return p.expected("a list in brackets")
	}
	for {
		if err := p.value(c); err != nil {
			return err
		}
		if !p.next(",") {
			break
		}
	}
	if !p.next(")") {
		return p.expected("a comma or a closing bracket")
	}
	return nil
}

// value reads one more of a comparison.
func (p *parser) value(c *parley.Condition) error {
	at := p.at
	parts, err := p.parts()
	if err != nil {
		return err
	}
	v := parley.Pattern{Parts: parts}
	if c.Op.IsOrder() { // a star is a star
		v.Parts = []string{v.Text()}
	}
	if c.Selector.IsTime() {
		t, ok := parseTime(v)
		if !ok {
			p.at = at
			return p.expected("a time as in ISO 8601, such as 2026-02-03T10:00:04Z")
		}
		v.Time = t
	}
	c.Values = append(c.Values, v)
	return nil
}

// parts reads a value, cut at its stars.
func (p *parser) parts() ([]string, error) {
	quote := rune(0)
	if p.next("'") {
		quote = '\''
	} else if p.next(`"`) {
		quote = '"'
	}
	if quote == 0 {
		if text := p.unreserved(); text != "" {
			return strings.Split(text, "*"), nil
		}
		return nil, p.expected("a value")
	}
	var parts []string
	var part strings.Builder
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		switch {
		case c == quote:
			p.at++
			return append(parts, part.String()), nil
		case c == '*':
			parts = append(parts, part.String())
			part.Reset()
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			part.WriteRune(p.text[p.at])
		default:
			part.WriteRune(c)
		}
	}
	return nil, p.expected(fmt.Sprintf("a closing %c", quote))
}
