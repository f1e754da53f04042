package hub_test

import (
	"encoding/json"
	"strings"
	"testing"

	"parley"
	"parley/store/storetest"
)

// A conversation keeps the campaign that it began with: told by the channel, or in the bot's context; what comes later changes nothing, and
// what is too long is cut.
func TestConversationKeepsItsCampaign(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.runsBots()
	long := strings.Repeat("ü", 200)
	kept := parley.Campaign{Source: "mail"}
	for i, c := range []struct {
		name    string
		told    parley.Campaign
		context string
		want    parley.Campaign
	}{
		{"told", parley.Campaign{ID: " 7 ", Source: "mail", Medium: "m", Name: "n", Content: "c", Term: "t"}, "", parley.Campaign{ID: "7", Source: "mail", Medium: "m", Name: "n", Content: "c", Term: "t"}},
		{"told wins", kept, `{"campaign":{"source":"other"}}`, kept},
		{"in the context", parley.Campaign{}, `{"campaign":{"id":7,"source":"mail","medium":"m","name":"n","content":"c","term":"t"}}`, parley.Campaign{ID: "7", Source: "mail", Medium: "m", Name: "n", Content: "c", Term: "t"}},
		{"an id in the context", parley.Campaign{}, `{"campaign":"spring"}`, parley.Campaign{ID: "spring"}},
		{"nonsense in the context", parley.Campaign{}, `{"campaign":[1]}`, parley.Campaign{}},
		{"none", parley.Campaign{}, "", parley.Campaign{}},
		{"too long", parley.Campaign{Name: long}, "", parley.Campaign{Name: strings.Repeat("ü", 127)}},
	} {
		starter := w.starter("m" + string(rune('a'+i)))
		starter.Asks, starter.Campaign = true, c.told
		if c.context != "" {
			starter.Body.Turn = &parley.TurnInput{Context: json.RawMessage(c.context)}
		}
		posted, err := w.post(starter)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		w.say(posted[0].Conversation, parley.Customer, parley.TypeText, func(d *parley.Draft) {
			d.Campaign, d.Body.Turn = parley.Campaign{ID: "late"}, &parley.TurnInput{Context: json.RawMessage(`{"campaign":"late"}`)}
		})
		if got := w.conversation(posted[0].Conversation).State.Campaign; got != c.want {
			t.Errorf("%s: campaign %+v, want %+v", c.name, got, c.want)
		}
	}
}
