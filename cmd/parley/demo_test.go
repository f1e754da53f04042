package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"parley"
	"parley/configs"
	exampleflows "parley/examples/flows"
)

// medium finds the media of a flow.
var medium = regexp.MustCompile(`(?m)(?:^ *url|imageUrl): (http\S+)$`)

// What the demo's bot shows comes from the hub, wherever that is; without the demo it is not there.
func TestDemoMediaLoad(t *testing.T) {
	n, url := inProcess(t, func(c *configs.Serve) { c.Demo = true })
	if _, err := n.makeDemoBot(t.Context(), "http://earlier.example"); err != nil {
		t.Fatal(err)
	}
	bot, err := n.makeDemoBot(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	live, err := n.bots.FlowVersion(t.Context(), parley.DefaultTenant, bot.ID, parley.LiveFlow)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, found := range medium.FindAllStringSubmatch(string(live.Source), -1) {
		res, err := http.Get(found[1])
		if err != nil {
			t.Errorf("%s: %v", found[1], err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), "/")
		if seen[kind] = true; err != nil || res.StatusCode != http.StatusOK || len(body) < 500 || !strings.HasPrefix(found[1], url+"/") {
			t.Errorf("%s is %d, %d bytes, %v", found[1], res.StatusCode, len(body), err)
		}
	}
	if len(seen) != 3 || !seen["image"] || !seen["video"] || !seen["audio"] {
		t.Errorf("the flow shows %v", seen)
	}
	if number := live.Number; number != 2 {
		t.Errorf("the live flow is version %d, want the second", number)
	}
	if _, err := n.makeDemoBot(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if again, err := n.bots.FlowVersion(t.Context(), parley.DefaultTenant, bot.ID, parley.NewestFlow); err != nil || again.Number != live.Number {
		t.Errorf("started again it saves version %d, %v", again.Number, err)
	}
	_, url = inProcess(t, nil)
	for _, path := range []string{demoMedia, demoMedia + "map.png"} {
		if res, err := http.Get(url + path); err != nil || res.StatusCode != http.StatusNotFound {
			t.Errorf("without the demo %s is %v, %v", path, res, err)
		}
	}
}

// The demo shows every type of answer, as docs/bots.md says.
func TestDemoShowsEveryAnswer(t *testing.T) {
	for _, kind := range parley.AnswerTypes() {
		if kind == parley.AnswerText || kind == parley.AnswerOptions { // what has a text, with buttons or without
			continue
		}
		if !strings.Contains(string(exampleflows.Demo), "- type: "+kind+"\n") {
			t.Errorf("no answer of the demo's flow is %s", kind)
		}
	}
}
