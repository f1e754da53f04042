package chaos

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"parley"
)

// A poster is a program that posts over REST, one message after the other, and repeats each under the same messageId until
// it is accepted, as the API asks of clients.
type poster struct {
	w      *World
	name   string
	sender parley.Role
	client *http.Client
	apis   map[*hub]*api
	at     int // index of the hub it uses

	mu      sync.Mutex
	posts   []*Post
	workers []*poster     // of a bot
	waiting *atomic.Int64 // what a bot has to answer
}

func newPoster(w *World, name string, sender parley.Role, at int) *poster {
	return &poster{w: w, name: name, sender: sender, at: at, apis: map[*hub]*api{}, waiting: &atomic.Int64{},
		client: &http.Client{Timeout: clientTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}}
}

// retryPause is how long a client waits before it repeats, with full jitter.
const retryPause = 100 * time.Millisecond

// say posts a message until it is accepted, or ctx ends.
func (p *poster) say(ctx context.Context, message object, messageID string) (conversation string, err error) {
	post := &Post{Program: p.name, MessageID: messageID, Sender: p.sender, Sent: p.w.moment()}
	p.mu.Lock()
	p.posts = append(p.posts, post)
	p.mu.Unlock()
	for {
		conversation, id, err := p.once(ctx, message)
		if err == nil {
			p.mu.Lock()
			post.Conversation, post.ID, post.Acked = conversation, id, p.w.moment()
			p.mu.Unlock()
			return conversation, nil
		}
		p.w.trouble(err)
		if r, ok := errors.AsType[*refusal](err); ok && r.status < 500 && r.status != http.StatusTooManyRequests {
			p.mu.Lock()
			post.Refused = err.Error()
			p.mu.Unlock()
			return "", err
		}
		p.at++ // a balancer would send it to another hub too
		if err := pause(ctx, rand.N(retryPause)); err != nil {
			return "", err
		}
	}
}

// once posts a message to one hub; in a campaign of repeats, at the same time to all of them.
func (p *poster) once(ctx context.Context, message object) (conversation, id string, err error) {
	if !p.w.setup.Twice {
		return p.to(ctx, p.at, message)
	}
	type answer struct {
		conversation, id string
		err              error
	}
	copies := max(2, len(p.w.hubs))
	answers := make(chan answer, copies)
	for i := range copies {
		a, err := p.api(ctx, p.at+i)
		if err != nil {
			return "", "", err
		}
		go func() {
			conversation, id, err := a.send(ctx, message)
			answers <- answer{conversation, id, err}
		}()
	}
	for range copies {
		a := <-answers
		switch {
		case a.err != nil:
			err = a.err
		case id != "" && (a.id != id || a.conversation != conversation):
			p.w.fault("%s: a repeat was answered with %s in %s, and with %s in %s", p.name, id, conversation, a.id, a.conversation)
		default:
			conversation, id = a.conversation, a.id
		}
	}
	return conversation, id, err
}

func (p *poster) to(ctx context.Context, at int, message object) (conversation, id string, err error) {
	a, err := p.api(ctx, at)
	if err != nil {
		return "", "", err
	}
	return a.send(ctx, message)
}

// api is the way to one of the hubs, with a token.
func (p *poster) api(ctx context.Context, at int) (*api, error) {
	h := p.w.hubs[at%len(p.w.hubs)]
	if a := p.apis[h]; a != nil {
		return a, nil
	}
	a := &api{client: p.client, base: "http://" + h.front.Address()}
	var err error
	if a.token, err = a.login(ctx, clientID, clientSecret); err != nil {
		return nil, err
	}
	p.apis[h] = a
	return a, nil
}

// customer posts as a customer until talking ends, and then until the last message was accepted or ctx has ended.
func (p *poster) customer(ctx, talking context.Context) {
	conversation := ""
	for n := 0; talking.Err() == nil; n++ {
		messageID := fmt.Sprintf("%s-%d", p.name, n)
		message := begin(messageID, p.name+"@example.org")
		if conversation != "" {
			message = say(conversation, messageID, "customer", "text", object{"text": messageID})
		}
		said, err := p.say(ctx, message, messageID)
		if err != nil {
			return // it is in the log
		}
		conversation = said
		_ = pause(talking, rand.N(2*p.w.setup.Pace)) // its end is the loop's
	}
}

// bots answers the arrivals that it is given, each once, until ctx ends. It is several workers: a bot answers many
// conversations at a time, and each conversation's messages in order.
func (p *poster) bots(ctx context.Context, texts <-chan Arrival) {
	const workers = 4
	queues := make([]chan Arrival, workers)
	var wg sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan Arrival, cap(texts))
		worker := newPoster(p.w, fmt.Sprint(p.name, i), p.sender, i)
		p.mu.Lock()
		p.workers = append(p.workers, worker)
		p.mu.Unlock()
		wg.Go(func() { worker.answer(ctx, queues[i], p.waiting) })
	}
	known := map[string]bool{}
	for ctx.Err() == nil {
		select {
		case a := <-texts:
			if !known[a.Message] {
				known[a.Message] = true
				p.waiting.Add(1)
				queues[crc32.ChecksumIEEE([]byte(a.Conversation))%workers] <- a
			}
		case <-ctx.Done():
		}
	}
	wg.Wait()
}

func (p *poster) answer(ctx context.Context, queue <-chan Arrival, waiting *atomic.Int64) {
	for {
		select {
		case a := <-queue:
			id := "re-" + a.MessageID
			_, _ = p.say(ctx, say(a.Conversation, id, string(p.sender), "text", object{"text": id}), id) // an error is in the log
			waiting.Add(-1)
		case <-ctx.Done():
			return
		}
	}
}

// log is a copy of what the program knows.
func (p *poster) log() []Post {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Post, 0, len(p.posts))
	for _, post := range p.posts {
		all = append(all, *post)
	}
	for _, worker := range p.workers {
		all = append(all, worker.log()...)
	}
	return all
}

// idle says whether everything that was said is accepted, and a bot has answered everything.
func (p *poster) idle() bool {
	if p.waiting.Load() > 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, post := range p.posts {
		if post.Acked == 0 && post.Refused == "" {
			return false
		}
	}
	return true
}
