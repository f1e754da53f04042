package configs_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"parley"
)

// promtool runs Prometheus' own tool; a failure fails the test with what it said.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program := os.Getenv("PARLEY_TEST_PROMTOOL")
	if program == "" {
		t.Skip("set PARLEY_TEST_PROMTOOL to the path of promtool (scripts/services does)")
	}
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alert }
	}
	readYAML(t, "prometheus/alerts.yml", &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no alerts")
	}
	return all
}

// Prometheus takes the rules, and they fire when they should and not when they should not.
func TestAlertsFire(t *testing.T) {
	promtool(t, "check", "config", "prometheus.yml") // and with it the rules it names
	promtool(t, "test", "rules", "prometheus/alerts_test.yml")
}

// The configuration names the rules, and the deployment has them where it names them.
func TestAlertsAreDeployed(t *testing.T) {
	var prometheus struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	readYAML(t, "prometheus.yml", &prometheus)
	var compose struct {
		Services map[string]struct{ Volumes []string }
	}
	readYAML(t, "compose.yaml", &compose)
	if !slices.Equal(prometheus.RuleFiles, []string{"prometheus/alerts.yml"}) {
		t.Errorf("prometheus.yml names the rules %v", prometheus.RuleFiles)
	}
	for _, file := range prometheus.RuleFiles {
		if mount := "./" + file + ":/etc/prometheus/" + file + ":ro"; !slices.Contains(compose.Services["prometheus"].Volumes, mount) {
			t.Errorf("compose.yaml does not mount %s", mount)
		}
	}
}

// Each alert has one case in which it fires and one that looks alike in which it does not.
func TestEachAlertIsTried(t *testing.T) {
	var file struct {
		Tests []struct {
			Cases []struct {
				Alertname string
				Expected  []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, "prometheus/alerts_test.yml", &file)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			if len(c.Expected) > 0 {
				fires[c.Alertname] = true
			} else {
				silent[c.Alertname] = true
			}
		}
	}
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("%s: tried where it fires: %v, where it does not: %v", a.Alert, fires[a.Alert], silent[a.Alert])
		}
	}
}

// Each alert says how bad it is and what to do, and the runbooks have nothing else.
func TestEachAlertHasItsRunbook(t *testing.T) {
	text, err := os.ReadFile("../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split("\n"+string(text), "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		sections[name] = body
	}
	for _, a := range alerts(t) {
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s has the severity %q", a.Alert, a.Labels["severity"])
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s does not say what happens", a.Alert)
		}
		if want := "docs/runbooks.md#" + strings.ToLower(a.Alert); a.Annotations["runbook"] != want {
			t.Errorf("%s has the runbook %q, want %s", a.Alert, a.Annotations["runbook"], want)
		}
		if !strings.Contains(sections[a.Alert], "\n- ") {
			t.Errorf("docs/runbooks.md does not say what to do about %s", a.Alert)
		}
		delete(sections, a.Alert)
	}
	for name := range sections {
		t.Errorf("docs/runbooks.md has a section %s, which is no alert", name)
	}
	for _, m := range regexp.MustCompile(`\]\(#([a-z]+)\)`).FindAllStringSubmatch(string(text), -1) {
		if !slices.ContainsFunc(alerts(t), func(a alert) bool { return strings.ToLower(a.Alert) == m[1] }) {
			t.Errorf("docs/runbooks.md refers to %s, which it does not have", m[1])
		}
	}
}

// Alerts ask for metrics that there are: one that asks for what nobody counts never fires.
func TestAlertsAskForWhatIsCounted(t *testing.T) {
	known := documentedMetrics(t)
	for _, a := range alerts(t) {
		for _, problem := range unknown(a.Expr, known) {
			t.Errorf("%s asks for %s, which docs/metrics.md does not know", a.Alert, problem)
		}
		if want := `kind="` + parley.Internal.String() + `"`; a.Alert == "ParleyPostsFail" && !strings.Contains(a.Expr, want) {
			t.Errorf("%s does not ask for %s, which is how a fault of ours is counted", a.Alert, want)
		}
	}
	text, err := os.ReadFile("../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range asked(string(text)) {
		if known[name] == nil {
			t.Errorf("docs/runbooks.md names %s, which docs/metrics.md does not know", name)
		}
	}
}

var metricName = regexp.MustCompile(`\bparley_[a-z_]+`)

// documentedMetrics are those of docs/metrics.md with their labels, which a test of cmd/parley holds to what a hub shows.
func documentedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(parley_[a-z_]+)` \\| \\w+ \\| ([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		known[m[1]] = append([]string{"job", "instance", "le"}, strings.Split(strings.TrimSpace(m[2]), ", ")...)
	}
	return known
}

// asked are the metrics that a query asks for, histograms by their names.
func asked(query string) (names []string) {
	for _, name := range metricName.FindAllString(query, -1) {
		names = append(names, histogram(name))
	}
	return names
}

func histogram(name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

var selection = regexp.MustCompile(`\b(parley_[a-z_]+)\{([^}]*)\}`)

// unknown are the metrics, and their labels, that a query asks for although they are not documented.
func unknown(query string, known map[string][]string) (problems []string) {
	for _, name := range asked(query) {
		if known[name] == nil {
			problems = append(problems, name)
		}
	}
	for _, m := range selection.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(m[2], ",") {
			label = regexp.MustCompile(`^[a-z_]+`).FindString(label)
			if !slices.Contains(known[histogram(m[1])], label) {
				problems = append(problems, m[1]+"{"+label+"}")
			}
		}
	}
	return problems
}
