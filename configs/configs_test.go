package configs_test

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

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
	unwanted := map[string]bool{"help": true, "config": true, "demo": true, "show-secrets": true} // not for a file that people copy
	for _, f := range p.Model.Flags {
		if !unwanted[f.Name] && !strings.Contains(string(text), f.Name+":") {
			t.Errorf("the example file does not name %s", f.Name)
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

func TestValidateTellsEverythingAtOnce(t *testing.T) {
	c := configs.Serve{Listen: "nowhere", Roles: []string{"api", "cook"}, PublicURL: "hub.example", BootstrapClient: "planted:short",
		CallbackAllow: []string{"10.0.0.0/99"}, Issuer: "https://x", Pprof: "0.0.0.0:6060", Grace: -time.Second}
	c.Database = "mysql://u:planted@h/d"
	err := c.Validate()
	if err == nil {
		t.Fatal("Validate found nothing")
	}
	for _, name := range []string{"--listen", "--roles", "--public-url", "--bootstrap-client", "--callback-allow", "--issuer", "--pprof", "--grace", "--database"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("Validate does not name %s: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "planted") {
		t.Errorf("Validate repeats a secret: %v", err)
	}
}
