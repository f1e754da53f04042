package rules_test

import (
	"strings"
	"testing"

	"parley"
	"parley/bots/rules"
)

// How sure an intent must be is said by the bot's settings, or else by its flow, or else it is the default (reference/broker.md 4.4).
func TestMinimumConfidence(t *testing.T) {
	for _, tt := range []struct {
		bot        float64
		flow       string
		sure       float64
		understood bool
	}{{0, "", 0.49, false}, {0, "", 0.5, true}, {0, "0.7", 0.69, false}, {0, "0.7", 0.7, true}, {0.9, "0.7", 0.89, false}, {0.9, "0.7", 0.9, true}, {0.6, "0.7", 0.6, true}} {
		source := all
		if tt.flow != "" {
			source = strings.Replace(all, "\nwelcome:", "\nminimumConfidence: "+tt.flow+"\nwelcome:", 1)
		}
		r := begin(t, &shelf{live: source}, tt.bot).turnOf("", parley.TurnInput{Intent: "cancel", Confidence: tt.sure})
		if got := r.NLP.Type == parley.NLPIntent; got != tt.understood || r.Fallback == tt.understood {
			t.Errorf("%+v: understood %v, not understood %v", tt, got, r.Fallback)
		}
	}
}

// Who sends no language is spoken to in the bot's, or else in the flow's first.
func TestLanguageOfTheBot(t *testing.T) {
	for _, tt := range []struct{ bot, customer, want string }{{"de-DE", "", "hallo"}, {"de-DE", "en-GB", "hello"}, {"", "", "hello"}, {"", "de", "hallo"}} {
		k := begin(t, &shelf{live: all}, 0)
		k.bot = rules.New(&shelf{live: all}, nil)(&parley.ClientApplication{Bot: &parley.BotSettings{Language: tt.bot}})
		k.turn.Client.Locale = tt.customer
		k.same(tt.bot+" to "+tt.customer, k.turnOf("", parley.TurnInput{Code: parley.WelcomeCode}), tt.want)
	}
}

// What is not said word for word is understood by what it means; a text that a language lacks is said in the flow's first.
func TestOtherWordsAndLanguages(t *testing.T) {
	const source = `
name: x
languages: [en, de]
fallback: sorry
intents:
- {name: order, step: ordered, examples: {en: [I want to order a shirt, order please, can I buy a shirt], de: [ich will ein Hemd bestellen, bitte ein Hemd]}}
- {name: hours, step: sorry, examples: {en: [when do you open, opening hours], de: [wann habt ihr offen, Öffnungszeiten]}}
steps:
- {id: sorry, answers: [{text: {en: sorry}}]}
- {id: ordered, answers: [{text: {en: ordered, de: bestellt}}]}
`
	for _, tt := range []struct{ locale, text, want string }{{"en", "I would like to buy a shirt", "ordered"}, {"de", "ich möchte ein Hemd bestellen", "bestellt"}, {"en", "penguins live in Antarctica", "sorry"}, {"de", "Pinguine leben am Südpol", "sorry"}} {
		k := begin(t, &shelf{live: source}, 0)
		k.turn.Client.Locale = tt.locale
		k.says(tt.text, tt.want)
	}
}
