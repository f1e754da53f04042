package hub_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// Operators see who has the turn in the conversations of the whole record, also of those that this hub has not in memory.
func TestOpenConversationsAreShown(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.start()
	w.start()
	w.say(w.start(), parley.CustomBot, parley.TypeEscalationTransfer)
	w.say(w.start(), parley.CustomBot, parley.TypeConversationEnd)
	meter := prometheus.NewRegistry()
	w.hub = hub.New(hub.Config{Store: w.store, Clock: w.now, Meter: meter}) // after a restart
	w.run()
	if n, err := testutil.GatherAndCount(meter, "parley_turns_total"); n != 4 || err != nil {
		t.Errorf("%d ends of turns are shown from the start, %v; want 4", n, err)
	}
	const want = `parley_conversations_open{owner="agent"} 1
parley_conversations_open{owner="bot"} 2
parley_conversations_open{owner="none"} 0
parley_conversations_open{owner="queue"} 0
`
	waitFor(t, want, func() bool {
		text, err := testutil.CollectAndFormat(meter, expfmt.TypeTextPlain, "parley_conversations_open")
		if err != nil {
			t.Fatal(err)
		}
		return strings.HasSuffix(string(text), want)
	})
}
