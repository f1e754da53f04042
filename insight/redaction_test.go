package insight_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// Redaction on reading: when it is asked for, or is the tenant's setting. Places are those in the text as it is shown.
func TestMessagesAreRedacted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		if _, err := s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: "Contract number", SubType: "x", Values: []string{"K 12"}},
			{Type: "Vehicle", SubType: "x", Values: []string{"van"}}}, false); err != nil {
			t.Fatal(err)
		}
		n, _ := s.say(insight.Text{}, "anna@example.org says hello, K 12, van")
		s.round()
		shown := func(redact bool, exclude ...string) string {
			_, said, err := s.conversations.Messages(t.Context(), parley.DefaultTenant, n, redact, exclude)
			if err != nil {
				t.Fatal(err)
			}
			return said[0].Text
		}
		want := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		want("as it was said", shown(false), "anna@example.org says hello, K 12, van")
		want("asked for", shown(true, "NUMBER"), "[EMAIL_ADDRESS] says hello, K 12, van")
		want("asked for, without", shown(true, "EMAIL_ADDRESS", "NUMBER"), "anna@example.org says hello, K 12, van")

		settings := insight.Settings{Vocabularies: s.trackers.Vocabularies}
		if _, err := settings.Patch(t.Context(), parley.DefaultTenant, []insight.PatchOperation{{Op: "add", Path: "/redaction", Value: json.RawMessage(
			`{"default":true,"type":"custom","exclude":["NUMBER"],"custom":{"CONTRACT_NUMBER":"<number>","default":"obfuscation"}}`)}}); err != nil {
			t.Fatal(err)
		}
		want("by the settings", shown(false), "**************** says hello, <number>, van")
		if _, err := settings.Patch(t.Context(), parley.DefaultTenant, []insight.PatchOperation{{Op: "replace", Path: "/redaction/type", Value: json.RawMessage(`"default"`)}}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"Greeting: hello at 21 in [EMAIL_ADDRESS] says hello, [CONTRACT_NUMBER], van"}, s.found(n)); diff != "" {
			t.Errorf("found, as it is shown (-want +got):\n%s", diff)
		}
		entities, err := s.conversations.Entities(t.Context(), parley.DefaultTenant, n)
		if err != nil {
			t.Fatal(err)
		}
		at := " in [EMAIL_ADDRESS] says hello, [CONTRACT_NUMBER], van"
		if diff := cmp.Diff([]string{"EMAIL_ADDRESS: [EMAIL_ADDRESS] at 0" + at, "Contract number: [CONTRACT_NUMBER] at 28" + at, "Vehicle: van at 47" + at}, lines(entities)); diff != "" {
			t.Errorf("entities, as they are shown (-want +got):\n%s", diff)
		}
		// A text that comes in now is redacted before it is stored, as what is said over other surfaces is.
		later, _ := s.say(insight.Text{}, "mail bob@example.org 🚕")
		in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, later)
		if err != nil {
			t.Fatal(err)
		}
		want("as it is stored", s.messages(in.Conversation)[0].Body.Content.Text, "mail [EMAIL_ADDRESS] 🚕")
		var redact parley.Redactor
		if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
			redact, err = insight.Redactor(t.Context(), tx, parley.DefaultTenant)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want("on the way in", redact.Text("mail bob@example.org", ""), "mail [EMAIL_ADDRESS]")
	})
}

// What counts as a telephone number depends on the language: that of the conversation, for what comes in over other surfaces, for what is
// appended to a text, and when it is read.
func TestRedactedInTheLanguageOfTheConversation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		settings := insight.Settings{Vocabularies: s.trackers.Vocabularies}
		if _, err := settings.Patch(t.Context(), parley.DefaultTenant, []insight.PatchOperation{{Op: "add", Path: "/redaction", Value: json.RawMessage(`{"default":true}`)}}); err != nil {
			t.Fatal(err)
		}
		const said, german, american = "call 030 901820", "call [PHONE_NUMBER]", "call [NUMBER] [NUMBER]"
		var redact parley.Redactor
		if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
			redact, err = insight.Redactor(t.Context(), tx, parley.DefaultTenant)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for language, want := range map[string]string{"de-DE": german, "en-US": american, "": american} {
			if got := redact.Text(said, language); got != want {
				t.Errorf("on the way in, in %q: %q, want %q", language, got, want)
			}
		}
		n, _ := s.say(insight.Text{Language: "de-DE"}, said)
		if _, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &n, insight.Text{Messages: []insight.TextMessage{{Content: said}}}); err != nil {
			t.Fatal(err)
		}
		in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range s.messages(in.Conversation) {
			if got := m.Body.Content.Text; got != german {
				t.Errorf("message %d of a text in German is stored as %q, want %q", m.Seq, got, german)
			}
		}
	})
}

// A replacement that holds an entity is put in once for each thing that it replaces, however often the message is read; how long it may be is
// bounded.
func TestReplacementsDoNotMultiply(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		if _, err := s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: "Contract number", SubType: "x", Values: []string{"contract number", "K 12"}}}, false); err != nil {
			t.Fatal(err)
		}
		settings := insight.Settings{Vocabularies: s.trackers.Vocabularies}
		patch := func(value string) error {
			_, err := settings.Patch(t.Context(), parley.DefaultTenant, []insight.PatchOperation{{Op: "add", Path: "/redaction", Value: json.RawMessage(value)}})
			return err
		}
		const numbers = "1 1 1 1 1 1 1 1 1 1"
		for custom, want := range map[string]string{
			`"custom","custom":{"NUMBER":"` + numbers + `","CONTRACT_NUMBER":"K 12"}`: "K 12 has " + numbers,
			`"default","custom":{"CONTRACT_NUMBER":""}`:                               "[CONTRACT_NUMBER] has [NUMBER]",
		} {
			if err := patch(`{"default":true,"type":` + custom + `}`); err != nil {
				t.Fatal(err)
			}
			n, _ := s.say(insight.Text{}, "k 12 has 7")
			for range 2 {
				if _, said, err := s.conversations.Messages(t.Context(), parley.DefaultTenant, n, false, nil); err != nil || said[0].Text != want {
					t.Errorf("with %s it reads %q, %v; want %q", custom, said[0].Text, err, want)
				}
			}
		}
		long := strings.Repeat("é", 129)
		for value, names := range map[string]string{`{"custom":{"DATE":"` + long + `"}}`: "custom.DATE", `{"custom":{"DATE":"a\u0000"}}`: "custom.DATE", `{"custom":{"` + strings.Repeat("X", 129) + `":""}}`: "custom",
			`{"exclude":["` + strings.Repeat("X", 129) + `"]}`: "exclude[0]", `{"exclude":["X"` + strings.Repeat(`,"X"`, 1000) + `]}`: "redaction"} {
			if err := patch(value); parley.KindOf(err) != parley.Invalid || !strings.Contains(err.Error(), names) {
				t.Errorf("%.60s = %v, want it refused for %s", value, err, names)
			}
		}
		if err := patch(`{"custom":{"DATE":"` + long[2:] + `"}}`); err != nil {
			t.Errorf("128 characters: %v", err)
		}
	})
}

// Rich text is redacted as a reader sees it: what tags or references split is found, and no tag or reference is damaged.
func TestRichTextIsRedactedAsItIsRead(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	settings := insight.Settings{Vocabularies: s.trackers.Vocabularies}
	if _, err := settings.Patch(t.Context(), parley.DefaultTenant, []insight.PatchOperation{{Op: "add", Path: "/redaction", Value: json.RawMessage(
		`{"default":true,"type":"custom","custom":{"CARD_NUMBER":"<card>"}}`)}}); err != nil {
		t.Fatal(err)
	}
	var redact parley.Redactor
	if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
		redact, err = insight.Redactor(t.Context(), tx, parley.DefaultTenant)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for rich, want := range map[string]string{
		"<p>My card: 4111&nbsp;1111&nbsp;1111&nbsp;1111.</p>":                   "<p>My card: &lt;card&gt;.</p>",
		"<b>4111</b> 1111 <i>1111 1111</i>":                                     "<b>&lt;card&gt;</b><i></i>",
		`<font size="3">It&#39;s 7 o&#39;clock</font><hr width="10">`:           `<font size="3">It&#39;s [TIME]</font><hr width="10">`,
		`<a href="tel:+4930901820" title="5 of 7">call</a>`:                     `<a href="tel:[PHONE_NUMBER]" title="[NUMBER] of [NUMBER]">call</a>`,
		"<!-- 4111 1111 1111 1111 --><style>p{margin:3px}</style>&#8364; hello": "<style>p{margin:3px}</style>&#8364; hello",
	} {
		if got := redact.HTML(rich, "en-US"); got != want {
			t.Errorf("%s becomes %s, want %s", rich, got, want)
		}
	}
}

// Types are named in capitals as settings may name them, whatever letters they are written with, and so can be redacted.
func TestEveryTypeCanBeRedacted(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	settings := insight.Settings{Vocabularies: s.trackers.Vocabularies}
	for kind, name := range map[string]string{"Contract number": "CONTRACT_NUMBER", "contractNumber": "CONTRACT_NUMBER", "IBAN": "IBAN", "Größe": "GROSSE", "numéroÉlève": "NUMERO_ELEVE", "État": "ETAT",
		"Я": "U042F", "яБ": "U042F_U0411", "型号": "U578BU53F7", "3D model": "U0033D_MODEL", "ΆB": "U0391B"} {
		if _, err := s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: kind, SubType: "x", Values: []string{"cargo"}}}, false); err != nil {
			t.Fatal(err)
		}
		if _, err := settings.Patch(t.Context(), parley.DefaultTenant, []insight.PatchOperation{{Op: "add", Path: "/redaction", Value: json.RawMessage(`{"default":true,"type":"custom","custom":{"` + name + `":"<` + name + `>"}}`)}}); err != nil {
			t.Errorf("settings of %s: %v", kind, err)
			continue
		}
		n, _ := s.say(insight.Text{}, "a cargo")
		if _, said, err := s.conversations.Messages(t.Context(), parley.DefaultTenant, n, false, nil); err != nil || said[0].Text != "a <"+name+">" {
			t.Errorf("redacted by %s, it reads %q, %v", name, said[0].Text, err)
		}
		all, err := s.entities.List(t.Context(), parley.DefaultTenant)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if err := s.entities.Delete(t.Context(), parley.DefaultTenant, e.Number); err != nil {
				t.Fatal(err)
			}
		}
	}
}
