package history_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/history"
	"parley/ident"
	"parley/insight/figures"
	"parley/store"
	"parley/store/storetest"
)

// one is an imported conversation that is one visit.
const one = `{"id":"ext-1","channelType":"whatsapp","language":"de-AT","customer":{"name":"Anna","contacts":[{"type":"email","address":"anna@example.org"}]},"ended":"2025-03-01T12:10:00Z",` +
	`"endedBy":"agent","handedOver":"2025-03-01T12:00:02Z","campaign":{"id":"c7","source":"newsletter"},"feedback":{"evaluation":4,"comments":"says Anna"},"messages":[` +
	`{"sender":"customer","name":"Anna","at":"2025-03-01T12:00:00Z","text":"Where is my parcel?","intent":{"name":"parcel"}},` +
	`{"sender":"bot","at":"2025-03-01T12:00:01.5Z","text":"On its way, Anna","steps":[{"id":"s1","name":"Parcel"}]},` +
	`{"sender":"customer","at":"2025-03-01T12:00:03Z","text":"A human, please"},{"sender":"agent","name":"Dana","at":"2025-03-01T12:00:04Z","text":"Here I am"}]}` + "\n"

// counted counts everything that happened, as far as it goes.
func counted(t *testing.T, s *store.Store) {
	t.Helper()
	c := figures.NewCounter(figures.Config{Record: s, Logger: slog.New(slog.DiscardHandler)})
	for more := true; more; {
		var err error
		if more, err = c.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func countedAnew(t *testing.T, s *store.Store) {
	t.Helper()
	if _, err := figures.Rebuild(t.Context(), s, noon); err != nil {
		t.Fatal(err)
	}
	counted(t, s)
}

func exportVisits(t *testing.T, s *store.Store, selection history.VisitSelection) []map[string]any {
	t.Helper()
	if selection.Tenant.IsZero() {
		selection.Tenant = parley.DefaultTenant
	}
	var out bytes.Buffer
	x, err := (&history.Exporter{Record: s, Places: s}).BeginVisits(t.Context(), selection)
	if err == nil {
		err = x.Write(t.Context(), &out)
	}
	if err != nil {
		t.Fatalf("export visits: %v", err)
	}
	all := lines(t, out.Bytes())
	for _, line := range all {
		for name, value := range line { // letters of a cursor may spell any name
			if name != "cursor" && strings.Contains(strings.ToLower(fmt.Sprint(value)), "anna") {
				t.Errorf("%s says who the customer is: %v", name, value)
			}
		}
	}
	return all
}

// otherTenant makes one.
func otherTenant(t *testing.T, s *store.Store) parley.TenantID {
	t.Helper()
	other := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "other", WidgetSecret: "w", Created: noon, Modified: noon}
	if err := s.Update(t.Context(), func(tx parley.Tx) error { return tx.InsertTenant(t.Context(), other) }); err != nil {
		t.Fatal(err)
	}
	return other.ID
}

// A line has what is known of a visit, but not who the customer is. It stays when the conversation is removed, and is then the same also
// after everything was counted anew.
func TestVisitsAreLines(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		id := live(t, s)
		importing(t, s, parley.DefaultTenant, strings.NewReader(one))
		storetest.MustCommit(t, s, storetest.Start("")) // the last one of all is never removed
		counted(t, s)
		all := exportVisits(t, s, history.VisitSelection{})
		if len(all) != 3 {
			t.Fatalf("exported %d visits, want 3", len(all))
		}
		want := []map[string]any{{"id": all[0]["id"], "conversationId": id.String(), "part": 0.0, "bot": storetest.BotApplication.String(), "version": "DRAFT", "channelType": "web_chat",
			"language": "fr", "campaignSource": "mail", "owner": "bot", "customerKnown": true, "started": all[0]["started"], "last": all[0]["last"], "userMessages": 3.0, "botMessages": 1.0,
			"agentMessages": 1.0, "firstUserMessage": all[0]["started"], "firstBotAnswer": all[0]["firstBotAnswer"], "firstAgentAnswer": all[0]["firstAgentAnswer"], "ended": all[0]["ended"],
			"ending": "agent", "turns": 1.0, "notUnderstood": 0.0, "intents": map[string]any{"greet": 1.0}, "transitions": all[0]["transitions"], "helpful": 0.0, "unhelpful": 0.0,
			"surveyAsked": true, "surveyRated": 5.0, "cursor": all[0]["cursor"]},
			{"id": all[1]["id"], "conversationId": ident.Imported(parley.DefaultTenant, "ext-1").String(), "part": 0.0, "channelType": "whatsapp", "language": "de-AT", "campaign": "c7",
				"campaignSource": "newsletter", "owner": "queue", "customerKnown": true, "started": "2025-03-01T12:00:00.000Z", "last": "2025-03-01T12:00:04.000Z", "userMessages": 2.0,
				"botMessages": 1.0, "agentMessages": 1.0, "firstUserMessage": "2025-03-01T12:00:00.000Z", "firstBotAnswer": "2025-03-01T12:00:01.500Z", "handedOver": "2025-03-01T12:00:02.000Z", "intents": map[string]any{"parcel": 1.0},
				"firstAgentAnswer": "2025-03-01T12:00:04.000Z", "ended": "2025-03-01T12:10:00.000Z", "ending": "agent", "turns": 0.0, "notUnderstood": 0.0,
				"transitions": []any{map[string]any{"from": "START", "to": "s1", "at": "2025-03-01T12:00:01.500Z"}, map[string]any{"from": "s1", "to": "HANDOVER", "at": "2025-03-01T12:00:02.000Z"},
					map[string]any{"from": "HANDOVER", "to": "END", "at": "2025-03-01T12:10:00.000Z"}},
				"helpful": 0.0, "unhelpful": 0.0, "surveyAsked": true, "surveyRated": 4.0, "cursor": all[1]["cursor"]}}
		if diff := cmp.Diff(want, all[:2]); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}

		end := all[2]["cursor"].(string)
		if err := s.Update(t.Context(), func(tx parley.Tx) error {
			if err := tx.SetFeedCursor(t.Context(), parley.FeedDetection, 1<<60); err != nil { // which has nothing to look for
				return err
			}
			old, err := tx.OldConversations(t.Context(), parley.DefaultTenant, noon, parley.OldConversation{}, 10)
			if err == nil && len(old) == 1 { // the imported one
				_, err = tx.RemoveConversations(t.Context(), parley.DefaultTenant, old, noon)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		removed := exportVisits(t, s, history.VisitSelection{})
		if len(removed) != 3 {
			t.Fatalf("with one conversation removed: %d visits, want 3", len(removed))
		}
		delete(all[1], "conversationId")
		for i := range all {
			all[i]["cursor"], removed[i]["cursor"] = "", ""
		}
		if diff := cmp.Diff(all, removed); diff != "" {
			t.Errorf("with one conversation removed (-before +after):\n%s", diff)
		}
		countedAnew(t, s)
		if more := exportVisits(t, s, history.VisitSelection{After: end}); len(more) > 0 {
			t.Errorf("counting anew changed nothing, and brings %v", more)
		}
		again := exportVisits(t, s, history.VisitSelection{})
		for i := range again {
			again[i]["cursor"] = ""
		}
		if diff := cmp.Diff(removed, again); diff != "" {
			t.Errorf("counted anew (-before +after):\n%s", diff)
		}
	})
}

// Over any number of drops, and a counting anew in between, each visit comes once, as long as nothing changes it; who goes on later
// gets what is new, and once more what changed.
func TestVisitsGoOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		const n = 600
		several := func(from, until int) {
			var text strings.Builder
			for i := from; i < until; i++ {
				fmt.Fprintf(&text, `{"id":"%d","channelType":"web","messages":[{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"x"}]}`+"\n", i)
			}
			importing(t, s, parley.DefaultTenant, strings.NewReader(text.String()))
			counted(t, s)
		}
		several(0, n)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		seen, cursor := map[string]int{}, ""
		follow := func(left int) (broken bool) {
			x, err := (&history.Exporter{Record: s, Places: s}).BeginVisits(t.Context(), history.VisitSelection{Tenant: parley.DefaultTenant, After: cursor})
			if err != nil {
				t.Fatal(err)
			}
			to := &cut{left: left}
			err = x.Write(t.Context(), to)
			if broken = errors.Is(err, errBroken); err != nil && !broken {
				t.Fatal(err)
			}
			for _, line := range lines(t, to.Bytes()[:bytes.LastIndexByte(to.Bytes(), '\n')+1]) {
				seen[line["id"].(string)]++
				cursor = line["cursor"].(string)
			}
			return broken
		}
		drops := 0
		for follow(30_000 + random.IntN(50_000)) {
			if drops++; drops == 2 {
				countedAnew(t, s)
			}
		}
		if len(seen) != n || drops < 3 {
			t.Errorf("%d visits over %d drops, want %d over some more", len(seen), drops, n)
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s came %d times", id, times)
			}
		}

		several(n, n+3)
		if err := s.Update(t.Context(), func(tx parley.Tx) error {
			return tx.PutSurvey(t.Context(), parley.DefaultTenant, parley.Survey{ID: ident.New[parley.Message](), Conversation: ident.Imported(parley.DefaultTenant, "7"), Evaluation: 2, Answered: true, At: noon})
		}); err != nil {
			t.Fatal(err)
		}
		counted(t, s)
		later := exportVisits(t, s, history.VisitSelection{After: cursor})
		if len(later) != 4 {
			t.Fatalf("a day later: %d visits, want 3 and the one that was rated", len(later))
		}
		for i, line := range later {
			if known := seen[line["id"].(string)] > 0; known != (i == 3) || known != (line["surveyRated"] == 2.0) {
				t.Errorf("a day later, %d: %v", i, line)
			}
		}
		if more := exportVisits(t, s, history.VisitSelection{After: later[3]["cursor"].(string)}); len(more) > 0 {
			t.Errorf("behind the last: %v", more)
		}
		if all := exportVisits(t, s, history.VisitSelection{}); len(all) != n+3 {
			t.Errorf("%d visits at once, want %d", len(all), n+3)
		}
	})
}

// Filters select what they say. A cursor is good in its own environment and for visits only.
func TestVisitsAreSelected(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		if empty := exportVisits(t, s, history.VisitSelection{}); len(empty) > 0 {
			t.Errorf("of nothing: %v", empty)
		}
		live(t, s)
		storetest.MustCommit(t, s, storetest.Start(""))
		importing(t, s, parley.DefaultTenant, strings.NewReader(one))
		counted(t, s)
		all := exportVisits(t, s, history.VisitSelection{})
		started := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
		for _, c := range []struct {
			name string
			q    history.VisitSelection
			want int
		}{
			{"all", history.VisitSelection{}, 3}, {"of a bot", history.VisitSelection{Bot: storetest.BotApplication}, 2}, {"of another", history.VisitSelection{Bot: ident.New[parley.ClientApplication]()}, 0},
			{"on a channel", history.VisitSelection{ChannelType: "WhatsApp"}, 1}, {"from its start", history.VisitSelection{From: started}, 3},
			{"from later", history.VisitSelection{From: started.Add(time.Millisecond)}, 2}, {"until its start", history.VisitSelection{Until: started}, 0},
			{"until later", history.VisitSelection{Until: started.Add(time.Millisecond)}, 1},
			{"behind the first", history.VisitSelection{After: all[0]["cursor"].(string)}, 2}, {"behind the last", history.VisitSelection{After: all[2]["cursor"].(string)}, 0},
		} {
			if got := exportVisits(t, s, c.q); len(got) != c.want {
				t.Errorf("%s: %d visits, want %d", c.name, len(got), c.want)
			}
		}
		other := otherTenant(t, s)
		if got := exportVisits(t, s, history.VisitSelection{Tenant: other}); len(got) > 0 {
			t.Errorf("another tenant exports %v", got)
		}
		x := &history.Exporter{Record: s, Places: s}
		visit, conversation := all[0]["cursor"].(string), export(t, s, history.Selection{})[0]["cursor"].(string)
		for of, begin := range map[string]func() error{
			"visits of another tenant": func() error {
				_, err := x.BeginVisits(t.Context(), history.VisitSelection{Tenant: other, After: visit})
				return err
			},
			"visits after a conversation": func() error {
				_, err := x.BeginVisits(t.Context(), history.VisitSelection{Tenant: parley.DefaultTenant, After: conversation})
				return err
			},
			"visits after nonsense": func() error {
				_, err := x.BeginVisits(t.Context(), history.VisitSelection{Tenant: parley.DefaultTenant, After: "x"})
				return err
			},
			"conversations after a visit": func() error {
				_, err := x.Begin(t.Context(), history.Selection{Tenant: parley.DefaultTenant, After: visit})
				return err
			},
			"events after a visit": func() error {
				_, err := x.BeginEvents(t.Context(), history.EventSelection{Tenant: parley.DefaultTenant, After: visit})
				return err
			},
		} {
			if err := begin(); parley.KindOf(err) != parley.Invalid {
				t.Errorf("%s begin: %v, want Invalid", of, err)
			}
		}
	})
}
