package history_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/history"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

func exportEvents(t *testing.T, s *store.Store, selection history.EventSelection) []map[string]any {
	t.Helper()
	if selection.Tenant.IsZero() {
		selection.Tenant = parley.DefaultTenant
	}
	var out bytes.Buffer
	x, err := (&history.Exporter{Record: s, Places: s}).BeginEvents(t.Context(), selection)
	if err == nil {
		err = x.Write(t.Context(), &out)
	}
	if err != nil {
		t.Fatalf("export events: %v", err)
	}
	return lines(t, out.Bytes())
}

func track(t *testing.T, s *store.Store, e parley.TrackedEvent) error {
	t.Helper()
	e.Tenant, e.Version = parley.DefaultTenant, parley.VersionLive
	if e.Attributes == nil {
		e.Attributes = json.RawMessage(`{}`)
	}
	for {
		err := s.Update(t.Context(), func(tx parley.Tx) error {
			_, err := tx.TrackEvent(t.Context(), &e)
			return err
		})
		if parley.KindOf(err) != parley.Busy { // else somebody else was told of something
			return err
		}
	}
}

// Lines have everything that was told, filters select what they say, and a cursor is good in its own environment and for events only.
func TestEventsAreExported(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		if empty := exportEvents(t, s, history.EventSelection{}); len(empty) > 0 {
			t.Errorf("of nothing: %v", empty)
		}
		one, two, c := ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication](), ident.New[parley.Conversation]()
		for _, e := range []parley.TrackedEvent{
			{Bot: one, ID: "a", Name: "order", User: "anna", Conversation: c, Called: "call-1", Campaign: parley.Campaign{ID: "c7", Source: "mail"}, Attributes: json.RawMessage(`{"amount":7.50,"gift":true,"to":"<Graz>"}`),
				At: noon, Received: noon.Add(time.Second)},
			{Bot: one, ID: "b", Name: "return", At: noon.Add(time.Hour), Received: noon},
			{Bot: two, ID: "a", Name: "order", At: noon.Add(-time.Hour), Received: noon},
		} {
			if err := track(t, s, e); err != nil {
				t.Fatal(err)
			}
		}
		all := exportEvents(t, s, history.EventSelection{})
		if len(all) != 3 {
			t.Fatalf("%d events, want 3", len(all))
		}
		at, hour := "2026-03-01T12:00:00.000Z", "2026-03-01T13:00:00.000Z"
		if diff := cmp.Diff([]map[string]any{{"id": "a", "bot": one.String(), "version": "LIVE", "name": "order", "user": "anna", "conversation": "call-1", "conversationId": c.String(),
			"campaign": map[string]any{"id": "c7", "source": "mail"}, "attributes": map[string]any{"amount": 7.5, "gift": true, "to": "<Graz>"}, "at": at, "received": "2026-03-01T12:00:01.000Z", "cursor": all[0]["cursor"]},
			{"id": "b", "bot": one.String(), "version": "LIVE", "name": "return", "attributes": map[string]any{}, "at": hour, "received": at, "cursor": all[1]["cursor"]}}, all[:2]); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		first := all[0]["cursor"].(string)
		for _, c := range []struct {
			name string
			q    history.EventSelection
			want int
		}{
			{"of a bot", history.EventSelection{Bot: one}, 2}, {"of a name", history.EventSelection{Name: "order"}, 2}, {"of a bot and name", history.EventSelection{Bot: one, Name: "order"}, 1},
			{"of another name", history.EventSelection{Name: "Order"}, 0}, {"from", history.EventSelection{From: noon}, 2}, {"from later", history.EventSelection{From: noon.Add(time.Millisecond)}, 1},
			{"until", history.EventSelection{Until: noon}, 1}, {"until later", history.EventSelection{Until: noon.Add(time.Millisecond)}, 2},
			{"of a bot in a time", history.EventSelection{Bot: one, From: noon, Until: noon.Add(time.Hour)}, 1},
			{"behind the first", history.EventSelection{After: first}, 2}, {"behind the last", history.EventSelection{After: all[2]["cursor"].(string)}, 0},
		} {
			if got := exportEvents(t, s, c.q); len(got) != c.want {
				t.Errorf("%s: %d events, want %d", c.name, len(got), c.want)
			}
		}
		other := otherTenant(t, s)
		if got := exportEvents(t, s, history.EventSelection{Tenant: other}); len(got) > 0 {
			t.Errorf("another tenant exports %v", got)
		}
		storetest.MustCommit(t, s, storetest.Start(""))
		x := &history.Exporter{Record: s, Places: s}
		if _, err := x.BeginEvents(t.Context(), history.EventSelection{Tenant: other, After: first}); parley.KindOf(err) != parley.Invalid {
			t.Errorf("events of another tenant begin: %v, want Invalid", err)
		}
		if _, err := x.BeginEvents(t.Context(), history.EventSelection{Tenant: parley.DefaultTenant, After: export(t, s, history.Selection{})[0]["cursor"].(string)}); parley.KindOf(err) != parley.Invalid {
			t.Errorf("events after a conversation begin: %v, want Invalid", err)
		}
		if _, err := x.Begin(t.Context(), history.Selection{Tenant: parley.DefaultTenant, After: first}); parley.KindOf(err) != parley.Invalid {
			t.Errorf("conversations after an event begin: %v, want Invalid", err)
		}
	})
}

// Over any number of drops, and while several are telling of events, each comes exactly once.
func TestEventsGoOnExactly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		const writers, each = 3, 150
		written := make(chan error, writers)
		for w := range writers {
			go func() {
				bot := ident.New[parley.ClientApplication]()
				for i := range each {
					if err := track(t, s, parley.TrackedEvent{Bot: bot, ID: fmt.Sprintf("%d-%d", w, i), Name: "order", At: noon, Received: noon}); err != nil {
						written <- err
						return
					}
				}
				written <- nil
			}()
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		seen, cursor, running, drops := map[string]int{}, "", writers, 0
		for last := false; !last; {
			select {
			case err := <-written:
				if err != nil {
					t.Fatal(err)
				}
				running--
			default:
			}
			last = running == 0
			x, err := (&history.Exporter{Record: s, Places: s}).BeginEvents(t.Context(), history.EventSelection{Tenant: parley.DefaultTenant, After: cursor})
			if err != nil {
				t.Fatal(err)
			}
			to := &cut{left: random.IntN(20_000)}
			if err := x.Write(t.Context(), to); errors.Is(err, errBroken) {
				last = false
				drops++
			} else if err != nil {
				t.Fatal(err)
			}
			for _, line := range lines(t, to.Bytes()[:bytes.LastIndexByte(to.Bytes(), '\n')+1]) {
				seen[line["id"].(string)]++
				cursor = line["cursor"].(string)
			}
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		if len(seen) != writers*each || drops == 0 {
			t.Errorf("%d events over %d drops, want %d over some", len(seen), drops, writers*each)
		}
		if all := exportEvents(t, s, history.EventSelection{}); len(all) != writers*each {
			t.Errorf("%d events at once, want %d", len(all), writers*each)
		}
	})
}
