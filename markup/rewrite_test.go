package markup

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// cards and digits are edits of what looks like a card number, or of all digits.
func cards(text string) []Edit  { return edits(`\d{4}([ \x{a0}]?\d{4}){3}`, text) }
func digits(text string) []Edit { return edits(`[0-9]+`, text) }

func edits(pattern, text string) (all []Edit) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringIndex(text, -1) {
		all = append(all, Edit{m[0], m[1], "<x>"})
	}
	return all
}

// Rich text is changed where a reader sees it, and stays as it is otherwise, tag by tag.
func TestRewrite(t *testing.T) {
	for rich, want := range map[string]string{
		"<b>4111 1111 1111 1111</b>":                      "<b>&lt;x&gt;</b>",
		"a 4111&nbsp;1111&#32;1111&#x20;1111 b":           "a &lt;x&gt; b",
		"4111 <b>1111 <i>1111</i></b> 1111!":              "&lt;x&gt;<b><i></i></b>!",
		"<p>4111 1111</p><p>1111 1111</p>":                "<p>4111 1111</p><p>1111 1111</p>",
		`<img alt="4111111111111111" width=4111>`:         `<img alt="&lt;x&gt;" width="4111">`,
		`<a href='https://x/4111111111111111' b>go</a>`:   `<a href="https://x/&lt;x&gt;" b="">go</a>`,
		`<b 4111111111111111="" c>d</b>`:                  `<b c="">d</b>`,
		"<!-- 4111111111111111 -->a<!-- b -->":            "a<!-- b -->",
		"<script>let a='4111111111111111'</script>b":      "<script></script>b",
		"<style>p{margin:4111px}</style>b":                "<style>p{margin:4111px}</style>b",
		"a <b title='4111111111111111":                    "a ",
		"a</b title='4111111111111111'>":                  "a",
		"&#39;4&#39; &notit; & 1 < 2 <hr size=3>":         "&#39;4&#39; &notit; & 1 < 2 <hr size=3>",
		"5&amp;4111111111111111&amp;6":                    "5&amp;&lt;x&gt;&amp;6",
		"<textarea>4111&#49;11111111111&lt;b></textarea>": "<textarea>&lt;x&gt;&lt;b></textarea>",
	} {
		if got := Rewrite(rich, cards, cards); got != want {
			t.Errorf("Rewrite(%s) = %s, want %s", rich, got, want)
		}
	}
	if got := Rewrite("<hr size=3>&#39;4&#39;&notit; 5", digits, func(string) []Edit { return nil }); got != "<hr size=3>&#39;&lt;x&gt;&#39;&notit; &lt;x&gt;" {
		t.Errorf("references and tags are changed: %s", got)
	}
}

// Whatever is written: where nothing is changed all stays as it is, and what is changed reads as the text does with the same changes.
func TestRewriteOfAnything(t *testing.T) {
	piece := rapid.SampledFrom([]string{"4111", " ", "&nbsp;", "<b>", "</b>", "<br>", "<p class='7'>", "</p>", "1111", "&#49;", "&#x31", "&amp;", "&", "&notit;", "<", ">", "<!--", "-->", "<script>", "</script>",
		"<style>", "</style>", "<template>", "</template>", "<textarea>", "</textarea>", "<title>", "'", "\"", "é", "\x00", "\xff", "\r\n", "<a href=", "/>", "<!DOCTYPE", "<![CDATA[", "]]>", "<plaintext>", "x7y"})
	rapid.Check(t, func(t *rapid.T) {
		rich := strings.Join(rapid.SliceOfN(piece, 0, 14).Draw(t, "pieces"), "")
		nothing := func(string) []Edit { return nil }
		page := ""
		if got := Rewrite(rich, func(text string) []Edit { page = text; return nil }, nothing); got != rich {
			t.Fatalf("without a change %q becomes %q", rich, got)
		}
		if strings.TrimSpace(page) != Text(rich) && !strings.Contains(rich, "href") { // attributes are asked about, too
			t.Errorf("of %q a reader sees %q, but %q is looked at", rich, Text(rich), page)
		}
		got := Text(Rewrite(rich, digits, nothing))
		if want := strings.TrimSpace(Apply(page, digits(page))); got != want && !strings.ContainsAny(rich, "\x00\r") {
			t.Errorf("%q reads %q after the change, want %q", rich, got, want)
		}
	})
}
