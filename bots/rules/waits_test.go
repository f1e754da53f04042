package rules_test

import (
	"testing"

	"parley"
)

// An answer to a question is read as people write where the customer is; a day needs its year, and another entity will not do for the one asked for.
func TestAnswersToQuestions(t *testing.T) {
	const source = `
name: x
languages: [en, de]
fallback: sorry
entities: [{name: n, builtIn: number}, {name: mail, builtIn: email}, {name: page, builtIn: url}, {name: day, builtIn: date}]
intents:
- {name: a, step: date, keywords: [when]}
- {name: b, step: mail, keywords: [whom]}
- {name: c, step: page, keywords: [where]}
- {name: d, step: day, keywords: [which]}
steps:
- {id: sorry, answers: [{text: sorry}]}
- {id: date, ask: {type: DATE, store: it, again: a date}, goto: done}
- {id: mail, ask: {type: CUSTOM, entity: mail, store: it, again: an address}, goto: done}
- {id: page, ask: {type: CUSTOM, entity: page, store: it, again: a page}, goto: done}
- {id: day, ask: {type: CUSTOM, entity: day, store: it, again: a day}, goto: done}
- {id: done, answers: [{text: '{{ hidden.it }}'}]}
`
	for _, tt := range []struct{ locale, question, answer, want string }{
		{"en-US", "when", "on 03/04/2026", "2026-03-04"}, {"en-GB", "when", "on 03/04/2026", "2026-04-03"}, {"de-DE", "when", "am 03.04.2026", "2026-04-03"}, {"en-US", "when", "on 24 December", "a date"},
		{"en-US", "whom", "7", "an address"}, {"en-US", "whom", "7 anna@example.org", "anna@example.org"}, {"en-US", "where", "anna@example.org", "a page"}, {"en-US", "where", "at https://shop.example/x?y=1 it is", "https://shop.example/x?y=1"},
		{"en-US", "which", "on 03/04/2026", "2026-03-04"}, {"en-GB", "which", "on 03/04/2026", "2026-04-03"},
	} {
		k := begin(t, &shelf{live: source}, 0)
		k.turn.Client.Locale = tt.locale
		if r := k.says(tt.question); r.Await == nil {
			t.Errorf("%s asks nothing", tt.question)
		}
		k.same(tt.locale+" "+tt.answer, k.turnOf(tt.answer, parley.TurnInput{}), tt.want)
	}
}

// What was said before it was asked for answers the first question that it fits, and no second one; of two keywords the longer one decides.
func TestValuesAnswerOnce(t *testing.T) {
	const source = `
name: x
languages: [en]
fallback: sorry
entities: [{name: n, builtIn: number}]
intents:
- {name: move, step: from, keywords: [move]}
- {name: out, step: out, keywords: [move out]}
steps:
- {id: sorry, answers: [{text: sorry}]}
- {id: out, answers: [{text: out}]}
- {id: from, ask: {type: CUSTOM, entity: n, store: from}, answers: [{text: "from where?"}], goto: to}
- {id: to, ask: {type: CUSTOM, entity: n, store: to}, answers: [{text: "where to?"}], goto: done}
- {id: done, answers: [{text: 'from {{ hidden.from }} to {{ hidden.to }}'}]}
`
	k := begin(t, &shelf{live: source}, 0)
	k.says("move 7", "where to?")
	k.says("9", "from 7 to 9")
	k.says("I move out", "out")
}
