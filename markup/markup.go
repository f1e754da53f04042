// Package markup turns plain text into rich text and back. Both directions lose something; each is used only where the
// other form is missing.
package markup

import (
	"html"
	"strings"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// HTML is the rich-text form of plain text: escaped, with line breaks kept.
func HTML(text string) string {
	return strings.ReplaceAll(html.EscapeString(text), "\n", "<br>")
}

// Text is what a reader of the page would see: tags out, entities resolved, a line for each block. Scripts and
// style sheets are left out. It never fails; broken markup is read as browsers do.
func Text(rich string) string {
	var b strings.Builder
	z := xhtml.NewTokenizer(strings.NewReader(rich))
	hidden := 0 // depth of elements whose text nobody sees
	for {
		kind := z.Next()
		switch kind {
		case xhtml.ErrorToken: // the end
			return strings.TrimSpace(b.String())
		case xhtml.TextToken:
			if hidden == 0 {
				b.WriteString(html.UnescapeString(string(z.Raw())))
			}
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken, xhtml.EndTagToken:
			name, _ := z.TagName()
			switch atom.Lookup(name) {
			case atom.Script, atom.Style, atom.Template:
				if kind == xhtml.StartTagToken {
					hidden++
				} else if kind == xhtml.EndTagToken && hidden > 0 {
					hidden--
				}
			case atom.Br:
				b.WriteByte('\n')
			case atom.P, atom.Div, atom.Li, atom.Tr, atom.Ul, atom.Ol, atom.Table, atom.Blockquote, atom.Pre,
				atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
				if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
					b.WriteByte('\n')
				}
			}
		}
	}
}
