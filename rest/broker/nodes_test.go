package broker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/rest/broker"
	"parley/store"
	"parley/store/keyset"
	"parley/store/live"
	"parley/store/storetest"
)

// nodes are two nodes on one PostgreSQL and one Redis, each with a hub, a surface and a clock of its own, and a bot that replaces sessions that are
// over. What the first one asks of its hub goes through between; nil = as it is.
func nodes(t *testing.T, between func(broker.Hub) broker.Hub) (one, two *stage) {
	t.Helper()
	redis := os.Getenv("PARLEY_TEST_REDIS")
	if redis == "" {
		t.Skip("set PARLEY_TEST_REDIS to the URL of a Redis (scripts/services does)")
	}
	database := storetest.PostgresURL(t)
	seal, err := keyset.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(c *store.Config) { c.Seal = seal }
	record := storetest.OpenURL(t, database, sealed)
	one, two = newStageOn(t, record, openLive(t, redis, record), func(b *parley.BotSettings) { b.RenewExpired = true }), &stage{t: t, store: storetest.OpenURL(t, database, sealed)}
	if between != nil {
		one.serve(between(one.hub))
	}
	two.start(openLive(t, redis, two.store), one)
	two.serve(two.hub)
	two.bot, two.channel, two.key = one.bot, one.channel, one.key
	return one, two
}

func openLive(t *testing.T, redis string, record *store.Store) parley.Live {
	t.Helper()
	l, err := live.Open(t.Context(), live.Config{URL: redis, Installation: record.Installation(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// An outcome is what became of one call.
type outcome struct {
	status int
	text   string
	said
}

// outcomes are those of so many calls on two nodes at once, each with what it says and headers of its own.
func outcomes(one, two *stage, calls int, session string, call func(i int) (text string, headers []string)) []outcome {
	all := make([]outcome, calls)
	var wait sync.WaitGroup
	keys := one.keysFor(calls)
	for i := range all {
		s := []*stage{one, two}[i%2]
		wait.Go(func() {
			text, headers := call(i)
			res, body := s.Do("POST", s.turns()+"/"+session, `{"text":"`+text+`"}`, s.headers(append([]string{"Api-Key", keys[i]}, headers...)...)...)
			all[i] = outcome{status: res.StatusCode, text: strings.TrimSpace(body)}
			if err := json.Unmarshal([]byte(body), &all[i].said); err != nil {
				one.t.Errorf("call %d answered %d %s", i, res.StatusCode, body)
			}
		})
	}
	wait.Wait()
	return all
}

// sessionsOf are the codes of the sessions of a business key.
func (s *stage) sessionsOf(business string) (codes []string) {
	s.t.Helper()
	_, text := s.Do("GET", s.environment()+"/history/"+business, "", "Api-Key", s.key)
	var all []struct{ Session struct{ SessionCode string } }
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		s.t.Fatalf("the history is %s", text)
	}
	for _, one := range all {
		codes = append(codes, one.Session.SessionCode)
	}
	slices.Sort(codes)
	return codes
}

// ends counts how often a session ended.
func (s *stage) ends(session string) (n int) {
	s.t.Helper()
	for _, m := range storetest.Messages(s.t, s.store, s.id(session)) {
		if m.Type == parley.TypeConversationEnd {
			n++
		}
	}
	return n
}

// One request under the code of a session that is over, repeated on two nodes at once, begins one session in its place, and all who call get its answer.
func TestNodesRenewOnce(t *testing.T) {
	one, two := nodes(t, nil)
	old := one.turn("", `{"text":"hello"}`, 200, "Business-Key", "4711").SessionCode
	for _, s := range []*stage{one, two} {
		s.late.Store(int64(time.Hour))
	}
	asked := one.asked.Load()
	all := outcomes(one, two, 40, old, func(int) (string, []string) { return "again", []string{"X-Request-Id", "r1"} })
	for i, got := range all {
		if got.status != 200 || got.text != all[0].text || !strings.HasPrefix(got.first(), "you said|again|") {
			t.Fatalf("call %d answered %d %s, the first one %s", i, got.status, got.text, all[0].text)
		}
	}
	want := []string{old, all[0].SessionCode}
	slices.Sort(want)
	if got := two.sessionsOf("4711"); !slices.Equal(got, want) {
		t.Errorf("the customer has the sessions %v, want %v", got, want)
	}
	if n := one.asked.Load() - asked; n != 1 {
		t.Errorf("the bot was asked %d times", n)
	}
	if n := one.ends(old); n != 1 {
		t.Errorf("the old session ended %d times", n)
	}
}

// Requests that are not the same each begin a session in place of the one that is over, on whatever node: nothing of what is said is lost.
func TestNodesRenewForEachRequest(t *testing.T) {
	one, two := nodes(t, nil)
	old := one.turn("", `{"text":"hello"}`, 200, "Business-Key", "4711").SessionCode
	for _, s := range []*stage{one, two} {
		s.late.Store(int64(time.Hour))
	}
	want := []string{old}
	for i, got := range outcomes(one, two, 30, old, func(i int) (string, []string) { return fmt.Sprint("number ", i), nil }) {
		if got.status != 200 || !strings.HasPrefix(got.first(), fmt.Sprintf("you said|number %d|", i)) {
			t.Errorf("call %d answered %d %s", i, got.status, got.text)
			continue
		}
		if said := storetest.Messages(t, one.store, one.id(got.SessionCode))[0].Body.Content.Text; said != fmt.Sprint("number ", i) {
			t.Errorf("the session of call %d begins with %q", i, said)
		}
		want = append(want, got.SessionCode)
	}
	slices.Sort(want)
	if got := two.sessionsOf("4711"); !slices.Equal(got, want) {
		t.Errorf("the customer has %d sessions, want %d", len(got), len(want))
	}
	if n := one.ends(old); n != 1 {
		t.Errorf("the old session ended %d times", n)
	}
}

// A heldHub does not let the first call of a kind through before it may.
type heldHub struct {
	broker.Hub
	began, held, once bool
	at                chan struct{} // closed when it comes
	may               chan struct{}
	mu                sync.Mutex
}

func (h *heldHub) hold(is bool) {
	h.mu.Lock()
	first := is && !h.once
	h.once = h.once || first
	h.mu.Unlock()
	if first {
		close(h.at)
		<-h.may
	}
}

func (h *heldHub) Post(ctx context.Context, r hub.PostRequest) ([]hub.Posted, error) {
	h.hold(h.began)
	return h.Hub.Post(ctx, r)
}

func (h *heldHub) EndAfter(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, last int64, why string) error {
	h.hold(h.held)
	return h.Hub.EndAfter(ctx, tenant, id, last, why)
}

// Clocks of nodes differ. One takes a session for over in which the other one just began a turn: that turn has its answer, and the session goes on
// for both.
func TestTurnsAreNotEndedByAnotherNode(t *testing.T) {
	h := &heldHub{held: true, at: make(chan struct{}), may: make(chan struct{})}
	one, two := nodes(t, func(b broker.Hub) broker.Hub { h.Hub = b; return h })
	session := two.turn("", `{"text":"hello"}`, 200).SessionCode
	one.late.Store(int64(29 * time.Minute))
	two.late.Store(int64(29 * time.Minute))
	one.ahead.Store(int64(time.Minute + time.Second)) // not the hub's clock, by which the session would end of itself
	late := make(chan outcome, 1)
	go func() {
		late <- outcomes(one, one, 1, session, func(int) (string, []string) { return "mine too", nil })[0]
	}()
	<-h.at
	answer := make(chan outcome, 1)
	go func() {
		answer <- outcomes(two, two, 1, session, func(int) (string, []string) { return "slow", nil })[0]
	}()
	<-one.thinks
	close(h.may)
	close(one.hold)
	if got := <-answer; got.status != 200 || got.first() != "at last" || got.SessionCode != session {
		t.Errorf("the turn in progress answered %d %s", got.status, got.text)
	}
	if got := <-late; got.status != 200 || !strings.HasPrefix(got.first(), "you said|mine too|") || got.SessionCode != session {
		t.Errorf("the turn after it answered %d %s", got.status, got.text)
	}
	if n := one.ends(session); n != 0 {
		t.Errorf("the session ended %d times", n)
	}
}

// A session that one node ends while another one has just seen it open is replaced there, too.
func TestSessionEndsOnAnotherNode(t *testing.T) {
	h := &heldHub{began: true, at: make(chan struct{}), may: make(chan struct{})}
	one, two := nodes(t, func(b broker.Hub) broker.Hub { h.Hub = b; return h })
	session := two.turn("", `{"text":"hello"}`, 200).SessionCode
	answer := make(chan outcome, 1)
	go func() {
		answer <- outcomes(one, one, 1, session, func(int) (string, []string) { return "hello?", nil })[0]
	}()
	<-h.at
	two.turn(session, `{"text":"bye"}`, 200)
	close(h.may)
	if got := <-answer; got.status != 200 || !strings.HasPrefix(got.first(), "you said|hello?|") || got.SessionCode == session {
		t.Errorf("answered %d %s", got.status, got.text)
	}
}

// A request that is repeated on another node, whose clock shows another minute, begins no second session.
func TestRenewalNeedsNoCommonClock(t *testing.T) {
	h := &heldHub{began: true, at: make(chan struct{}), may: make(chan struct{})}
	one, two := nodes(t, func(b broker.Hub) broker.Hub { h.Hub = b; return h })
	old := two.turn("", `{"text":"bye"}`, 200).SessionCode
	now := time.Now().UTC().Truncate(time.Minute)
	one.stands.Store(new(now.Add(59 * time.Second)))
	two.stands.Store(new(now.Add(61 * time.Second)))
	named := func(int) (string, []string) { return "hello?", []string{"X-Request-Id", "r1"} }
	first := make(chan outcome, 1)
	go func() { first <- outcomes(one, one, 1, old, named)[0] }()
	<-h.at
	second := outcomes(two, two, 1, old, named)[0]
	close(h.may)
	if got := <-first; got.status != 200 || got.text != second.text {
		t.Errorf("answered %d %s and %d %s", got.status, got.text, second.status, second.text)
	}
}

// What people said before the end of a session is told once, however many ask on two nodes at once; all others get sessions of their own.
func TestLastWordsAreToldOnOneNode(t *testing.T) {
	one, two := nodes(t, nil)
	for round := range 5 {
		session := one.turn("", `{"text":"human"}`, 200).SessionCode
		one.says(session, "Goodbye.")
		if err := one.hub.End(t.Context(), parley.DefaultTenant, one.id(session), "test"); err != nil {
			t.Fatal(err)
		}
		told := 0
		for i, got := range outcomes(one, two, 8, session, func(i int) (string, []string) { return fmt.Sprint("number ", i), nil }) {
			switch {
			case got.status == 200 && got.first() == "Goodbye." && got.SessionCode == session:
				told++
			case got.status != 200 || !strings.HasPrefix(got.first(), fmt.Sprintf("you said|number %d|", i)):
				t.Errorf("call %d answered %d %s", i, got.status, got.text)
			}
		}
		if told != 1 {
			t.Errorf("round %d: it was told %d times", round, told)
		}
	}
}

// Turns of one session go one after the other also when they come to two nodes at once: each has its own answer, and is asked when the one before is over.
func TestTurnsAreSerialOnTwoNodes(t *testing.T) {
	one, two := nodes(t, nil)
	session := one.turn("", `{"text":"hello"}`, 200).SessionCode
	const calls = 40
	for i, got := range outcomes(one, two, calls, session, func(i int) (string, []string) { return fmt.Sprint("number ", i), nil }) {
		if got.status != 200 || got.SessionCode != session || len(got.Answers) != 1 || !strings.HasPrefix(got.first(), fmt.Sprintf("you said|number %d|", i)) {
			t.Errorf("call %d answered %d %s", i, got.status, got.text)
		}
	}
	said := storetest.Messages(t, one.store, one.id(session))
	if len(said) != 2*(calls+1) {
		t.Errorf("%d messages were said, want %d", len(said), 2*(calls+1))
	}
	for i, m := range said {
		if want := []parley.Role{parley.Customer, parley.CustomBot}[i%2]; m.Sender != want {
			t.Fatalf("message %d is of the %s, want %s: turns overlapped", i+1, m.Sender, want)
		}
	}
}
