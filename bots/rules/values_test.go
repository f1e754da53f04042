package rules_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"parley"
)

// Conditions and placeholders know what was said, what was understood of it, where the customer is, and what time it is there.
func TestWhatExpressionsKnow(t *testing.T) {
	const source = `
name: x
languages: [en, de]
timeZone: Asia/Tokyo
fallback: told
codes: {PING: told}
entities: [{name: size, list: [{value: large}]}]
intents: [{name: order, step: told, keywords: [shirt]}]
steps:
- {id: told, answers: [{text: '{{ input.text }}|{{ input.code }}|{{ input.intent }}|{{ input.channel }}|{{ input.language }}|{{ input.locale }}|{{ entities.size }}|{{ entities.colour }}|{{ now.date }} {{ now.time }} {{ now.weekday }}'}]}
`
	for _, tt := range []struct {
		text string
		in   parley.TurnInput
		want string
	}{
		{"a large shirt", parley.TurnInput{}, "a large shirt||order|whatsapp|de|de-AT|large||2026-11-26 19:00 4"},
		{"", parley.TurnInput{Intent: "order", Confidence: 1, Entities: json.RawMessage(`{"colour":["red","blue"],"size":"small"}`)}, "||order|whatsapp|de|de-AT|small|red|2026-11-26 19:00 4"},
		{"hm", parley.TurnInput{Code: "PING"}, "hm|PING||whatsapp|de|de-AT|||2026-11-26 19:00 4"},
	} {
		k := begin(t, &shelf{live: source}, 0)
		k.turn.Client.ChannelType, k.turn.Client.Locale = "whatsapp", "de-AT"
		k.same(fmt.Sprintf("%q %+v", tt.text, tt.in), k.turnOf(tt.text, tt.in), tt.want)
	}
}

// What the channel decided is told as understood, beside what is in the text.
func TestEntitiesOfTheChannelAreTold(t *testing.T) {
	k := begin(t, &shelf{live: all}, 0)
	r := k.turnOf("a big one", parley.TurnInput{Entities: json.RawMessage(`{"colour":["red",7,null]}`)})
	var got []string
	for _, e := range r.NLP.Entities {
		got = append(got, fmt.Sprint(e.Name, " ", e.Value, " ", e.Original, " ", e.Start, " ", e.End))
	}
	if want := "[size large big 2 5 colour red red 0 0 colour 7 7 0 0]"; fmt.Sprint(got) != want {
		t.Errorf("entities %v, want %s", got, want)
	}
}

// A step whose condition does not hold leads to another one, or to the fallback.
func TestStepsThatDoNotHold(t *testing.T) {
	const source = `
name: x
languages: [en]
fallback: sorry
intents: [{name: a, step: gold, keywords: [gold]}, {name: b, step: silver, keywords: [silver]}]
steps:
- {id: sorry, answers: [{text: sorry}]}
- {id: gold, when: 'open.tier == "gold"', otherwise: poor, answers: [{text: gold}]}
- {id: silver, when: 'open.tier == "silver"', answers: [{text: silver}]}
- {id: poor, answers: [{text: poor}]}
`
	for tier, want := range map[string][2]string{"gold": {"gold", "sorry"}, "silver": {"poor", "silver"}} {
		k := begin(t, &shelf{live: source}, 0)
		k.turn.Contexts.Open = json.RawMessage(`{"tier":"` + tier + `"}`)
		k.says("gold", want[0])
		k.says("silver", want[1])
	}
}
