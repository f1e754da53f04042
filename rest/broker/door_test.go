package broker_test

import (
	"context"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"parley"
	"parley/hub"
	"parley/rest"
	"parley/rest/broker"
)

// A slowHub counts how many post at the same time, and lets none go on until enough do.
type slowHub struct {
	broker.Hub
	enough int

	mu           sync.Mutex
	inside, most int
	open         chan struct{}
}

func (h *slowHub) Post(ctx context.Context, r hub.PostRequest) ([]hub.Posted, error) {
	h.mu.Lock()
	h.inside++
	if h.most = max(h.most, h.inside); h.most == h.enough {
		select {
		case <-h.open:
		default:
			close(h.open)
		}
	}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.inside--
		h.mu.Unlock()
	}()
	<-h.open
	return h.Hub.Post(ctx, r)
}

// Turns that come together are let in a few at a time, and all are answered.
func TestTurnsAreLetInAFewAtATime(t *testing.T) {
	s := newStage(t)
	const callers, each = 8, 20 // of one key no more may come together
	h := &slowHub{Hub: s.hub, enough: broker.DoorWidth, open: make(chan struct{})}
	router := rest.NewRouter()
	broker.New(broker.Deps{Store: s.store, Hub: h, Keys: s.admin, Authority: s.tokens, Clock: s.clock}).Register(router)
	handler := rest.Handler(rest.Config{}, router)
	var turns sync.WaitGroup
	for range callers {
		key := s.newKey(parley.DefaultTenant)
		for i := range each {
			turns.Go(func() {
				r := httptest.NewRequest("POST", s.turns(), strings.NewReader(`{"text":"turn `+strconv.Itoa(i)+`"}`))
				r.Header.Set("Content-Type", "application/json")
				for headers := s.headers("Api-Key", key); len(headers) > 0; headers = headers[2:] {
					r.Header.Set(headers[0], headers[1])
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != 200 || !strings.Contains(w.Body.String(), "turn "+strconv.Itoa(i)) {
					t.Errorf("turn %d = %d %s", i, w.Code, w.Body)
				}
			})
		}
	}
	turns.Wait()
	if h.most != broker.DoorWidth {
		t.Errorf("%d posted at the same time, want %d", h.most, broker.DoorWidth)
	}
}
