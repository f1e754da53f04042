package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/configs"
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

// The demo's bot gives every type of answer, as docs/bots.md says; here to a program of the broker API.
func TestDemoShowsEveryAnswer(t *testing.T) {
	hub := startProcess(t, nil, "--demo", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap)
	ctx := t.Context()
	admin, err := login(ctx, hub.url)
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Bot []struct{ ID string } }
	var key struct{ Key string }
	err = errors.Join(admin.call(ctx, http.MethodGet, "/admin/v1/bots", nil, http.StatusOK, &made), admin.call(ctx, http.MethodPost, "/admin/v1/keys", object{"kind": "broker", "name": "test"}, http.StatusCreated, &key))
	if err != nil || len(made.Bot) != 1 {
		t.Fatalf("the demo has the bots %+v, %v", made, err)
	}
	channel := &caller{base: hub.url, headers: map[string]string{"API-KEY": key.Key, "CHANNEL": "default", "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US"}}
	path := fmt.Sprintf("/org/%s/env/%s/bot/%s/conversations", parley.DefaultOrganisation, parley.DefaultTenant, made.Bot[0].ID)
	got := map[string]string{}
	for _, said := range []object{{"code": parley.WelcomeCode}, {"text": "goodbye"}, {"text": "I want to buy shoes"}, {"text": "show me a map"}, {"text": "let me hear your jingle"},
		{"text": "where is my parcel AB123456", "context": object{"tier": "gold"}}, {"code": "PARCEL_SENT", "context": object{"parcel": "AB123456"}}} {
		var turn struct{ Answers []object }
		if err := channel.call(ctx, http.MethodPost, path, said, http.StatusOK, &turn); err != nil {
			t.Fatal(err)
		}
		for _, a := range turn.Answers {
			kind := a["type"].(string)
			got[kind] = fmt.Sprint(a["content"], " ", a["technicalText"], " ", a["description"], " ", len(a["buttons"].([]any)), " ", len(a["quickReply"].([]any)))
			if cards, ok := a["content"].([]any); ok {
				got[kind] = fmt.Sprint(cards[0].(object)["title"], " ", len(cards), " ", a["description"])
			}
		}
	}
	want := map[string]string{
		parley.AnswerText: "Your parcel AB123456 has left our house. <nil>  0 0", parley.AnswerOptions: "Parcel AB123456 is on its way. <nil>  2 0", parley.AnswerCarousel: "Shoes 2 Our products",
		parley.AnswerVideo: hub.url + demoMedia + "shoes.webm <nil> How they are made 0 0", parley.AnswerImage: hub.url + demoMedia + "map.png <nil> A map: Main Street 1 0 0",
		parley.AnswerAudio: hub.url + demoMedia + "jingle.wav <nil> Our jingle: four notes 0 0", parley.AnswerDocument: "https://shop.example/receipts/AB123456.pdf <nil> Your receipt 0 0",
		parley.AnswerCustom: " map[number:AB123456 sent:true type:parcel]  0 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the demo answers (-want +got)\n%s", diff)
	}
	for _, kind := range parley.AnswerTypes() {
		if got[kind] == "" {
			t.Errorf("no answer of the demo is %s", kind)
		}
	}
}
