package rules_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// Answers of every type are what the flow says, in the customer's language, whole; what stands for a placeholder becomes neither markup nor another
// part of an address.
func TestAnswersOfEveryType(t *testing.T) {
	const source = `
name: x
languages: [en, de]
fallback: shown
steps:
- id: shown
  name: Show
  answers:
  - {id: a1, text: {en: 'Hi {{ open.name }}', de: 'Hallo {{ open.name }}'}, description: {en: greeting, de: Gruß}, evaluable: true, masked: true}
  - text: {en: 'Which?', de: 'Welche?'}
    buttons:
    - {name: {en: Last, de: Letzte}, value: {en: last order, de: letzte Bestellung}}
    - {name: {en: Site, de: Seite}, value: site, type: URL, action: {en: 'https://shop.example/en/{{ open.name }}', de: 'https://shop.example/de/{{ open.name }}'}}
    - {name: Call, type: PHONE, action: {en: '+44 1', de: '+49 1'}}
    quickReplies: [{name: {en: None, de: Keine}, value: {en: none of them, de: keine davon}}, {name: {en: Any, de: Alle}}]
  - {type: TEXT_OPTIONS, text: plain}
  - {text: 'Sure?', quickReplies: [{name: 'Yes'}]}
  - {type: IMAGE, url: {en: 'https://shop.example/en/{{ open.name }}.png', de: 'https://shop.example/de/{{ open.name }}.png'}, description: {en: map, de: Karte}}
  - {type: VIDEO, url: 'https://shop.example/v.mp4'}
  - {type: AUDIO, url: 'https://shop.example/a.mp3'}
  - {type: DOCUMENT, url: 'https://shop.example/{{ open.name }}/d.pdf'}
  - {type: CUSTOM, text: 'map of {{ open.name }}', technicalText: {kind: map, of: '{{ open.name }}'}}
  - type: CAROUSEL
    description: {en: shoes, de: Schuhe}
    cards:
    - imageUrl: 'https://shop.example/{{ open.name }}/1.png'
      title: {en: Boots, de: Stiefel}
      subTitle: {en: 'for {{ open.name }}', de: 'für {{ open.name }}'}
      buttons: [{name: {en: These, de: Diese}, value: '1'}]
    - {title: Others}
`
	const name = `A&B/<b>?`
	for _, l := range []string{"en", "de"} {
		say := func(en, de string) string { return map[string]string{"en": en, "de": de}[l] }
		k := begin(t, &shelf{live: source}, 0)
		k.turn.Client.Locale = l
		k.turn.Contexts.Open, _ = json.Marshal(map[string]string{"name": name})
		r := k.turnOf("hello", parley.TurnInput{})
		const inURL = "A%26B%2F%3Cb%3E%3F"
		want := []parley.BotAnswer{
			{ID: "a1", Type: parley.AnswerText, Text: say("Hi ", "Hallo ") + "A&amp;B/&lt;b&gt;?", Description: say("greeting", "Gruß"), Evaluable: true, Masked: true},
			{Type: parley.AnswerOptions, Text: say("Which?", "Welche?"), Buttons: []parley.AnswerButton{{Name: say("Last", "Letzte"), Value: say("last order", "letzte Bestellung"), Type: parley.ButtonPostback},
				{Name: say("Site", "Seite"), Value: "site", Type: parley.ButtonURL, Action: "https://shop.example/" + l + "/" + inURL}, {Name: "Call", Value: "Call", Type: parley.ButtonPhone, Action: say("+44 1", "+49 1")}},
				QuickReplies: []parley.QuickReply{{Name: say("None", "Keine"), Value: say("none of them", "keine davon")}, {Name: say("Any", "Alle"), Value: say("Any", "Alle")}}},
			{Type: parley.AnswerOptions, Text: "plain"}, {Type: parley.AnswerOptions, Text: "Sure?", QuickReplies: []parley.QuickReply{{Name: "Yes", Value: "Yes"}}},
			{Type: parley.AnswerImage, Text: "https://shop.example/" + l + "/" + inURL + ".png", Description: say("map", "Karte")},
			{Type: parley.AnswerVideo, Text: "https://shop.example/v.mp4"}, {Type: parley.AnswerAudio, Text: "https://shop.example/a.mp3"}, {Type: parley.AnswerDocument, Text: "https://shop.example/" + inURL + "/d.pdf"},
			{Type: parley.AnswerCustom, Text: "map of A&amp;B/&lt;b&gt;?", Technical: json.RawMessage(`{"kind":"map","of":"A\u0026B/\u003cb\u003e?"}`)},
			{Type: parley.AnswerCarousel, Description: say("shoes", "Schuhe"), Cards: []parley.AnswerCard{{ImageURL: "https://shop.example/" + inURL + "/1.png", Title: say("Boots", "Stiefel"), SubTitle: say("for ", "für ") + name,
				Buttons: []parley.AnswerButton{{Name: say("These", "Diese"), Value: "1", Type: parley.ButtonPostback}}}, {Title: "Others"}}},
		}
		if diff := cmp.Diff(want, r.Answers); diff != "" {
			t.Errorf("in %s (-want +got)\n%s", l, diff)
		}
		if diff := cmp.Diff([]parley.FlowStep{{ID: "shown", Name: "Show"}}, r.Steps); diff != "" {
			t.Errorf("the steps (-want +got)\n%s", diff)
		}
	}
}
