package flow

import "testing"

func TestExpressions(t *testing.T) {
	v := &Values{Open: map[string]any{"n": 5.0, "s": "<a b>", "o": map[string]any{"k": true}}, Input: InputValues{Text: "Hello"}}
	for source, want := range map[string]bool{
		`open.n > 4`: true, `open.n > "4"`: false, `open.none.deeper == nil`: true, `exists(open.none)`: false, `open.o.k`: true,
		`number("7") > 6 and not (open.n == 6)`: true, `number("x") > 6`: false, `lower(input.text) startsWith "he"`: true,
		`input.text matches "^H.*o$"`: true, `input.text in ["a", "Hello"]`: true, `open.s.x == 1`: false,
	} {
		e, err := compile(source, true)
		if err != nil {
			t.Errorf("%s: %v", source, err)
		} else if got := e.Holds(v); got != want {
			t.Errorf("%s = %v, want %v", source, got, want)
		}
	}
	for _, source := range []string{``, `len(open)`, `1..9`, `{a: 1}`, `$env`, `map(open.l, #)`, `input.text matches open.s`, `open.n - 1`, `true ? 1 : 2`, `nobody`} {
		if _, err := compile(source, false); err == nil {
			t.Errorf("%s is accepted", source)
		}
	}
	for source, want := range map[string][2]string{"{{ open.s }}": {"&lt;a b&gt;", "%3Ca%20b%3E"}, "x{{ open.none }}y {{open.n}}": {"xy 5", "xy 5"}} {
		tpl, err := parseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		html, _ := tpl.render(v, escapeHTML)
		address, _ := tpl.render(v, escapeURL)
		if got := [2]string{html, address}; got != want {
			t.Errorf("%s = %q, want %q", source, got, want)
		}
	}
}
