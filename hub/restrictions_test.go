package hub_test

import (
	"slices"
	"testing"

	"parley"
	"parley/store/storetest"
)

// outbound restricts what customers get.
func outbound(o parley.OutboundRestriction) change {
	return func(_ *parley.Account, c *parley.Channel, _ *parley.Orchestration, _ []parley.Participant) {
		c.Restrictions = &parley.Restrictions{Outbound: &o}
	}
}

// What a channel cannot show is refused to bots and agents as it is to customers, each by the rules of its direction.
func TestOutboundRestrictions(t *testing.T) {
	content := func(c parley.Content) func(*parley.Draft) { return func(d *parley.Draft) { d.Body.Content = &c } }
	file := func(name string, size int64) func(*parley.Draft) {
		return func(d *parley.Draft) {
			d.Body.Attachments = []parley.Attachment{{URL: "https://files.example.org/x", Name: name, Size: size}}
		}
	}
	rich := payload(`{"type":"x","version":"1"}`)
	policy := &parley.AttachmentPolicy{Enabled: true, Allow: true, Extensions: []string{"png"}, MaxSize: 100}
	for _, test := range []struct {
		what     string
		outbound parley.OutboundRestriction
		kind     parley.MessageType
		change   func(*parley.Draft)
		want     parley.Reason
	}{
		{"text that fits", parley.OutboundRestriction{Restriction: parley.Restriction{MaxTextLength: 3}}, parley.TypeText, content(parley.Content{Text: "äöü"}), parley.Unspecified},
		{"long text", parley.OutboundRestriction{Restriction: parley.Restriction{MaxTextLength: 3}}, parley.TypeText, content(parley.Content{Text: "four"}), parley.TextTooLong},
		{"long rich text", parley.OutboundRestriction{Restriction: parley.Restriction{MaxTextLength: 3}}, parley.TypeText, content(parley.Content{HTML: "<b>four</b>"}), parley.TextTooLong},
		{"rich text that shows little", parley.OutboundRestriction{Restriction: parley.Restriction{MaxTextLength: 3}}, parley.TypeText, content(parley.Content{HTML: "<b>one</b>"}), parley.Unspecified},
		{"listed file", parley.OutboundRestriction{Restriction: parley.Restriction{Attachments: policy}}, parley.TypeText, file("a.PNG", 100), parley.Unspecified},
		{"other file", parley.OutboundRestriction{Restriction: parley.Restriction{Attachments: policy}}, parley.TypeText, file("a.pdf", 1), parley.AttachmentRefused},
		{"large file", parley.OutboundRestriction{Restriction: parley.Restriction{Attachments: policy}}, parley.TypeText, file("a.png", 101), parley.AttachmentTooLarge},
		{"no attachments", parley.OutboundRestriction{Restriction: parley.Restriction{Features: []parley.Feature{parley.FeatureRichText}}}, parley.TypeText, file("a.png", 1), parley.AttachmentRefused},
		{"authentication that is allowed", parley.OutboundRestriction{MidChatAuth: true}, parley.TypeRichAuthentication, rich, parley.Unspecified},
		{"authentication that is allowed but not listed", parley.OutboundRestriction{MidChatAuth: true, RichTypes: []string{"form"}}, parley.TypeRichAuthentication, rich, parley.FeatureRefused},
		{"authentication that is listed but not allowed", parley.OutboundRestriction{RichTypes: []string{"authentication"}}, parley.TypeRichAuthentication, rich, parley.FeatureRefused},
		{"no rich messages", parley.OutboundRestriction{RichTypes: []string{}}, parley.TypeRichForm, rich, parley.FeatureRefused},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.Open(t), outbound(test.outbound))
			id := w.start()
			_, err := w.try(id, parley.CustomBot, test.kind, test.change)
			if parley.ReasonOf(err) != test.want || test.want == parley.Unspecified && err != nil {
				t.Errorf("by the bot = %v, want reason %d", err, test.want)
			}
			if test.kind != parley.TypeText {
				return
			}
			if _, err := w.try(id, parley.Customer, test.kind, test.change); err != nil {
				t.Errorf("by the customer = %v, want it accepted: only the other direction is restricted", err)
			}
		})
	}
}

// Without systemMessages the hub says nothing of its own to the customer; what became of the conversation is no text.
func TestHubKeepsSilentWhereItMust(t *testing.T) {
	for _, speaks := range []bool{true, false} {
		w := newWorld(t, storetest.Open(t), outbound(parley.OutboundRestriction{SystemMessages: speaks}))
		w.say(parley.ConversationID{}, parley.CustomAgent, parley.TypeAgentUnavailable)
		id := w.start()
		w.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
		log := w.log(id)
		if slices.Contains(log, "system text → customer") != speaks || !slices.Contains(log, "system conversation.state → customer") {
			t.Errorf("systemMessages %v: record %q", speaks, log)
		}
	}
}

// Hub texts are picked by the conversation's language, then the account's, then en-US, then any, then ours.
func TestHubTextsSpeakTheCustomersLanguage(t *testing.T) {
	text := func(language, value string) parley.Localisation {
		return parley.Localisation{Language: language, Properties: []parley.NameValue{{Name: parley.TextOffHours, Value: value}}}
	}
	other := parley.Localisation{Language: "da-DK", Properties: []parley.NameValue{{Name: "mine", Value: "x"}}}
	for _, test := range []struct {
		what              string
		texts             []parley.Localisation
		language, account string
		want              string
	}{
		{"of the conversation", []parley.Localisation{text("en-US", "closed"), text("fr-FR", "fermé"), text("de-DE", "zu")}, "de-de", "fr-FR", "zu"},
		{"of the account", []parley.Localisation{text("en-US", "closed"), text("fr-FR", "fermé"), other}, "da-DK", "fr-FR", "fermé"},
		{"of nobody here", []parley.Localisation{text("nl-NL", "dicht"), text("en-US", "closed")}, "da-DK", "fr-FR", "closed"},
		{"the first there is", []parley.Localisation{other, text("nl-NL", "dicht"), text("it-IT", "chiuso")}, "da-DK", "fr-FR", "dicht"},
		{"none there is", []parley.Localisation{other}, "da-DK", "fr-FR", "Nobody can answer just now. Please come back during our opening hours."},
		{"the account's where the customer has none", []parley.Localisation{text("en-US", "closed"), text("fr-FR", "fermé")}, "", "fr-FR", "fermé"},
	} {
		w := newWorld(t, storetest.Open(t), func(a *parley.Account, c *parley.Channel, _ *parley.Orchestration, _ []parley.Participant) {
			a.DefaultLanguage, c.Localisations = test.account, test.texts
		})
		w.say(parley.ConversationID{}, parley.CustomAgent, parley.TypeAgentUnavailable)
		starter := w.starter("")
		starter.Language = test.language
		posted, err := w.post(starter)
		if err != nil {
			t.Fatal(err)
		}
		w.say(posted[0].Conversation, parley.CustomBot, parley.TypeEscalationTransfer)
		said := storetest.Messages(t, w.store, posted[0].Conversation)[2]
		if said.Body.Content == nil || said.Body.Content.Text != test.want {
			t.Errorf("%s: the hub says %+v, want %q", test.what, said.Body.Content, test.want)
		}
	}
}
