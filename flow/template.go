package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A Template is a text with placeholders: {{ expression }}.
type Template struct{ parts []part }

// A part is literal, or what a placeholder gives.
type part struct {
	literal     string
	placeholder *Expression
}

// MaxText bounds what a template becomes, in bytes: placeholders may stand for what templates made before.
const MaxText = 16 << 10

// ErrTooLong is a text that grew beyond [MaxText].
var ErrTooLong = fmt.Errorf("a text with its placeholders has more than %d bytes", MaxText)

// parseTemplate reads a template. The error is for people.
func parseTemplate(source string) (Template, error) {
	var t Template
	if len(source) > MaxText {
		return t, fmt.Errorf("is longer than %d bytes", MaxText)
	}
	for rest := source; ; {
		literal, after, found := strings.Cut(rest, "{{")
		if literal != "" {
			t.parts = append(t.parts, part{literal: literal})
		}
		if !found {
			return t, nil
		}
		inner, next, closed := strings.Cut(after, "}}")
		if !closed {
			return t, errors.New("has {{ without }}")
		}
		e, err := compile(inner, false)
		if err != nil {
			return t, fmt.Errorf("placeholder {{%s}}: %w", inner, err)
		}
		t.parts = append(t.parts, part{placeholder: e})
		rest = next
	}
}

// fixed says whether there are no placeholders, and the text.
func (t Template) fixed() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].placeholder == nil:
		return t.parts[0].literal, true
	}
	return "", false
}

// begin is the literal text that the template begins with.
func (t Template) begin() string {
	if len(t.parts) == 0 {
		return ""
	}
	return t.parts[0].literal
}

// value is what a template of one placeholder and nothing else stands for, as it is; otherwise its text.
func (t Template) value(v *Values) (any, error) {
	if len(t.parts) == 1 && t.parts[0].placeholder != nil {
		return own(t.parts[0].placeholder.Value(v))
	}
	return t.render(v, asIs)
}

// own is a copy of a value: no context may become a part of itself.
func own(v any) (any, error) {
	switch v.(type) {
	case nil, bool, string, float64:
		return v, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxText {
		return nil, ErrTooLong
	}
	return v, json.Unmarshal(raw, &v)
}

// render is the text. Every value is escaped; what is nothing leaves nothing.
func (t Template) render(v *Values, escape func(string) string) (string, error) {
	if s, ok := t.fixed(); ok {
		return s, nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.placeholder == nil {
			b.WriteString(p.literal)
		} else {
			b.WriteString(escape(show(p.placeholder.Value(v))))
		}
		if b.Len() > MaxText {
			return "", ErrTooLong
		}
	}
	return b.String(), nil
}

func asIs(s string) string { return s }

// escapeHTML keeps a value from becoming markup: answers may hold simple HTML, and values come from anywhere.
func escapeHTML(s string) string { return htmlEscaper.Replace(s) }

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escapeURL keeps a value inside its part of an address.
func escapeURL(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// show is a value as people read it.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

// A Text is a template for each language of a flow.
type Text struct {
	all       Template
	byLocale  map[string]Template
	otherwise string // the language that stands in for others
}

// in is the template of a language.
func (t *Text) in(language string) Template {
	if t.byLocale == nil {
		return t.all
	}
	if one, ok := t.byLocale[language]; ok {
		return one
	}
	return t.byLocale[t.otherwise]
}

// templates are all of them.
func (t *Text) templates() []Template {
	if t.byLocale == nil {
		return []Template{t.all}
	}
	var all []Template
	for _, one := range t.byLocale {
		all = append(all, one)
	}
	return all
}

// RenderHTML is the text in a language as an answer has it: values cannot become markup.
func (t *Text) RenderHTML(language string, v *Values) (string, error) {
	return t.in(language).render(v, escapeHTML)
}

// Render is the text in a language, as it stands in the flow; values are not escaped.
func (t *Text) Render(language string, v *Values) (string, error) {
	return t.in(language).render(v, asIs)
}
