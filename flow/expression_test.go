package flow

import (
	"errors"
	"strings"
	"testing"
)

func someValues() *Values {
	return &Values{Open: map[string]any{"tier": "gold", "visits": 7.0, "on": true, "address": map[string]any{"city": "Rome"}, "tags": []any{"a", "b"}},
		Visible: map[string]any{}, Hidden: map[string]any{"n": "12"}, Entities: map[string]any{"product": "shoes"},
		Input: InputValues{Text: "Hi", Channel: "web"}, Now: NowValues{Date: "2026-03-02", Time: "10:00", Weekday: 1}}
}

func TestConditions(t *testing.T) {
	for source, want := range map[string]bool{
		`open.tier == "gold"`: true, `open.tier != "gold"`: false, `open.visits > 5 and open.visits <= 7`: true, `not open.on`: false, `!open.on || open.on`: true,
		`open.address.city == "Rome"`: true, `open.nobody.city == "Rome"`: false, `exists(open.address.city)`: true, `exists(open.nobody.city)`: false, `exists(entities.product)`: true, `exists(entities.other)`: false,
		`open.tier in ["gold", "silver"]`: true, `open.tier not in ["gold"]`: false, `"a" in open.tags`: true, `lower(input.text) == "hi"`: true,
		`input.text matches "^H"`: true, `open.tier startsWith "go" and open.tier endsWith "ld" and open.tier contains "ol"`: true,
		`number(hidden.n) > 11`: true, `now.weekday <= 5 and now.time >= "09:00" and now.date < "2026-12-24"`: true, `(open.missing ?? "x") == "x"`: true, `open.n == nil`: true, `open.none.deeper == nil`: true, `open.tier.deeper == 1`: false, `open.visits > -1`: true,
		// What cannot be decided does not hold.
		`open.tier > 5`: false, `hidden.n > 11`: false, `number(open.tier) > 1`: false, `open.tags`: false, `open.missing > 1`: false, `open.tier contains open.visits`: false,
	} {
		e, err := compile(source, true)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := e.Holds(someValues()); got != want {
			t.Errorf("%s is %v", source, got)
		}
	}
}

// The language is closed: nothing in it repeats, calculates, reaches outside, or makes much of little.
func TestConditionsAreClosed(t *testing.T) {
	for source, want := range map[string]string{
		``: "empty", `open.a ==`: "unexpected", `nobody == 1`: "unknown name", `input.nobody == ""`: "nobody", `1`: "expected bool", `"a"`: "expected bool",
		`all(open.tags, # == "a")`: "", `count(1..1000000) > 1`: "", `len(open.tags) > 1`: "", `open.a + open.b == 1`: "operator", `2 ** 99 > 1`: "operator", `1 in 1..99999999`: "operator",
		`let x = 1; x == 1`: "may consist", `open.a ? true : false`: "may consist", `open == {"a": 1}`: "may consist", `open.tags[0:1] == open.tags`: "may consist",
		`input.text matches open.pattern`: "quotes", `input.text matches "("`: "regexp", `exists()`: "", `exists(open.a, open.b)`: "", `now() == 1`: "", `trim(open.a) == ""`: "", `open.f(1)`: "may call",
		`open.visits - 1 > 2`: "calculating", `$env == nil`: "", `true; true`: "may consist",
		`true` + strings.Repeat(" or true", 110): "", strings.Repeat("not ", 300) + "true": "",
	} {
		if _, err := compile(source, true); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s = %v, want it refused with %q", source, err, want)
		}
	}
}

func TestTemplates(t *testing.T) {
	v := someValues()
	v.Open["evil"] = `<script>&"'`
	for source, want := range map[string]string{
		"plain": "plain", "Hi {{open.tier}}{{ open.missing }}!": "Hi gold!", "{{open.visits}} {{open.on}} {{open.tags}}": `7 true ["a","b"]`,
		`{{ open.missing ?? "you" }}`: "you", "{{open.evil}}": `&lt;script&gt;&amp;"'`, "<b>{{ entities.product }}</b>": "<b>shoes</b>", "}}": "}}", "x{{ open.none }}y": "xy", "{{number(open.tier)}}": "",
	} {
		tpl, err := parseTemplate(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := tpl.render(v, escapeHTML); err != nil || got != want {
			t.Errorf("%s becomes %q, %v; want %q", source, got, err, want)
		}
	}
	for _, source := range []string{"{{", "{{open.", "{{ }}", "{{nobody}}", "{{ now.time + 1 }}"} {
		if _, err := parseTemplate(source); err == nil {
			t.Errorf("%s is taken for a template", source)
		}
	}
	if got := escapeURL("a b/&=?#ü"); got != "a%20b%2F%26%3D%3F%23%C3%BC" {
		t.Errorf("in an address it is %s", got)
	}
	// A text cannot grow without end, and no context becomes a part of itself.
	v.Open["long"] = strings.Repeat("x", MaxText-10)
	twice, _ := parseTemplate("{{open.long}}{{open.long}}")
	if _, err := twice.render(v, asIs); !errors.Is(err, ErrTooLong) {
		t.Errorf("a text of twice the bound: %v", err)
	}
	delete(v.Open, "long")
	whole, _ := parseTemplate("{{open}}")
	got, err := whole.value(v)
	if err != nil {
		t.Fatal(err)
	}
	v.Open["self"] = got
	if _, again := got.(map[string]any)["self"]; again {
		t.Error("the context is a part of itself")
	}
}
