package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const callback = `{"messages":{"message":[{"id":"1","messageId":"m","type":{"value":"text"},"content":{"text":"Hello \u001b[31m"},
	"conversation":{"id":"c1"},"sender":{"type":"customer","participant":{"name":"Ann"}}}]}}`

func TestReceiverPrintsEachDeliveryOnce(t *testing.T) {
	hook, err := standardwebhooks.NewWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	handler := &receiver{hook: hook, username: "parley", password: "pw", out: &out, seen: map[string]bool{}}
	now := time.Now()
	for _, step := range []struct {
		name, password, id, signed, body string
		at                               time.Time
		want                             int
		dropped                          bool
	}{
		{"wrong password", "guess", "d1", callback, callback, now, http.StatusUnauthorized, false},
		{"signature of something else", "pw", "d1", "other", callback, now, http.StatusUnauthorized, false},
		{"an old one", "pw", "d1", callback, callback, now.Add(-time.Hour), http.StatusUnauthorized, false},
		{"not JSON", "pw", "d1", "{", "{", now, http.StatusBadRequest, false},
		{"a delivery", "pw", "d1", callback, callback, now, http.StatusOK, false},
		{"the same again", "pw", "d1", callback, callback, now, http.StatusOK, true},
	} {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(step.body))
		req.SetBasicAuth("parley", step.password)
		signature, err := hook.Sign(step.id, step.at, []byte(step.signed))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Webhook-Id", step.id)
		req.Header.Set("Webhook-Timestamp", strconv.FormatInt(step.at.Unix(), 10))
		req.Header.Set("Webhook-Signature", signature)
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		if dropped := res.Header().Get("Parley-Repeat") == "dropped"; res.Code != step.want || dropped != step.dropped {
			t.Errorf("%s: status %d, dropped %v; want %d, %v", step.name, res.Code, dropped, step.want, step.dropped)
		}
	}
	if got, want := out.String(), `c1 text customer "Ann": "Hello \x1b[31m"`+"\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// What it remembers does not grow for ever.
func TestReceiverForgetsTheOldest(t *testing.T) {
	c := &receiver{seen: map[string]bool{}}
	for n := range remembered + 1 {
		c.take(strconv.Itoa(n), nil)
	}
	if len(c.seen) != remembered || c.seen["0"] || !c.seen["1"] {
		t.Errorf("it remembers %d", len(c.seen))
	}
}
