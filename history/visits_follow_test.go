package history_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/history"
	"parley/insight/figures"
	"parley/store/storetest"
)

// Who follows while conversations come in and two nodes both think that they are to count, has in the end what an export from the beginning has.
func TestVisitsAreFollowedWhileTheyAreCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		const writers, each, counters = 2, 60, 2
		written, ended, stop := make(chan error, writers), make(chan error, counters), make(chan struct{})
		for w := range writers {
			go func() {
				for i := range each {
					line := fmt.Sprintf(`{"id":"%d-%d","channelType":"web","messages":[{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"x"}]}`, w, i)
					if _, err := (&history.Importer{Record: s}).Import(t.Context(), parley.DefaultTenant, history.Options{}, strings.NewReader(line)); err != nil {
						written <- err
						return
					}
				}
				written <- nil
			}()
		}
		for range counters {
			go func() {
				c := figures.NewCounter(figures.Config{Record: s, Logger: slog.New(slog.DiscardHandler)})
				for {
					select {
					case <-stop:
						ended <- nil
						return
					default:
					}
					switch _, err := c.Round(t.Context()); parley.KindOf(err) {
					case parley.Conflict, parley.Busy: // the other one counted: begin again from what is there, as Run does
						c = figures.NewCounter(figures.Config{Record: s, Logger: slog.New(slog.DiscardHandler)})
					default:
						if err != nil {
							ended <- err
							return
						}
					}
				}
			}()
		}
		has, cursor := map[any]map[string]any{}, ""
		follow := func() {
			for _, line := range exportVisits(t, s, history.VisitSelection{After: cursor}) {
				has[line["id"]], cursor = line, line["cursor"].(string)
				delete(line, "cursor")
			}
		}
		for running := writers; running > 0; follow() {
			select {
			case err := <-written:
				if err != nil {
					t.Error(err)
				}
				running--
			default:
			}
		}
		close(stop)
		for range counters {
			for err, waiting := error(nil), true; waiting; follow() {
				select {
				case err = <-ended:
					waiting = false
				default:
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
		counted(t, s)
		follow()
		want := map[any]map[string]any{}
		for _, line := range exportVisits(t, s, history.VisitSelection{}) {
			want[line["id"]] = line
			delete(line, "cursor")
		}
		if diff := cmp.Diff(want, has); diff != "" || len(want) != writers*each {
			t.Errorf("of %d visits who follows has (-from the beginning +followed):\n%s", len(want), diff)
		}
	})
}
