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
	var p page
	z := xhtml.NewTokenizer(strings.NewReader(rich))
	for {
		kind := z.Next()
		switch kind {
		case xhtml.ErrorToken: // the end
			return strings.TrimSpace(p.String())
		case xhtml.TextToken:
			if p.hidden == 0 {
				p.WriteString(html.UnescapeString(string(z.Raw())))
			}
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken, xhtml.EndTagToken:
			name, _ := z.TagName()
			p.tag(kind, atom.Lookup(name))
		}
	}
}

// A page is what was seen so far.
type page struct {
	strings.Builder
	hidden int // depth of elements whose text nobody sees
}

// tag is what a tag does to the page.
func (p *page) tag(kind xhtml.TokenType, name atom.Atom) {
	switch name {
	case atom.Script, atom.Style, atom.Template:
		if kind == xhtml.StartTagToken {
			p.hidden++
		} else if kind == xhtml.EndTagToken && p.hidden > 0 {
			p.hidden--
		}
	case atom.Br:
		p.WriteByte('\n')
	case atom.P, atom.Div, atom.Li, atom.Tr, atom.Ul, atom.Ol, atom.Table, atom.Blockquote, atom.Pre,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		if s := p.String(); s != "" && !strings.HasSuffix(s, "\n") {
			p.WriteByte('\n')
		}
	}
}
