package broker_test

import (
	"context"
	"io"
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

// A slowStore counts how many read at the same time, and lets them go on one by one.
type slowStore struct {
	broker.Store
	gate chan struct{} // closed = all go on

	mu           sync.Mutex
	inside, most int
	full         chan struct{} // closed when as many read as the door lets in
}

func (s *slowStore) View(ctx context.Context, fn func(parley.Tx) error) error {
	s.mu.Lock()
	if s.inside++; s.most < s.inside {
		if s.most = s.inside; s.most == broker.DoorWidth {
			close(s.full)
		}
	}
	s.mu.Unlock()
	<-s.gate
	s.mu.Lock()
	s.inside--
	s.mu.Unlock()
	return s.Store.View(ctx, fn)
}

// A crowd are callers that come together: of one key no more than 20 may.
const crowd, ofOneKey = 160, 20

// asker makes calls of turns to a surface with other parts in it.
func (s *stage) asker(t *testing.T, store broker.Store, h broker.Hub) func(key string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	router := rest.NewRouter()
	broker.New(broker.Deps{Store: store, Hub: h, Keys: s.admin, Authority: s.tokens, Clock: s.clock}).Register(router)
	handler := rest.Handler(rest.Config{}, router)
	return func(key string, body io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", s.turns(), body)
		r.Header.Set("Content-Type", "application/json")
		for headers := s.headers("Api-Key", key); len(headers) > 0; headers = headers[2:] {
			r.Header.Set(headers[0], headers[1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
}

// come lets a crowd say something at the same time, and wants all of it answered.
func (s *stage) come(t *testing.T, ask func(key string, body io.Reader) *httptest.ResponseRecorder) *sync.WaitGroup {
	t.Helper()
	turns := &sync.WaitGroup{}
	for i, key := range s.keysFor(crowd) {
		turns.Go(func() {
			said := "turn " + strconv.Itoa(i)
			if w := ask(key, strings.NewReader(`{"text":"`+said+`"}`)); w.Code != 200 || !strings.Contains(w.Body.String(), said) {
				t.Errorf("turn %d = %d %s", i, w.Code, w.Body)
			}
		})
	}
	return turns
}

// Turns that come together are posted a few at a time, and all are answered.
func TestTurnsAreLetInAFewAtATime(t *testing.T) {
	s := newStage(t)
	h := &slowHub{Hub: s.hub, enough: broker.DoorWidth, open: make(chan struct{})}
	s.come(t, s.asker(t, s.store, h)).Wait()
	if h.most != broker.DoorWidth {
		t.Errorf("%d posted at the same time, want %d", h.most, broker.DoorWidth)
	}
}

// Whose turns they are is read a few at a time, too; none is posted before that.
func TestTurnsAreReadAFewAtATime(t *testing.T) {
	s := newStage(t)
	store := &slowStore{Store: s.store, gate: make(chan struct{}), full: make(chan struct{})}
	h := &slowHub{Hub: s.hub, enough: broker.DoorWidth, open: make(chan struct{})}
	turns := s.come(t, s.asker(t, store, h))
	<-store.full
	for range broker.DoorWidth { // whoever is not kept outside comes in while these leave; each turn is read about twice, so that too few post yet to be answered
		store.gate <- struct{}{}
	}
	store.mu.Lock()
	most := store.most
	store.mu.Unlock()
	close(store.gate)
	turns.Wait()
	if most != broker.DoorWidth {
		t.Errorf("of %d turns it was read at the same time whose they are, want %d", most, broker.DoorWidth)
	}
}

// Whoever sends a body slowly is not in anybody's way: the doors are not for callers.
func TestSlowBodiesHoldNoDoor(t *testing.T) {
	s := newStage(t)
	ask := s.asker(t, s.store, s.hub)
	var slow sync.WaitGroup
	var senders []*io.PipeWriter
	for _, key := range s.keysFor(2 * broker.DoorWidth) {
		body, sender := io.Pipe()
		senders = append(senders, sender)
		slow.Go(func() {
			if w := ask(key, body); w.Code != 200 {
				t.Errorf("a slow turn = %d %s", w.Code, w.Body)
			}
		})
		if _, err := sender.Write([]byte(`{"text":`)); err != nil { // taken by one who reads bodies
			t.Fatal(err)
		}
	}
	if w := ask(s.newKey(parley.DefaultTenant), strings.NewReader(`{"text":"hello"}`)); w.Code != 200 {
		t.Errorf("a turn among slow ones = %d %s", w.Code, w.Body)
	}
	for _, sender := range senders {
		if _, err := sender.Write([]byte(`"turn, slowly"}`)); err != nil {
			t.Fatal(err)
		}
		sender.Close()
	}
	slow.Wait()
}
