package hub_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// A censor hides the word SECRET, and shows the language that it was told of in place of LANGUAGE.
type censor struct{}

func (censor) Text(said, language string) string {
	return strings.NewReplacer("SECRET", "[X]", "LANGUAGE", language).Replace(said)
}

func (c censor) HTML(rich, language string) string { return c.Text(rich, language) }

// redacts makes the tenant one whose words are redacted.
func (w *world) redacts() {
	w.hub = hub.New(hub.Config{Store: w.store, Dispatcher: w, Clock: w.now,
		Redaction: func(context.Context, parley.Tx, parley.TenantID) (parley.Redactor, error) { return censor{}, nil }})
}

// With redaction on, what must not be shown is nowhere in the record: not in text, rich text, JSON, nor members nobody knows.
func TestRedactedBeforeItIsStored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		w.redacts()
		id := w.start()
		w.say(id, parley.Customer, parley.TypeText, func(d *parley.Draft) {
			d.Body.Content = &parley.Content{Text: "a SECRET b", HTML: "<b>SECRET</b>", JSON: []byte(`{"a":["SECRET",1.50,{"b":"say SECRET"}],"c":null}`),
				Extra: map[string]json.RawMessage{"more": json.RawMessage(`"SECRET"`)}}
		})
		got := storetest.Messages(t, w.store, id)[1].Body.Content
		want := &parley.Content{Text: "a [X] b", HTML: "<b>[X]</b>", JSON: []byte(`{"a":["[X]",1.50,{"b":"say [X]"}],"c":null}`), Extra: map[string]json.RawMessage{"more": json.RawMessage(`"[X]"`)}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

// What counts as a date or a telephone number depends on the language, which is the conversation's own or its account's.
func TestRedactedInTheLanguageOfTheConversation(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.redacts()
	for own, want := range map[string]string{"": "en-US", "de-DE": "de-DE"} {
		d := w.starter("m " + own)
		d.Language, d.Body.Content.Text = own, "in LANGUAGE"
		d.Customer.Contacts[0].Address += own
		posted, err := w.post(d)
		if err != nil {
			t.Fatal(err)
		}
		w.say(posted[0].Conversation, parley.Customer, parley.TypeText, func(d *parley.Draft) { d.Body.Content.Text = "in LANGUAGE" })
		for _, m := range storetest.Messages(t, w.store, posted[0].Conversation) {
			if got := m.Body.Content.Text; got != "in "+want {
				t.Errorf("in a conversation in %q, message %d is %q; want it redacted in %s", own, m.Seq, got, want)
			}
		}
	}
}
