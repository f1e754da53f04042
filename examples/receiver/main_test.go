package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const callback = `{"messages":{"message":[{"id":"1","messageId":"m","type":{"value":"text"},"content":{"text":"Hello \u001b[31m"},
	"conversation":{"id":"c1"},"sender":{"type":"customer","participant":{"name":"Ann"}}}]}}`

func TestReceiverPrintsEachMessageOnce(t *testing.T) {
	var out strings.Builder
	handler := receiver("parley", "pw", &out)
	for _, step := range []struct {
		name, password, body string
		want                 int
	}{
		{"wrong password", "guess", callback, http.StatusUnauthorized},
		{"not JSON", "pw", "{", http.StatusBadRequest},
		{"message", "pw", callback, http.StatusOK},
		{"the same message again", "pw", callback, http.StatusOK},
	} {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(step.body))
		req.SetBasicAuth("parley", step.password)
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		if res.Code != step.want {
			t.Errorf("%s: status %d, want %d", step.name, res.Code, step.want)
		}
	}
	if got, want := out.String(), `c1 text customer "Ann": "Hello \x1b[31m"`+"\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
