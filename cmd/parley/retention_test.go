package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What an environment no longer keeps goes by itself, in the order in which it was told: the words first, the figures of them later. What it
// does not say anything of stays.
func TestWhatIsOldGoes(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8", "--callback-http",
				"--retention-every", "200ms", "--retention-grace", "0s"}, parts(t)...)
			hub := startProcess(t, nil, args...)
			ctx := t.Context()
			admin, err := login(ctx, hub.url)
			if err != nil {
				t.Fatal(err)
			}
			const many = 150
			var lines strings.Builder
			for i := range many {
				fmt.Fprintf(&lines, `{"id":"old-%d","channelType":"web","customer":{"name":"Ford"},"messages":[{"sender":"customer","at":"2026-01-10T12:00:00Z","text":"the ancient words of Ford"},{"sender":"agent","at":"2026-01-10T12:01:00Z","text":"I see"}]}`+"\n", i)
			}
			admin.text(t, http.MethodPost, "/admin/v1/import", lines.String())
			shop := admin.setUp(t, "http://127.0.0.1:9/", "shop")
			if _, _, err := admin.post(ctx, shop.begin("new-1", "I am young", "arthur@example.org")); err != nil {
				t.Fatal(err)
			}
			until := func(what string, is func() bool) {
				t.Helper()
				again, late := time.NewTicker(100*time.Millisecond), time.After(30*time.Second)
				defer again.Stop()
				for !is() {
					select {
					case <-again.C:
					case <-late:
						t.Fatalf("%s: %s\n%s", what, admin.text(t, http.MethodGet, "/admin/v1/retention", ""), hub.log.String())
					}
				}
			}
			counted := func() (n int) {
				t.Helper()
				var report struct{ Total struct{ Conversations int } }
				if err := admin.call(ctx, http.MethodGet, "/admin/v1/reports/figures?from=2026-01-01&until=2026-02-01", nil, http.StatusOK, &report); err != nil {
					t.Fatal(err)
				}
				return report.Total.Conversations
			}
			type kept struct {
				Removed map[string]struct{ Count int }
			}
			settings := func() (k kept) {
				t.Helper()
				if err := admin.call(ctx, http.MethodGet, "/admin/v1/retention", nil, http.StatusOK, &k); err != nil {
					t.Fatal(err)
				}
				return k
			}
			until("the old conversations are not counted", func() bool { return counted() == many })
			var preview struct{ Conversations, Messages, Visits int }
			until("the old conversations are not to be removed", func() bool {
				if err := admin.call(ctx, http.MethodGet, "/admin/v1/retention/preview?messages=100&analytics=100", nil, http.StatusOK, &preview); err != nil {
					t.Fatal(err)
				}
				return preview.Conversations == many
			})
			if preview.Visits != many || preview.Messages < 2*many {
				t.Errorf("preview = %+v", preview)
			}
			if err := admin.call(ctx, http.MethodPut, "/admin/v1/retention", object{"messages": 100}, http.StatusOK, nil); err != nil {
				t.Fatal(err)
			}
			until("the old conversations are still there", func() bool { return settings().Removed["messages"].Count == preview.Messages })
			if text := admin.text(t, http.MethodGet, "/admin/v1/export/conversations", ""); strings.Contains(text, "Ford") || !strings.Contains(text, "I am young") {
				t.Errorf("export = %s", text)
			}
			if n := counted(); n != many {
				t.Errorf("%d old conversations are counted, want all %d", n, many)
			}
			if err := admin.call(ctx, http.MethodPost, "/admin/v1/figures/rebuild", nil, http.StatusAccepted, nil); err != nil {
				t.Fatal(err)
			}
			var figures struct{ Generation int }
			until("nothing was counted anew", func() bool {
				if err := admin.call(ctx, http.MethodGet, "/admin/v1/figures", nil, http.StatusOK, &figures); err != nil {
					t.Fatal(err)
				}
				return figures.Generation == 2
			})
			if n := counted(); n != many {
				t.Errorf("%d old conversations are counted anew, want all %d", n, many)
			}
			if err := admin.call(ctx, http.MethodPut, "/admin/v1/retention", object{"analytics": 100}, http.StatusOK, nil); err != nil {
				t.Fatal(err)
			}
			until("the old figures are still there", func() bool { return counted() == 0 })
			if n := settings().Removed["analytics"].Count; n != many {
				t.Errorf("%d visits were noted as removed, want %d", n, many)
			}
			if _, text := get(t, http.MethodGet, hub.url+"/metrics"); !strings.Contains(text, fmt.Sprintf(`parley_retention_removed_total{kind="analytics"} %d`, many)) {
				t.Errorf("the metrics do not say that figures were removed: %s", text)
			}
		})
	}
}
