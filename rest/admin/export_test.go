package admin_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/directory"
)

// Visits and events go out line by line, and only in their own environment; where there is nothing, nothing goes out.
func TestExportsOfFigures(t *testing.T) {
	text, err := os.ReadFile("testdata/counted/exports.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	vars := s.vars()
	other, err := parley.ParseID[parley.Tenant](vars["$other"])
	if err != nil {
		t.Fatal(err)
	}
	rex, err := parley.ParseID[parley.ClientApplication](vars["$rex"])
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	if err := s.store.Update(t.Context(), func(tx parley.Tx) error {
		_, err := tx.TrackEvent(t.Context(), &parley.TrackedEvent{Tenant: other, Bot: rex, ID: "4711", Version: parley.VersionLive, Name: "order", User: "anna@example.org", Called: "call-1",
			Campaign: parley.Campaign{ID: "spring"}, Attributes: json.RawMessage(`{"amount":7.50}`), At: at, Received: at.Add(time.Second)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), "\n# Once it is counted:\n") {
		s.Play(part, vars)
		s.count()
	}
	empty, err := s.administration.CreateEnvironment(t.Context(), directory.Administrator(parley.DefaultTenant), parley.Tenant{Organisation: parley.DefaultOrganisation, Name: "empty"})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/export/conversations", "/export/visits", "/export/events"} {
		res, body := s.Do("GET", path+"?environmentId="+empty.ID.String(), "", "Authorization", "Bearer "+vars["$all"])
		if res.StatusCode != 200 || body != "" || res.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s of an empty environment answered %d %s %q, want 200 with no lines", path, res.StatusCode, res.Header.Get("Content-Type"), body)
		}
	}
}
