package ws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/hub"
	"parley/store/storetest"
	"parley/tokens"
	"parley/ws"
)

// resumeCases is how many drops the property is tried on, over all conversations.
const resumeCases = 10_000

// A restarting site is one whose hub and server are replaced by new ones over the same record, again and again, as a process
// that crashes is: sessions are cut, and what is in memory is gone.
type restarting struct {
	*site
	current atomic.Pointer[ws.Server]
	hub     atomic.Pointer[hub.Hub]
	http    *httptest.Server
	restart sync.Mutex
	stop    func()
}

func newRestarting(t *testing.T) *restarting {
	r := &restarting{site: newSite(t, nil)}
	r.start()
	r.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.current.Load().ServeHTTP(w, q) }))
	t.Cleanup(func() {
		r.stop()
		r.http.Close()
	})
	return r
}

// start begins another life of the node; the one before must have ended.
func (r *restarting) start() {
	quiet := slog.New(slog.DiscardHandler)
	h := hub.New(hub.Config{Store: r.store, Logger: quiet})
	server := ws.New(ws.Config{Rate: 1e6, Burst: 1e6, Hub: h, Tokens: r.site, Logger: quiet, Code: code})
	running, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(running)
	}()
	r.hub.Store(h)
	r.current.Store(server)
	r.stop = func() {
		cut, now := context.WithCancel(context.Background())
		now() // sessions get no goodbye that they could wait for
		server.Drain(cut)
		cancel()
		<-done
	}
}

func (r *restarting) again() {
	r.restart.Lock()
	defer r.restart.Unlock()
	stop := r.stop
	r.start()
	stop()
}

// Trials count what the property was tried on.
type trials struct {
	cases, pages atomic.Int64

	mu    sync.Mutex
	types map[parley.MessageType]int // what happened, once its conversation is over
}

func (a *trials) note(all []parley.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range all {
		a.types[all[i].Type]++
	}
}

// A viewer follows one conversation over drops, and remembers what it was shown.
type viewer struct {
	r    *restarting
	rand *rand.Rand
	name string // of the token
	id   parley.ConversationID
	last int64   // position
	seen []int64 // seqs, in the order in which they came
	sent int     // messages posted over its own sessions
	owed string  // messageId of the one that is posted again until it is acknowledged; "" = none

	asked page // the last page of history that it asked for
	pages []page
}

// A page is a page of history: what was asked for, and what came.
type page struct {
	after, before int64
	limit         int
	seqs          []int64
	more          bool
}

// of is what such a page holds of everything that a viewer may see.
func (p page) of(all []int64) page {
	var within []int64
	for _, seq := range all {
		if seq > p.after && seq < p.before {
			within = append(within, seq)
		}
	}
	p.more = len(within) > p.limit
	switch {
	case p.more && p.after == 0:
		within = within[len(within)-p.limit:] // the newest
	case p.more:
		within = within[:p.limit]
	}
	p.seqs = within
	return p
}

// session connects, goes on where the viewer was, reads some frames, and is cut: after so many, or when it has what was
// announced and nothing more happens, which is when quiet ends. done says that everything up to the target was seen. What the
// server says is held against what it promises.
func (v *viewer) session(ctx, quiet context.Context, frames int, target int64) (done bool, err error) {
	conn, _, err := websocket.Dial(ctx, v.r.http.URL, &websocket.DialOptions{Subprotocols: []string{ws.Subprotocol}})
	if err != nil {
		return false, nil // the node is between two lives
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 22)
	connect, err := json.Marshal(map[string]any{"id": "c", "connect": map[string]any{"token": v.name,
		"resume": []any{map[string]any{"conversation": v.id, "after": v.last}}}})
	if err != nil {
		return false, err
	}
	if conn.Write(ctx, websocket.MessageText, connect) != nil {
		return false, nil
	}
	announced := int64(-1) // what the server said is there
	begun := v.last
	for range frames {
		until := ctx
		if announced >= 0 && v.last >= max(announced, target) && v.owed == "" {
			until = quiet
		}
		_, frame, err := conn.Read(until)
		if ctx.Err() != nil {
			return false, fmt.Errorf("position %d of %d, announced %d: nothing came", v.last, target, announced)
		}
		if err != nil {
			return false, nil
		}
		for line := range strings.SplitSeq(string(frame), "\n") {
			var o struct {
				ID string
				Ok *struct {
					Resumed []struct{ After, Seq int64 }
					Refused []any
					Seq     int64

					Messages []struct{ Seq int64 }
					More     bool
				}
				Error   *struct{ Code string }
				Message *struct{ Seq, Prev int64 }
				Gap     *struct{ After, Before int64 }
			}
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				return false, fmt.Errorf("%q: %w", line, err)
			}
			switch {
			case o.ID == "c":
				if o.Ok == nil || len(o.Ok.Resumed) != 1 || len(o.Ok.Refused) != 0 || o.Ok.Resumed[0].After != begun {
					return false, fmt.Errorf("resume from %d is answered %s", begun, line)
				}
				announced = o.Ok.Resumed[0].Seq
				v.post(ctx, conn)
				v.ask(ctx, conn)
			case o.ID == "h":
				if o.Ok == nil {
					return false, fmt.Errorf("history: %s", line)
				}
				came := v.asked
				came.more = o.Ok.More
				for _, m := range o.Ok.Messages {
					came.seqs = append(came.seqs, m.Seq)
				}
				v.pages = append(v.pages, came)
			case o.ID == "p" && o.Error != nil:
				if o.Error.Code != "403-603" { // the queue has the turn

					return false, fmt.Errorf("own post: %s", line)
				}
				v.owed = ""
			case o.ID == "p":
				v.owed = ""
				if o.Ok.Seq > v.last { // an ack stands in the place of the message
					v.last, v.seen = o.Ok.Seq, append(v.seen, o.Ok.Seq)
				}
			case o.Message != nil:
				if announced < 0 {
					return false, fmt.Errorf("a message came before the reply: %s", line)
				}
				if o.Message.Prev != v.last || o.Message.Seq <= v.last {
					return false, fmt.Errorf("after %d came %s", v.last, line)
				}
				v.last, v.seen = o.Message.Seq, append(v.seen, o.Message.Seq)
			case o.Gap != nil:
				return false, fmt.Errorf("nothing is gone, but the server says %s", line)
			}
		}
		if target > 0 && v.last >= target && v.owed == "" {
			return true, nil
		}
	}
	return false, nil
}

// post says something over the viewer's own session, or again what was not acknowledged before the cut.
func (v *viewer) post(ctx context.Context, conn *websocket.Conn) {
	if v.owed == "" && v.rand.IntN(3) > 0 {
		return
	}
	if v.owed == "" {
		v.sent++
		v.owed = fmt.Sprintf("own-%d", v.sent)
	}
	m, _ := json.Marshal(map[string]any{"id": "p", "post": in(v.id, text(v.owed))})
	_ = conn.Write(ctx, websocket.MessageText, m) // cut: it is said again
}

// ask wants a page of the past that the viewer knows already, so that nothing can be added to it.
func (v *viewer) ask(ctx context.Context, conn *websocket.Conn) {
	if v.last < 2 || v.rand.IntN(3) > 0 {
		return
	}
	v.asked = page{before: 2 + v.rand.Int64N(v.last), limit: 1 + v.rand.IntN(100)}
	if v.rand.IntN(2) == 0 {
		v.asked.after = v.rand.Int64N(v.asked.before)
	}
	m, _ := json.Marshal(map[string]any{"id": "h", "history": map[string]any{"conversation": v.id, "after": v.asked.after, "before": v.asked.before, "limit": v.asked.limit}})
	_ = conn.Write(ctx, websocket.MessageText, m) // cut: nobody waits for it
}

// happen lets something happen in the conversation, by whoever may do it; refusals are part of life.
func (v *viewer) happen(ctx context.Context, chance *rand.Rand, n int) error {
	d := parley.Draft{Conversation: v.id, Type: parley.TypeText, Sender: parley.Customer, Body: parley.Body{MessageID: fmt.Sprint("x", n)}}
	content := func(text string) { d.Body.Content = &parley.Content{Text: text} }
	parent := func() { d.Body.Parent = fmt.Sprint("x", chance.IntN(n+1)) }
	switch chance.IntN(12) {
	case 0, 1, 2, 3:
		content("customer says")
	case 4, 5, 6:
		d.Sender = parley.CustomAgent
		content("agent says")
	case 7:
		d.Sender, d.Type = parley.CustomAgent, parley.TypeAgentJoin
		d.Body.Content = &parley.Content{JSON: []byte(`{"agentName":"Dana"}`)}
	case 8:
		d.Sender, d.Type = parley.CustomAgent, parley.TypeQueueTransfer
		d.Body.Content = &parley.Content{JSON: []byte(`{"queue":{"id":"q"}}`)}
	case 9:
		d.Type = parley.TypeDeleteSoft
		parent()
	case 10:
		d.Type = parley.TypeDeletePermanent
		parent()
	case 11:
		d.Type = parley.TypeUndo
		parent()
	}
	for ctx.Err() == nil {
		_, err := v.r.hub.Load().Post(ctx, hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test", Drafts: []parley.Draft{d}})
		switch parley.KindOf(err) {
		case parley.Busy, parley.Internal:
			if err == nil {
				return nil
			}
			continue // its life has ended; the next one takes it, once
		}
		return nil
	}
	return ctx.Err()
}

// Guarantee G4: over drops at any frame and over restarts a session is shown exactly the messages that it may see, each
// once, in order, and is told the truth about the range, as are those who read pages of the past, whatever happens in the conversation meanwhile.
func TestResumeIsExact(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := newRestarting(t)
	tried := trials{types: map[parley.MessageType]int{}}
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	restarts := 0
	restarting := make(chan struct{})
	wg.Go(func() {
		defer close(restarting)
		at := int64(resumeCases / 40)
		for tried.cases.Load() < resumeCases && ctx.Err() == nil && !t.Failed() {
			if tried.cases.Load() < at {
				select {
				case <-time.After(time.Millisecond): // looks again
				case <-ctx.Done():
				}
				continue
			}
			r.again()
			restarts++
			at += resumeCases / 40
		}
	})
	const workers = 8
	for w := range workers {
		wg.Go(func() {
			for i := 0; tried.cases.Load() < resumeCases && ctx.Err() == nil && !t.Failed(); i++ {
				v := &viewer{r: r, rand: rand.New(rand.NewPCG(seed, uint64(w*100_000+i)))}
				if err := v.live(ctx, fmt.Sprintf("c%d-%d", w, i), &tried); err != nil {
					t.Errorf("worker %d, conversation %d (%s): %v", w, i, v.id, err)
				}
			}
		})
	}
	wg.Wait()
	<-restarting
	t.Logf("%d drops, %d restarts, %d pages of history, over %v", tried.cases.Load(), restarts, tried.pages.Load(), tried.types)
	if tried.cases.Load() < resumeCases || restarts < 10 || tried.pages.Load() < resumeCases/50 {
		t.Errorf("%d drops, %d restarts and %d pages: the property was not tried enough", tried.cases.Load(), restarts, tried.pages.Load())
	}
	for _, kind := range []parley.MessageType{parley.TypeText, parley.TypeAgentJoin, parley.TypeQueueTransfer, parley.TypeDeleteSoft, parley.TypeDeletePermanent, parley.TypeUndo} {
		if tried.types[kind] < 20 {
			t.Errorf("%s happened %d times only", kind, tried.types[kind])
		}
	}
}

// live is one conversation from its start to the comparison at its end.
func (v *viewer) live(ctx context.Context, name string, tried *trials) error {
	v.name = name
	v.r.grant(name, tokens.Grant{Tenant: parley.DefaultTenant, Name: name, Expires: time.Now().Add(time.Hour),
		Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Account: v.r.account.ID, Contact: name}})
	defer v.r.revoke(name)
	begin := parley.Draft{Type: parley.TypeText, Sender: parley.Customer, ChannelType: "web_chat", Address: "site",
		Customer: &parley.CustomerData{Name: name, Contacts: []parley.Contact{{Type: "web", Address: name}}},
		Body:     parley.Body{MessageID: "x0", Content: &parley.Content{Text: "hello"}}}
	for {
		posted, err := v.r.hub.Load().Post(ctx, hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test", Drafts: []parley.Draft{begin}})
		if err == nil {
			v.id = posted[0].Conversation
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	agent := v.rand.IntN(3) == 0
	if agent {
		v.name = "dana"
	}
	events := 0
	for range 20 + v.rand.IntN(60) {
		var wg sync.WaitGroup
		var happened error
		n := v.rand.IntN(4)
		if v.rand.IntN(150) == 0 {
			n = 150 // more than a page
		}
		first := events + 1
		events += n
		quiet, over := context.WithCancel(ctx)
		chance := rand.New(rand.NewPCG(v.rand.Uint64(), 0)) // of its own: both sides go on at the same time
		wg.Go(func() {
			defer over()
			for i := range n {
				if err := v.happen(ctx, chance, first+i); err != nil {
					happened = err
				}
			}
		})
		_, err := v.session(ctx, quiet, v.rand.IntN(8), 0)
		wg.Wait()
		if err := errors.Join(err, happened); err != nil {
			return fmt.Errorf("drop at position %d: %w", v.last, err)
		}
		tried.cases.Add(1)
	}
	for v.owed != "" { // what was not acknowledged is said until it is, so that the record is still
		if _, err := v.session(ctx, ctx, 3, 0); err != nil {
			return err
		}
	}
	// A post that was cut may still be on its way: the record is compared when it is as it was before the last session.
	var want []int64
	for before := []int64(nil); before == nil || len(before) < len(want); {
		before, want = want, nil
		for _, m := range storetest.Messages(v.r.t, v.r.store, v.id) {
			if agent || m.To&1 != 0 || m.Sender == parley.Customer {
				want = append(want, m.Seq)
			}
		}
		for target := want[len(want)-1]; v.last < target; {
			bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
			_, err := v.session(bounded, bounded, 1000, target)
			cancel()
			if err != nil {
				return err
			}
		}
	}
	if !slices.Equal(v.seen, want) {
		return fmt.Errorf("shown %v, may see %v", v.seen, want)
	}
	for _, p := range v.pages {
		if whole := p.of(want); !slices.Equal(p.seqs, whole.seqs) || p.more != whole.more {
			return fmt.Errorf("history after %d before %d, at most %d, is %v (more: %t), want %v (more: %t)", p.after, p.before, p.limit, p.seqs, p.more, whole.seqs, whole.more)
		}
	}
	tried.pages.Add(int64(len(v.pages)))
	tried.note(storetest.Messages(v.r.t, v.r.store, v.id))
	return nil
}
