package analytics_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/directory"
	"parley/history"
	"parley/insight/figures"
	"parley/rest"
	"parley/rest/analytics"
	"parley/rest/resttest"
	"parley/store"
	"parley/store/storetest"
	"parley/tokens"
)

// A stage is the surface on a real store with a past that was counted, over real HTTP.
type stage struct {
	*resttest.Caller
	t              testing.TB
	store          *store.Store
	administration *directory.Administration
	bots           *directory.Bots
	counter        *figures.Counter
	clock          time.Time
	vars           map[string]string
}

// deaf hears of no change.
type deaf struct{ directory.Hub }

func (deaf) ConfigChanged(context.Context, parley.TenantID) {}

func newStage(t testing.TB, perMinute int) *stage {
	t.Helper()
	s := &stage{t: t, store: storetest.Open(t), clock: time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return s.clock }
	issuer := tokens.New(tokens.Config{Issuer: "https://hub.example"}, s.store)
	s.administration = directory.NewAdministration(directory.Config{}, s.store, issuer.Forget)
	s.bots = directory.NewBots(directory.Config{}, s.store, deaf{})
	s.counter = figures.NewCounter(figures.Config{Record: s.store, Logger: slog.New(slog.DiscardHandler), Clock: now})
	router := rest.NewRouter()
	analytics.New(analytics.Deps{Record: s.store, Keys: s.administration, PerMinute: perMinute, Clock: now,
		Subscriptions: directory.NewSubscriptions(directory.Config{Now: now}, s.store)}).Register(router)
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	t.Cleanup(server.Close)
	s.Caller = resttest.NewCaller(t, server.URL, "", analytics.Document)
	s.Refuses(func(_ int, body []byte) (string, bool) {
		var p struct {
			Code    *int
			Message string
			Details []any
		}
		err := json.Unmarshal(body, &p)
		return fmt.Sprint(p.Code), err == nil && p.Code != nil && p.Message != "" && p.Details != nil
	})
	s.vars = map[string]string{"$nobody": "01999999-9999-7999-8999-999999999999", "$team": parley.DefaultTenant.String()}
	everywhere := directory.Administrator(parley.DefaultTenant)
	organisation, err := s.administration.CreateOrganisation(t.Context(), everywhere, "Other")
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.administration.CreateEnvironment(t.Context(), everywhere, parley.Tenant{Organisation: organisation, Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	s.vars["$otherTeam"] = other.ID.String()
	s.vars["$bot"], s.vars["$idle"], s.vars["$otherBot"] = s.bot("rex", parley.DefaultTenant), s.bot("idle", parley.DefaultTenant), s.bot("max", other.ID)
	s.vars["$basic"], s.vars["$all"] = s.token(parley.DefaultTenant)
	_, s.vars["$other"] = s.token(other.ID)
	return s
}

func (s *stage) bot(name string, tenant parley.TenantID) string {
	s.t.Helper()
	id, _, err := s.bots.Create(s.t.Context(), tenant, directory.Bot{Name: name, Active: true, Settings: parley.BotSettings{Connector: parley.ConnectorWebhook}})
	if err != nil {
		s.t.Fatal(err)
	}
	return id.ID.String()
}

// token makes one; it is Basic credentials, and id and secret joined by a colon.
func (s *stage) token(tenant parley.TenantID) (basic, joined string) {
	s.t.Helper()
	k, secret, err := s.administration.CreateKey(s.t.Context(), directory.Administrator(parley.DefaultTenant), parley.APIClient{Kind: parley.KeyFigures, Tenant: tenant})
	if err != nil {
		s.t.Fatal(err)
	}
	joined = k.PublicID + ":" + secret
	return base64.StdEncoding.EncodeToString([]byte(joined)), joined
}

// happened takes in what took place, a conversation a line, and counts it.
func (s *stage) happened(lines string) {
	s.t.Helper()
	for name, value := range s.vars {
		lines = strings.ReplaceAll(lines, `"`+name+`"`, `"`+value+`"`)
	}
	importer := history.Importer{Record: s.store, Clock: func() time.Time { return s.clock }}
	result, err := importer.Import(s.t.Context(), parley.DefaultTenant, history.Options{}, strings.NewReader(lines))
	if err != nil || result.Refused > 0 {
		s.t.Fatalf("Import = %+v, %v", result, err)
	}
	for more := true; more; {
		if more, err = s.counter.Round(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// The dialogues of testdata, each with what happened before it.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	past, err := os.ReadFile("testdata/past.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newStage(t, 0)
			s.happened(string(past))
			s.Play(string(text), s.vars)
		})
	}
}
