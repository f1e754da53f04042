package configs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A dashboard is a file of Grafana, as far as it can go wrong.
type dashboard struct {
	UID, Title string
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct{ Unit string }
	}
	Targets []struct {
		Datasource         source
		Expr, LegendFormat string
	}
}

type source struct{ Type, UID string }

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no dashboards", err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = d
	}
	return all
}

// Whoever looks at a panel learns what it shows and in which unit, and may choose the data source.
func TestDashboardsSayWhatTheyShow(t *testing.T) {
	chosen := source{"prometheus", "${datasource}"}
	seen := map[string]string{}
	for file, d := range dashboards(t) {
		if other := seen[d.UID]; d.UID == "" || d.Title == "" || other != "" {
			t.Errorf("%s has the uid %q and the title %q; the uid is that of %q, too", file, d.UID, d.Title, other)
		}
		seen[d.UID] = file
		if v := d.Templating.List; len(v) != 1 || v[0].Name != "datasource" || v[0].Type != "datasource" || v[0].Query != "prometheus" {
			t.Errorf("%s has the variables %+v, want the data source", file, v)
		}
		ids := map[int]bool{}
		for i, p := range d.Panels {
			what := fmt.Sprintf("%s: panel %q", file, p.Title)
			if ids[p.ID] {
				t.Errorf("%s has the id of another", what)
			}
			ids[p.ID] = true
			if g := p.GridPos; g.W < 1 || g.H < 1 || g.X+g.W > 24 {
				t.Errorf("%s is placed at %+v", what, g)
			}
			for _, q := range d.Panels[:i] {
				a, b := p.GridPos, q.GridPos
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Errorf("%s covers %q", what, q.Title)
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
				t.Errorf("%s: description %q, unit %q, %d queries", what, p.Description, p.FieldConfig.Defaults.Unit, len(p.Targets))
			}
			if p.Datasource != chosen {
				t.Errorf("%s asks %+v", what, p.Datasource)
			}
			for _, q := range p.Targets {
				if q.Datasource != chosen || q.LegendFormat == "" {
					t.Errorf("%s: a query asks %+v and is called %q", what, q.Datasource, q.LegendFormat)
				}
			}
		}
	}
}

// Prometheus can read every query, each asks for metrics that there are, and each metric is shown somewhere.
func TestDashboardsAskForWhatIsCounted(t *testing.T) {
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	known, shown := documentedMetrics(t), map[string]bool{}
	for file, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				rules = append(rules, rule{fmt.Sprintf("panel:%d", len(rules)), strings.ReplaceAll(q.Expr, "$__rate_interval", "1m")})
				for _, name := range asked(q.Expr) {
					shown[name] = true
				}
				for _, problem := range unknown(q.Expr, known) {
					t.Errorf("%s: %q asks for %s, which docs/metrics.md does not know", file, p.Title, problem)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !shown[name] {
			t.Errorf("no dashboard shows %s", name)
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboards", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}
