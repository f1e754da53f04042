package insight

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"parley"
	"parley/insight/entity"
	"parley/insight/text"
	"parley/markup"
)

// A redactor makes unrecognisable what a tenant's settings say. It implements [parley.Redactor].
type redactor struct {
	rule  entity.Redaction
	own   *text.Lexicon // values of the tenant's own entities
	names []string      // of these, as redaction writes them
}

// Text implements [parley.Redactor].
func (r *redactor) Text(said, language string) string {
	return markup.Apply(said, r.edits(said, language))
}

// edits are what is replaced in a text.
func (r *redactor) edits(said, language string) []markup.Edit {
	return r.rule.Edits(said, func(said string) []entity.Span { return r.find(said, cmp.Or(language, defaultLanguage)) })
}

func (r *redactor) find(said, language string) []entity.Span {
	spans := entity.Spans(entity.Find(said, language))
	for _, o := range r.own.Find(said) {
		spans = append(spans, entity.Span{Name: r.names[o.Phrase], Start: o.Start, End: o.End})
	}
	return spans
}

// knows notes what of the replacements would be taken for something to replace: they are in what was said before, which is redacted again
// when it is read.
func (r *redactor) knows() {
	var may []string
	if r.rule.Type == entity.Custom {
		may = slices.Collect(maps.Values(r.rule.Custom))
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(r.names))) {
		may = append(may, "["+name+"]")
	}
	for _, text := range may {
		if text != "" && len(r.find(text, defaultLanguage)) > 0 {
			r.rule.Known = append(r.rule.Known, text)
		}
	}
	slices.Sort(r.rule.Known)
}

// HTML implements [parley.Redactor]. What nobody reads is full of numbers that mean something to the page, such as sizes: there only what
// is more than a number is replaced.
func (r *redactor) HTML(rich, language string) string {
	within := *r
	within.rule.Exclude = slices.Concat(r.rule.Exclude, []string{entity.Number, entity.Date, entity.Time})
	return markup.Rewrite(rich, func(text string) []markup.Edit { return r.edits(text, language) },
		func(text string) []markup.Edit { return within.edits(text, language) })
}

// Redactor is what a tenant's settings do to everything that is said; nil if they leave it as it is. Whoever stores what was said stores
// its result in place of it, so that the original is nowhere. It is a [parley.Redaction].
func Redactor(ctx context.Context, tx parley.Tx, tenant parley.TenantID) (parley.Redactor, error) {
	r, err := redactorOf(ctx, tx, tenant, false, nil)
	if err != nil || r == nil {
		return nil, err
	}
	return r, nil
}

// redactor is that of a tenant for reading; always = also if the settings do not ask for it.
func (c *Conversations) redactor(ctx context.Context, tenant parley.TenantID, always bool, exclude []string) (r *redactor, err error) {
	err = c.store.View(ctx, func(tx parley.Tx) (err error) {
		r, err = redactorOf(ctx, tx, tenant, always, exclude)
		return err
	})
	return r, err
}

func redactorOf(ctx context.Context, tx parley.Tx, tenant parley.TenantID, always bool, exclude []string) (*redactor, error) {
	u, err := tx.UserSettings(ctx, tenant)
	if err != nil {
		return nil, err
	}
	settings, err := redactionOf(u)
	if err != nil || !always && !settings.ByDefault() {
		return nil, err
	}
	if settings == nil {
		settings = &Redaction{}
	}
	own, names, err := namedEntities(ctx, tx, tenant, settings)
	if err != nil {
		return nil, err
	}
	r := &redactor{entity.Redaction{Type: settings.mode(), Exclude: slices.Concat(settings.Exclude, exclude), Custom: settings.Custom}, own, names}
	r.knows()
	return r, nil
}

// namedEntities are the tenant's own entities that redaction.custom names: only what somebody asked for by name is taken out,
// since a model of vans is nobody's secret.
func namedEntities(ctx context.Context, tx parley.Tx, tenant parley.TenantID, settings *Redaction) (*text.Lexicon, []string, error) {
	var phrases, names []string
	if len(settings.Custom) > 0 {
		all, err := tx.Entities().List(ctx, tenant)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range all {
			name := capitals(e.Type)
			if _, ok := settings.Custom[name]; !ok {
				continue
			}
			for _, v := range e.Values {
				phrases, names = append(phrases, v), append(names, name)
			}
		}
	}
	return text.NewLexicon(phrases), names, nil
}

// capitals is the name of an entity type as redaction writes it, in the characters that such names have: "Contract number" is
// CONTRACT_NUMBER, and "Größe" is GROSSE. A letter that has no likeness there is its code: "№Я" is U042F.
func capitals(name string) string {
	var b strings.Builder
	small := false // the letter before
	for _, r := range norm.NFKD.String(name) {
		upper := unicode.ToUpper(r)
		switch {
		case unicode.Is(unicode.Mn, r): // an accent
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			if b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
				b.WriteByte('_')
			}
		default:
			if small && unicode.IsUpper(r) {
				b.WriteByte('_')
			}
			switch {
			case r == 'ß':
				b.WriteString("SS")
			case 'A' <= upper && upper <= 'Z' || b.Len() > 0 && '0' <= r && r <= '9':
				b.WriteRune(upper)
			default:
				fmt.Fprintf(&b, "U%04X", upper)
			}
		}
		small = unicode.IsLower(r)
	}
	return strings.TrimSuffix(b.String(), "_")
}
