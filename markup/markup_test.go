package markup

import "testing"

func TestText(t *testing.T) {
	for html, want := range map[string]string{
		"plain":                             "plain",
		"a<br>b<br/>c":                      "a\nb\nc",
		"<ul><li>one</li><li>two</li></ul>": "one\ntwo",
		"&lt;b&gt; &eacute;":                "<b> é",
		"<style>p{}</style>x<script>alert(1)</script>": "x",
		"<p>open":          "open",
		"1 < 2 & 3 > 2":    "1 < 2 & 3 > 2",
		"<b>a</b><i>b</i>": "ab",
	} {
		if got := Text(html); got != want {
			t.Errorf("Text(%q) = %q, want %q", html, got, want)
		}
	}
}
