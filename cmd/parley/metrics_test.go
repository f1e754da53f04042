package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"parley"
)

// promtool runs Prometheus' own tool.
func promtool(t *testing.T, in string, args ...string) (out string, err error) {
	t.Helper()
	program := os.Getenv("PARLEY_TEST_PROMTOOL")
	if program == "" {
		t.Skip("set PARLEY_TEST_PROMTOOL to the path of promtool (scripts/services does)")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(in)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// scrape reads the metrics of a hub as Prometheus does.
func scrape(t *testing.T, url string) (text string, families map[string]*dto.MetricFamily) {
	t.Helper()
	res, text := get(t, http.MethodGet, url+"/metrics")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("/metrics = %d %s", res.StatusCode, text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return text, families
}

// seriesOf are the names and labels of what was scraped, a histogram as one.
func seriesOf(families map[string]*dto.MetricFamily) (all []string) {
	for name, f := range families {
		for _, m := range f.GetMetric() {
			labels := make([]string, 0, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			slices.Sort(labels)
			all = append(all, name+"{"+strings.Join(labels, ",")+"}")
		}
	}
	slices.Sort(all)
	return all
}

// A documented metric is a row of docs/metrics.md.
type documented struct {
	kind   string
	labels []string
}

func documentedMetrics(t *testing.T) map[string]documented {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]documented{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(parley_[a-z_]+)` \\| (\\w+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		row := documented{kind: m[2]}
		if labels := strings.TrimSpace(m[3]); labels != "" {
			row.labels = strings.Split(labels, ", ")
			slices.Sort(row.labels)
		}
		rows[m[1]] = row
	}
	return rows
}

// Traffic comes over every surface, of strangers each time: a tenant with its client, applications and account; a customer
// and an agent over sessions; a bot asked over the broker and the agents' surface. One receiver refuses everything.
type traffic struct {
	t       *testing.T
	url     string
	admin   *caller
	log     *callbackLog
	refuses string // where callbacks are refused
}

func (f *traffic) ask(c *caller, method, path string, in, out any, want int) {
	f.t.Helper()
	if err := c.call(f.t.Context(), method, path, in, want, out); err != nil {
		f.t.Fatal(err)
	}
}

func (f *traffic) come(n int) {
	t, ctx := f.t, f.t.Context()
	t.Helper()
	name := fmt.Sprintf("stranger%d", n)
	var organisation, environment struct{ ID string }
	f.ask(f.admin, http.MethodPost, "/admin/v1/organisations", object{"name": name}, &organisation, http.StatusCreated)
	f.ask(f.admin, http.MethodPost, "/admin/v1/environments", object{"organisationId": organisation.ID, "name": name}, &environment, http.StatusCreated)
	var client struct{ ID, Secret string }
	f.ask(f.admin, http.MethodPost, "/admin/v1/clients", object{"environmentId": environment.ID, "name": name,
		"scopes": []string{parley.ScopeRead, parley.ScopeManage, parley.ScopeInteractionManage}}, &client, http.StatusCreated)
	c, err := loginAs(ctx, f.url, client.ID, client.Secret)
	if err != nil {
		t.Fatal(err)
	}
	conversation, _, err := c.post(ctx, c.setUp(t, f.log.URL, name).begin("m1", "hello", name+"@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	f.log.wait(t, "the bot's callback", func(got callback) bool { return got.conversation == conversation && got.role == "custom_bot" })
	if _, _, err := c.post(ctx, say(conversation, "m2", "custom_bot", "text", object{"text": "yes?"})); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"nonsense" + name, "agent.join"} {
		if _, _, err := c.post(ctx, say(conversation, "m3", "custom_bot", kind, nil)); err == nil {
			t.Errorf("a bot's %s was accepted", kind)
		}
	}
	if _, _, err := c.post(ctx, c.setUp(t, f.refuses, name+"x").begin("m1", "hello", name+"@example.org")); err != nil {
		t.Fatal(err)
	}

	f.admin.webChat(t, name)
	anna := connectLive(t, f.url, customerToken(t, f.url, name))
	opened := anna.ask("open", object{"message": object{"messageId": "m1", "type": object{"value": "text"}, "content": object{"text": "hello"}}})
	anna.ask("typing", object{"conversation": opened["conversation"], "on": true})
	anna.conn.CloseNow()

	var bot struct{ ID, ChannelID string }
	f.ask(f.admin, http.MethodPost, "/admin/v1/bots", object{"name": name, "connector": object{"kind": "rules"}}, &bot, http.StatusCreated)
	key := func(kind string) (k struct{ Key string }) {
		f.ask(f.admin, http.MethodPost, "/admin/v1/keys", object{"kind": kind, "botId": bot.ID}, &k, http.StatusCreated)
		return k
	}
	channel := &caller{base: f.url, headers: map[string]string{"API-KEY": key("broker").Key, "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US", "BUSINESS-KEY": name}}
	turns := fmt.Sprintf("/org/%s/env/%s/bot/%s/channel/%s/v1/conversations", parley.DefaultOrganisation, parley.DefaultTenant, bot.ID, bot.ChannelID)
	if err := channel.call(ctx, http.MethodPost, turns, object{"text": "hello"}, 461, nil); err != nil { // it has no flow
		t.Fatal(err)
	}
	agents := &caller{base: f.url + "/external", headers: map[string]string{"Agent-Secret-Key": key("agent").Key}}
	f.ask(agents, http.MethodGet, "/conversations", nil, nil, http.StatusOK)
}

// wander asks for what is not there, in ways that are not HTTP's own.
func (f *traffic) wander(n int) {
	f.t.Helper()
	for i := range n {
		method := [...]string{http.MethodGet, http.MethodPost, "BREW", fmt.Sprintf("M%dX", i)}[i%4]
		path := [...]string{"/nothing-%d", "/admin/v1/%d/x", "/console/%d", "/external/%d?to=%[1]d", "//%d//", "/ws/v1/sse/%d/%[1]d", "/metrics/%d"}[i%7]
		if res, _ := get(f.t, method, f.url+fmt.Sprintf(path, i)); res.StatusCode < 400 {
			f.t.Errorf("%s %s = %d", method, path, res.StatusCode)
		}
	}
}

// What a hub that runs shows is what Prometheus wants and docs/metrics.md says, and names nobody: however many tenants,
// clients, bots and conversations come, and whatever is asked for, the number of series stays.
func TestMetricsNameNobody(t *testing.T) {
	hub := startProcess(t, nil, "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8", "--callback-http")
	admin, err := login(t.Context(), hub.url)
	if err != nil {
		t.Fatal(err)
	}
	f := &traffic{t: t, url: hub.url, admin: admin, log: newCallbackLog(t), refuses: "http://127.0.0.1:1"}
	f.come(0)
	f.wander(28) // each way to each place
	text, families := scrape(t, hub.url)

	if out, err := promtool(t, text, "check", "metrics"); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	rows := documentedMetrics(t)
	for name, f := range families {
		row, known := rows[name]
		if !strings.HasPrefix(name, "parley_") {
			continue
		}
		if !known {
			t.Errorf("docs/metrics.md does not know %s", name)
			continue
		}
		if kind := strings.ToLower(f.GetType().String()); kind != row.kind {
			t.Errorf("%s is a %s, docs/metrics.md says %s", name, kind, row.kind)
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
			}
			slices.Sort(labels)
			if !slices.Equal(labels, row.labels) {
				t.Errorf("%s has labels %v, docs/metrics.md says %v", name, labels, row.labels)
			}
		}
	}
	for name, row := range rows {
		if families[name] == nil && len(row.labels) == 0 {
			t.Errorf("%s is not shown", name)
		}
	}
	for _, name := range []string{"parley_messages_accepted_total", "parley_messages_refused_total", "parley_conversations_open", "parley_turns_total", "parley_bot_turns_total", "parley_store_errors_total", "parley_redis_errors_total",
		"parley_sessions_closed_total", "parley_deliveries_total", "parley_receivers", "parley_part_up", "parley_build_info", "parley_http_request_seconds"} {
		if families[name] == nil {
			t.Errorf("%s is not shown", name)
		}
	}

	const more = 12
	for n := 1; n <= more; n++ {
		f.come(n)
	}
	f.wander(500)
	_, after := scrape(t, hub.url)
	was, is := seriesOf(families), seriesOf(after)
	grown := slices.DeleteFunc(slices.Clone(is), func(s string) bool { return slices.Contains(was, s) })
	if len(grown) >= more { // a few ways to end may not have been seen before; a name would have come with each stranger
		t.Errorf("%d series came with %d strangers: %s", len(grown), more, strings.Join(grown, "\n"))
	}
	for _, s := range grown {
		if strings.Contains(s, `"unmatched"`) {
			t.Errorf("%s came with addresses that nobody knows", s)
		}
	}
	total := 0
	for name, f := range after {
		if n := len(f.GetMetric()); n > 100 {
			t.Errorf("%s has %d series", name, n)
		}
		total += len(f.GetMetric())
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if strings.HasPrefix(name, "parley_") && l.GetName() != "route" && namesSomebody(l) {
					t.Errorf("%s has the label %s=%q", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
	if total > 600 {
		t.Errorf("%d series in all", total)
	}
}

// id is what identifies something: nothing but digits, a long run of hexadecimal ones, or our test's own names.
var id = regexp.MustCompile(`^[0-9]+$|[0-9a-f-]{16,}|stranger|[/:@?]`)

func namesSomebody(l *dto.LabelPair) bool {
	switch l.GetName() {
	case "status":
		return len(l.GetValue()) > 3 && id.MatchString(l.GetValue()) // an HTTP status
	case "version":
		return strings.ContainsAny(l.GetValue(), "/:@")
	}
	return id.MatchString(l.GetValue())
}

// A node that lost a part says so to who scrapes it.
func TestLostPartsAreShown(t *testing.T) {
	n, url := inProcess(t, nil)
	check := func(when string, want ...string) {
		t.Helper()
		text, _ := scrape(t, url)
		for _, line := range want {
			if !strings.Contains(text, "\n"+line) {
				t.Errorf("%s: want %s in\n%s", when, line, text)
			}
		}
	}
	check("all well", "parley_ready 1\n", `parley_part_up{part="database"} 1`, `parley_part_up{part="redis"} 1`, "parley_database_bytes ", "parley_clock_ahead_seconds 0\n",
		fmt.Sprintf("parley_build_info{database=%q,redis=%q,version=%q} 1\n", "sqlite", n.live.Kind, version()))
	n.ready.Store(false)
	check("while stopping", "parley_ready 0\n")
	n.ready.Store(true)
	n.live.Close()
	check("without live state", "parley_ready 1\n", `parley_part_up{part="database"} 1`, `parley_part_up{part="redis"} 0`)
	n.store.Close()
	check("without the record", "parley_ready 0\n", `parley_part_up{part="database"} 0`)
	n.closers = nil // closed above

	v := newVitals(n) // which has not measured yet
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if bytes, ok := v.databaseBytes(ctx); ok {
		t.Errorf("a database that does not answer has %v bytes", bytes)
	}
}
