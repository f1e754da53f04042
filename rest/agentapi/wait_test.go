package agentapi_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/rest"
	"parley/rest/agentapi"
)

// A patientHub notes how long is waited for turns.
type patientHub struct {
	agentapi.Hub
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
	id := s.must("POST", "/conversations", `{"conversationUserId":"`+s.user+`"}`, 201)["id"].(string)
	h := &patientHub{Hub: s.hub}
	router := rest.NewRouter()
	agentapi.New(agentapi.Deps{Store: s.store, Hub: h, Keys: s.admin, Channels: s.bots, Clock: s.clock}).Register(router)
	r, w := httptest.NewRequest("POST", agentapi.Prefix+"/conversations/"+id+"/messages", strings.NewReader(`{"message":"hello"}`)), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Agent-Secret-Key", s.key)
	router.ServeHTTP(w, r)
	if w.Code != 201 || h.waits < 3*parley.MaxBotDeadline {
		t.Errorf("answered %d %s, after waiting at most %v, which is too little for three bots", w.Code, w.Body, h.waits)
	}
}
