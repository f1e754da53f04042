package insight

import (
	"context"
	"strings"

	"golang.org/x/text/language"

	"parley"
)

// A Trial is a sentence in which somebody wants to see what is found.
type Trial struct {
	Text     string
	Language string           // "" = en-US
	Trackers []parley.Tracker // looked for besides those of the tenant: name, vocabulary, exclusions
	Only     bool             // not besides, but alone
}

// Try finds the trackers and entities in a sentence, with the words that speak for them. Nothing is stored and nothing is done.
// Invalid.
func (c *Conversations) Try(ctx context.Context, tenant parley.TenantID, t Trial) (trackers []parley.TrackerHit, entities []parley.EntityHit, err error) {
	if strings.TrimSpace(t.Text) == "" {
		return nil, nil, invalid("text", "%q is not allowed to be empty", "text")
	}
	if t.Language == "" {
		t.Language = defaultLanguage
	}
	if _, err := language.Parse(t.Language); err != nil {
		return nil, nil, invalid("language", "%q is not a language code such as en-US: %q", "language", t.Language)
	}
	inline := Text{Language: t.Language, Trackers: t.Trackers}
	if err := formInline(&inline); err != nil {
		return nil, nil, err
	}
	engine, err := c.engines.of(ctx, tenant)
	if err != nil {
		return nil, nil, err
	}
	engine = engine.forJob(&parley.JobRequest{Trackers: inline.Trackers, NoTrackers: t.Only})
	engine.meaning.prepare(ctx, engine, []string{t.Text})
	trackers, entities = engine.find(t.Text, t.Language, 0)
	return trackers, entities, nil
}
