package insight

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"parley"
	"parley/insight/entity"
	"parley/insight/text"
)

// A redactor makes unrecognisable what a tenant's settings say; language is that of the conversation.
type redactor func(said, language string) string

// Redactor is what a tenant's settings do to everything that is said; nil if they leave it as it is. The hub stores its result in
// place of what was said, so that the original is nowhere.
func Redactor(ctx context.Context, tx parley.Tx, tenant parley.TenantID) (func(said string) string, error) {
	redact, err := redactorOf(ctx, tx, tenant, false, nil)
	if err != nil || redact == nil {
		return nil, err
	}
	return func(said string) string { return redact(said, defaultLanguage) }, nil
}

// redactor is that of a tenant for reading; always = also if the settings do not ask for it.
func (c *Conversations) redactor(ctx context.Context, tenant parley.TenantID, always bool, exclude []string) (r redactor, err error) {
	err = c.store.View(ctx, func(tx parley.Tx) (err error) {
		r, err = redactorOf(ctx, tx, tenant, always, exclude)
		return err
	})
	return r, err
}

func redactorOf(ctx context.Context, tx parley.Tx, tenant parley.TenantID, always bool, exclude []string) (redactor, error) {
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
	rule := entity.Redaction{Type: settings.mode(), Exclude: slices.Concat(settings.Exclude, exclude), Custom: settings.Custom}
	return func(said, language string) string {
		said = rule.Redact(said, language)
		var spans []entity.Span
		for _, o := range own.Find(said) {
			spans = append(spans, entity.Span{Name: names[o.Phrase], Start: o.Start, End: o.End})
		}
		return rule.Apply(said, spans)
	}, nil
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

// capitals is the name of an entity type as redaction writes it: "Contract number" is CONTRACT_NUMBER.
func capitals(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if i > 0 && unicode.IsUpper(r) && !strings.HasSuffix(b.String(), "_") && unicode.IsLower(rune(name[i-1])) {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToUpper(r))
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.TrimSuffix(b.String(), "_")
}
