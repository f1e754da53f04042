package markup

import (
	"html"
	"regexp"
	"slices"
	"strings"

	xhtml "golang.org/x/net/html"
)

// An Edit replaces a part of a text; With is plain text.
type Edit struct {
	Start, End int // in bytes of the text
	With       string
}

// Rewrite changes what stands in rich text. seen says what to change in what a reader sees, which is [Text] with the blanks around it, and in
// what some attributes tell a reader; unseen what to change in what is not read: the other attributes, comments, scripts. Edits are in order
// and apart from each other. What is not changed stays as it was written, tag by tag; a tag in the middle of what is replaced stays, too, and
// what nobody reads goes as a whole where something in it would change, attributes apart.
func Rewrite(rich string, seen, unseen func(text string) []Edit) string {
	w := rewriting{seen: seen, unseen: unseen}
	w.read(rich)
	w.edits = seen(w.page.String())
	return w.write()
}

// A rewriting is what Rewrite has read.
type rewriting struct {
	page
	seen, unseen func(text string) []Edit
	parts        []part
	edits        []Edit
	next         int  // of the edits, the first that is not over yet
	begun        bool // it is written already
	out          strings.Builder
}

// A part of rich text is one that stays as it is, or one that a reader sees.
type part struct {
	raw  string
	text string // as it is seen
	at   int    // where in the page; -1 = it stays as it is
}

// attributesRead are those that are shown, or read out.
var attributesRead = []string{"alt", "aria-description", "aria-label", "content", "label", "placeholder", "summary", "title", "value"}

func (w *rewriting) read(rich string) {
	z := xhtml.NewTokenizer(strings.NewReader(rich))
	for at := 0; ; {
		kind := z.Next()
		if kind == xhtml.ErrorToken { // the end, maybe in the middle of a tag
			w.keep(w.hidden(rich[at:]))
			return
		}
		raw := string(z.Raw())
		at += len(raw)
		switch kind {
		case xhtml.TextToken:
			if w.page.hidden > 0 {
				w.keep(w.hidden(raw))
				continue
			}
			w.text(raw)
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken, xhtml.EndTagToken:
			tag := z.Token()
			w.keep(w.tag(raw, tag))
			w.page.tag(kind, tag.DataAtom)
		default:
			w.keep(w.hidden(raw))
		}
	}
}

func (w *rewriting) keep(raw string) { w.parts = append(w.parts, part{raw: raw, at: -1}) }

// hidden is what nobody reads, or nothing if something in it would change.
func (w *rewriting) hidden(raw string) string {
	if len(w.unseen(raw)) > 0 {
		return ""
	}
	return raw
}

// tag is a tag with its attributes changed.
func (w *rewriting) tag(raw string, tag xhtml.Token) string {
	if tag.Type == xhtml.EndTagToken || len(w.unseen(tag.Data)) > 0 {
		return w.hidden(raw)
	}
	changed := false
	kept := tag.Attr[:0]
	for _, a := range tag.Attr {
		if len(w.unseen(a.Key)) > 0 {
			changed = true
			continue
		}
		find := w.unseen
		if slices.Contains(attributesRead, a.Key) {
			find = w.seen
		}
		if edits := find(a.Val); len(edits) > 0 {
			a.Val, changed = Apply(a.Val, edits), true
		}
		kept = append(kept, a)
	}
	if !changed {
		return raw
	}
	tag.Attr = kept
	return tag.String()
}

// Apply makes edits in a plain text. They are in order and apart from each other.
func Apply(text string, edits []Edit) string {
	if len(edits) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:e.Start])
		b.WriteString(e.With)
		at = e.End
	}
	b.WriteString(text[at:])
	return b.String()
}

// reference is a character reference as browsers take it; those that there are not stand for themselves.
var reference = regexp.MustCompile(`^&(?:#[xX]?[0-9a-fA-F]+|[0-9a-zA-Z]+);?`)

// text reads a text: as it is written between references, which are seen as something else.
func (w *rewriting) text(raw string) {
	add := func(raw, text string) {
		if raw != "" {
			w.parts = append(w.parts, part{raw, text, w.page.Len()})
			w.page.WriteString(text)
		}
	}
	for raw != "" {
		i := strings.IndexByte(raw, '&')
		if i < 0 {
			break
		}
		add(raw[:i], raw[:i])
		raw = raw[i:]
		written := reference.FindString(raw)
		if written == "" {
			written = "&"
		}
		add(written, html.UnescapeString(written))
		raw = raw[len(written):]
	}
	add(raw, raw)
}

func (w *rewriting) write() string {
	for _, p := range w.parts {
		if p.at < 0 {
			w.out.WriteString(p.raw)
			continue
		}
		w.part(p)
	}
	return w.out.String()
}

// part writes what a reader sees, with the edits that touch it. An edit is written where the first character stands that it replaces.
func (w *rewriting) part(p part) {
	from, end := p.at, p.at+len(p.text)
	for from < end {
		for w.next < len(w.edits) && w.edits[w.next].End <= from {
			w.next, w.begun = w.next+1, false
		}
		if w.next == len(w.edits) || w.edits[w.next].Start >= end {
			w.out.WriteString(p.cut(from, end))
			return
		}
		e := w.edits[w.next]
		if e.Start > from {
			w.out.WriteString(p.cut(from, e.Start))
		}
		if !w.begun {
			w.out.WriteString(html.EscapeString(e.With))
			w.begun = true
		}
		from = min(e.End, end)
	}
}

// cut is what is written of the part, from and to places in the page.
func (p *part) cut(from, to int) string {
	switch whole := to-from == len(p.text); {
	case whole:
		return p.raw
	case p.raw == p.text:
		return p.raw[from-p.at : to-p.at]
	}
	return html.EscapeString(p.text[from-p.at : to-p.at])
}
