package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// What happens over the broker is counted within seconds, once, also if the hub is killed meanwhile and everything is counted anew.
func TestWhatHappensIsCounted(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap}, parts(t)...)
			hub := startProcess(t, nil, args...)
			ctx := t.Context()
			admin, err := login(ctx, hub.url)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(c *caller, method, path string, in, out any, want int) {
				t.Helper()
				if err := c.call(ctx, method, path, in, want, out); err != nil {
					t.Fatal(err)
				}
			}
			bot := admin.demoBot(t)
			var key struct{ Key string }
			ask(admin, http.MethodPost, "/admin/v1/keys", object{"kind": "broker"}, &key, http.StatusCreated)
			var token struct{ TokenID, TokenSecret string }
			ask(admin, http.MethodPost, "/admin/v1/keys", object{"kind": "analytics"}, &token, http.StatusCreated)

			channel := &caller{base: hub.url, headers: map[string]string{"API-KEY": key.Key, "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US", "BUSINESS-KEY": "customer-4711"}}
			turns := fmt.Sprintf("/org/%s/env/%s/bot/%s/channel/%s/v1/conversations", parley.DefaultOrganisation, parley.DefaultTenant, bot.ID, bot.ChannelID)
			var first, second channelTurn
			ask(channel, http.MethodPost, turns, object{"code": parley.WelcomeCode, "context": object{"campaign": object{"id": "spring", "source": "mail"}}}, &first, http.StatusOK)
			ask(channel, http.MethodPost, turns+"/"+first.SessionCode, object{"text": "How do I find you?"}, nil, http.StatusOK)
			ask(channel, http.MethodPost, turns+"/"+first.SessionCode, object{"text": "I want to talk to a person"}, nil, http.StatusOK)
			channel.headers["BUSINESS-KEY"] = "customer-4712"
			ask(channel, http.MethodPost, turns, object{"text": "qwertz asdf"}, &second, http.StatusOK)

			reader := func() *caller {
				return &caller{base: hub.url, headers: map[string]string{"Authorization": "Bearer " + token.TokenID + ":" + token.TokenSecret}}
			}
			day := "&start_time=" + time.Now().UTC().Add(-24*time.Hour).Format(time.DateOnly) + "&end_time=" + time.Now().UTC().Add(48*time.Hour).Format(time.DateOnly)
			type series struct {
				Data struct {
					Series []struct {
						Sum    int64
						Labels map[string]string
					}
				}
			}
			conversations := func() (n int64) {
				t.Helper()
				var s series
				ask(reader(), http.MethodGet, "/v1/bots/"+bot.ID+"/conversations?version=LIVE"+day, nil, &s, http.StatusOK)
				return s.Data.Series[0].Sum
			}
			counted := func(what string, ready func() bool) {
				t.Helper()
				late := time.After(30 * time.Second) // of patience: how soon it is counted is TestSaidCountsWithinFiveSeconds
				again := time.NewTicker(100 * time.Millisecond)
				defer again.Stop()
				for !ready() {
					select {
					case <-again.C:
					case <-late:
						t.Fatalf("%s is not counted: %s", what, hub.log.String())
					}
				}
			}
			counted("what was said", func() bool { return conversations() == 2 })
			var flow struct {
				Transitions []struct {
					ToStep struct{ ID, Type string } `json:"to_step"`
				}
			}
			steps := func() (all []string) {
				t.Helper()
				ask(reader(), http.MethodGet, "/v1/bots/"+bot.ID+"/conversations/"+first.SessionCode+"/flow?version=live"+day, nil, &flow, http.StatusOK)
				for _, s := range flow.Transitions {
					all = append(all, s.ToStep.ID)
				}
				return all
			}
			counted("the way of the first one", func() bool { return len(steps()) > 0 && steps()[len(steps())-1] == "HANDOVER" })
			way := steps()
			if len(way) < 4 || strings.Contains(strings.Join(way, " "), "FALLBACK") {
				t.Errorf("it went %v", way)
			}
			counted("the way of the second one", func() bool { // its question may be, and its answer not yet
				ask(reader(), http.MethodGet, "/v1/bots/"+bot.ID+"/conversations/"+second.SessionCode+"/flow?version=live"+day, nil, &flow, http.StatusOK)
				return len(flow.Transitions) > 0
			})
			if len(flow.Transitions) != 1 || flow.Transitions[0].ToStep.ID != "FALLBACK" {
				t.Errorf("what was not understood went %+v", flow)
			}
			var usage series
			ask(reader(), http.MethodGet, "/v1/teams/"+parley.DefaultTenant.String()+"/conversations?bucket=1d&group_by=campaign_id,campaign_source"+day, nil, &usage, http.StatusOK)
			if len(usage.Data.Series) != 2 || usage.Data.Series[1].Labels["campaign_id"]+usage.Data.Series[1].Labels["campaign_source"] != "springmail" {
				t.Errorf("the usage of the team by campaign is %+v", usage)
			}

			// Killed in the middle, the hub goes on where it was.
			channel.headers["BUSINESS-KEY"] = "customer-4713"
			ask(channel, http.MethodPost, turns, object{"text": "When are you open?"}, nil, http.StatusOK)
			hub.kill()
			hub = startProcess(t, nil, args...)
			counted("what was said before the kill", func() bool { return conversations() == 3 })
			if admin, err = login(ctx, hub.url); err != nil {
				t.Fatal(err)
			}
			counted("what there was before the first start", func() bool { // which may have been cut off
				var status struct{ Rebuild *object }
				ask(admin, http.MethodGet, "/admin/v1/figures", nil, &status, http.StatusOK)
				return status.Rebuild == nil
			})
			id, secret, _ := strings.Cut(bootstrap, ":")
			var out, problems bytes.Buffer
			if status := run(ctx, []string{"rebuild", "analytics", "--url", hub.url, "--client", id, "--secret", secret, "--every", "50ms"}, &out, &problems); status != 0 || !strings.HasSuffix(out.String(), "done: all figures were counted anew\n") {
				t.Errorf("rebuild ended with %d: %s%s", status, out.String(), problems.String())
			}
			if n := conversations(); n != 3 {
				t.Errorf("counted anew there are %d conversations", n)
			}
			if diff := cmp.Diff(way, steps()); diff != "" {
				t.Errorf("counted anew the first one went another way (-before +after)\n%s", diff)
			}
		})
	}
}
