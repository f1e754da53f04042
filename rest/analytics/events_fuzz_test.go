package analytics

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley"
	"parley/insight/figures"
)

// Whatever is sent is read without a panic, and what is taken can be stored and shown: whole text without U+0000, nothing beyond its
// limits, attributes that are read again as what they were.
func FuzzEventBodies(f *testing.F) {
	for _, seed := range []string{`{"version":"LIVE","event":"a","attributes":{"a":1e400,"b":"\ud800","c":true,"d":null},"timestamp":"2026-03-01"}`, `null`, `[]`, `{"event":"a\u0000","version":"draft"}`,
		`{"name":"a","attributes":[{"key":"b","type":"number"}],"page_size":-1}`, `{"page_size":1e99,"page_token":"","event":7}`,
		`{"version":"LIVE","start_time":"2026-03-01","end_time":"2026-04-01","steps":[{"event_id":"a","properties":[{"key":"a","value":-0.0}]}],"properties":[{"key":"\"","value":"},{"}]}`,
		"{\"version\":\"LIVE\",\"event\":\"\xff\",\"attributes\":{\"\xff\":\"\xfe\"}}", `{"version":"LIVE","event":"a","attributes":{"a":1,"a":"2"},"timestamp":"0000-01-01"}`} {
		f.Add(seed)
	}
	now := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, sent string) {
		sane := func(limit int, texts ...string) {
			for _, text := range texts {
				if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || len(text) > limit {
					t.Errorf("%q is taken", text)
				}
			}
		}
		var told trackBody
		if unmarshal([]byte(sent), &told) == nil {
			if e, err := told.read(now); err == nil {
				sane(parley.MaxEventText, e.ID, e.Name, e.User, e.Called)
				sane(parley.MaxCampaign, e.Campaign.ID, e.Campaign.Source, e.Campaign.Medium, e.Campaign.Name, e.Campaign.Content, e.Campaign.Term)
				values, err := parley.AttributeValues(e.Attributes)
				if err != nil || len(values) > parley.MaxAttributes {
					t.Errorf("attributes %s: %v", e.Attributes, err)
				}
				for name, v := range values {
					sane(parley.MaxAttributeName, name)
					sane(parley.MaxAttributeValue, v)
				}
				if e.Name == "" || e.At.After(now.Add(parley.MaxEventAhead)) || !json.Valid(e.Attributes) {
					t.Errorf("taken: %+v", e)
				}
				conversationOf(parley.DefaultTenant, e.Called)
			}
		}
		if d, err := readDefinition(json.RawMessage(sent)); err == nil {
			sane(parley.MaxEventText, d.Name)
			sane(parley.MaxEventDefinition, d.Description)
			token := namePlace(&parley.EventDefinition{Name: d.Name, Bot: parley.ApplicationID{1}})
			if p, err := readNamePlace(token); err != nil || p.Name != d.Name {
				t.Errorf("the place of %q reads %q, %v", d.Name, p.Name, err)
			}
		}
		var body map[string]any
		if unmarshal([]byte(sent), &body) == nil {
			if p, err := bodyParams(body, []string{"event", "page_token"}); err == nil {
				if n, err := p.pageSize(); err == nil && (n < 1 || n > pageSize) {
					t.Errorf("a page has %d", n)
				}
				_, _ = readNamePlace(p.one("page_token"))
				_, _, _ = p.someTime()
			}
		}
		var funnel eventFunnelBody
		if unmarshal([]byte(sent), &funnel) == nil {
			if fn, err := funnel.read(&figures.Query{}); err == nil {
				for _, step := range fn.Steps {
					sane(parley.MaxEventText, step.Name)
					for k, v := range step.Has {
						sane(parley.MaxAttributeName, k)
						sane(parley.MaxAttributeValue, v)
					}
				}
			}
		}
		var sub subscriptionBody
		_ = unmarshal([]byte(sent), &sub)
	})
}
