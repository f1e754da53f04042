package configs_test

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"parley/configs"
)

// The example file loads, says what the defaults are, and has every setting.
func TestExampleFile(t *testing.T) {
	text, err := os.ReadFile("parley.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parse := func(yaml string, args ...string) (c configs.Serve, err error) {
		r, err := configs.YAML(strings.NewReader(yaml))
		if err != nil {
			return c, err
		}
		p, err := kong.New(&c, kong.Resolvers(r), kong.Exit(func(int) {}))
		if err != nil {
			return c, err
		}
		_, err = p.Parse(args)
		return c, err
	}
	byFile, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	byDefault, err := parse("")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(byFile, byDefault) {
		t.Errorf("the example file is\n%+v, the defaults are\n%+v", byFile, byDefault)
	}
	var c configs.Serve
	p, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Model.Flags {
		if f.Name == "help" {
			continue
		}
		if f.Name != "config" && !strings.Contains(string(text), f.Name+":") {
			t.Errorf("the example file does not name %s", f.Name)
		}
		if want := variable(f.Name); !slices.Equal(f.Envs, []string{want}) {
			t.Errorf("--%s is %v in the environment, want %s", f.Name, f.Envs, want)
		}
	}
	if _, err := parse("liste: 127.0.0.1:1\n"); err == nil || !strings.Contains(err.Error(), "liste") {
		t.Errorf("a misspelt setting = %v, want an error that names it", err)
	}
	byFlag, err := parse("listen: 127.0.0.1:1\nroles: [ws]\n", "--listen", "127.0.0.1:2")
	if err != nil || byFlag.Listen != "127.0.0.1:2" || len(byFlag.Roles) != 1 {
		t.Errorf("file and flag = %+v, %v; want the flag to win and the list to be read", byFlag, err)
	}
}

// variable is what a flag is called in the environment.
func variable(flag string) string {
	return "PARLEY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// The example of a deployment sets what there is to set, and its two hubs take each other's tokens and sessions.
func TestComposeFile(t *testing.T) {
	text, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image, Command any
			Environment    map[string]string
			Volumes        []string
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var c configs.Serve
	p, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, f := range p.Model.Flags {
		known[variable(f.Name)] = true
	}
	for name, s := range file.Services {
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "PARLEY_") && !known[variable] {
				t.Errorf("%s sets %s, which is no setting", name, variable)
			}
		}
		for _, v := range s.Volumes {
			if path, _, _ := strings.Cut(v, ":"); strings.HasPrefix(path, "./") {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s mounts %s: %v", name, path, err)
				}
			}
		}
	}
	one, two := file.Services["hub-1"], file.Services["hub-2"]
	if one.Environment["PARLEY_PUBLIC_URL"] == "" || !maps.Equal(one.Environment, two.Environment) || !slices.Equal(one.Volumes, two.Volumes) {
		t.Errorf("the hubs are set up as %v and %v, want the same issuer, database, Redis and keys", one, two)
	}
	for _, service := range []string{"migrate", "postgres", "redis", "prometheus", "grafana"} {
		if file.Services[service].Image == nil {
			t.Errorf("there is no %s", service)
		}
	}
}

func TestValidateTellsEverythingAtOnce(t *testing.T) {
	c := configs.Serve{Listen: "nowhere", Roles: []string{"api", "cook"}, PublicURL: "hub.example", BootstrapClient: "planted:short",
		CallbackAllow: []string{"10.0.0.0/99"}, Issuer: "https://x", Pprof: "0.0.0.0:6060", Grace: -time.Second, SMTP: "planted@mail.example"}
	c.Database = "mysql://u:planted@h/d"
	c.CallbackProxy = "ftp://u:planted@proxy"
	err := c.Validate()
	if err == nil {
		t.Fatal("Validate found nothing")
	}
	for _, name := range []string{"--listen", "--roles", "--public-url", "--bootstrap-client", "--callback-allow", "--callback-proxy", "--issuer", "--pprof", "--grace", "--database", "--smtp", "--analytics-rate", "--retention-every"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("Validate does not name %s: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "planted") {
		t.Errorf("Validate repeats a secret: %v", err)
	}
	good := configs.Serve{Listen: ":1", PublicURL: "https://hub.example", SessionRate: 1, SessionBurst: 1, SessionInFlight: 1, SessionFrame: 1, AnalyticsRate: 1, RetentionEvery: 1, Grace: 1}
	if err := good.Validate(); err != nil {
		t.Errorf("good settings: %v", err)
	}
	for _, public := range []string{"https://hub.example/", "https://hub.example/chat", "https://u:planted@hub.example", "https://hub.example?x=1"} {
		good.PublicURL = public
		if err := good.Validate(); err == nil || !strings.Contains(err.Error(), "--public-url") || strings.Contains(err.Error(), "planted") {
			t.Errorf("--public-url %s: %v", public, err)
		}
	}
}
