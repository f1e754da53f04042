package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/rest"
	"parley/rest/broker"
)

// A failingStore fails one of its calls; they are counted from 1.
type failingStore struct {
	broker.Store
	at, calls int
}

func (s *failingStore) fails() error {
	if s.calls++; s.calls == s.at {
		return errors.New("planted")
	}
	return nil
}

func (s *failingStore) View(ctx context.Context, fn func(parley.Tx) error) error {
	if err := s.fails(); err != nil {
		return err
	}
	return s.Store.View(ctx, fn)
}

func (s *failingStore) Update(ctx context.Context, fn func(parley.Tx) error) error {
	if err := s.fails(); err != nil {
		return err
	}
	return s.Store.Update(ctx, fn)
}

// Whatever of a turn fails for reasons of our own, the answer has the code of the session: clients take it from there, or begin anew.
func TestSessionOutlivesOurFailures(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	failed := 0
	for at := 1; ; at++ {
		store := &failingStore{Store: s.store, at: at}
		router := rest.NewRouter()
		broker.New(broker.Deps{Store: store, Hub: s.hub, Keys: s.admin, Authority: s.tokens, Clock: s.clock}).Register(router)
		r, w := httptest.NewRequest("POST", s.turns()+"/"+session, strings.NewReader(`{"text":"again"}`)), httptest.NewRecorder()
		for h := s.headers("Business-Key", fmt.Sprint("key-", at), "X-Request-Id", fmt.Sprint("r-", at)); len(h) > 0; h = h[2:] {
			r.Header.Set(h[0], h[1])
		}
		var log bytes.Buffer
		rest.Handler(rest.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, router).ServeHTTP(w, r)
		if w.Code == 200 && store.calls < at {
			break
		}
		if failed++; w.Code != 500 || !strings.Contains(w.Body.String(), `"sessionCode":"`+session+`"`) || strings.Contains(w.Body.String(), "planted") {
			t.Errorf("with call %d failing answered %d %s", at, w.Code, w.Body)
		}
		if !strings.Contains(log.String(), "planted") {
			t.Errorf("with call %d failing the log has %s", at, &log)
		}
	}
	if failed < 5 {
		t.Errorf("only %d calls of the store failed", failed)
	}
}

// A patientHub notes how long is waited for turns.
type patientHub struct {
	broker.Hub
	waits time.Duration
}

func (h *patientHub) AwaitTurn(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, seq int64) (*parley.Turn, error) {
	h.waits = time.Hour
	if until, ok := ctx.Deadline(); ok {
		h.waits = time.Until(until)
	}
	return h.Hub.AwaitTurn(ctx, tenant, id, seq)
}

// A turn may go from one bot to the next, and each has its own time: who asked waits for them all.
func TestTurnsOfSeveralBotsAreWaitedFor(t *testing.T) {
	s := newStage(t)
	h := &patientHub{Hub: s.hub}
	ask := s.asker(t, s.store, h)
	if w := ask(s.key, strings.NewReader(`{"text":"hello"}`)); w.Code != 200 || h.waits < 3*parley.MaxBotDeadline {
		t.Errorf("answered %d, after waiting at most %v, which is too little for three bots", w.Code, h.waits)
	}
}
