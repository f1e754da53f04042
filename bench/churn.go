package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// churners are how many clients come and go at the same time.
const churners = 64

// churn lets sessions come, talk, and drop without a word for a long while, and compares what the hub holds before and after:
// goroutines, and memory after a collection. What grows with the number of sessions that ever were would show, at the latest when the hub has been left
// alone for as long as it remembers conversations.
func churn(ctx context.Context, o Options, t Target, report *Report) error {
	if o.Churn == 0 {
		return nil
	}
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	address := unique("churn")
	if err := a.makeAccount(ctx, address, ""); err != nil {
		return err
	}
	token, err := a.agentToken(ctx)
	if err != nil {
		return err
	}
	var sessions atomic.Int64
	round := func(length time.Duration) error {
		until := time.Now().Add(length)
		errs := make(chan error, churners)
		var wg sync.WaitGroup
		for range churners {
			wg.Go(func() {
				for time.Now().Before(until) {
					if err := a.visit(ctx, address, token); err != nil {
						errs <- err
						return
					}
					sessions.Add(2)
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			return err
		}
		return nil
	}
	name := fmt.Sprintf("churn for %v", o.Churn)
	look := func(when string) error {
		if err := pause(ctx, o.Settle); err != nil { // presence is told late, see package ws
			return err
		}
		kib, err := s.residentKiB(ctx, o.Settle)
		if err != nil {
			return err
		}
		text, err := get(ctx, "http://"+s.pprof+"/debug/pprof/goroutine?debug=1")
		if err != nil {
			return err
		}
		_, count, _ := strings.Cut(strings.SplitN(text, "\n", 2)[0], "total ")
		n, err := strconv.ParseFloat(count, 64)
		if err != nil {
			return fmt.Errorf("goroutines: %w", err)
		}
		report.note(t, name, "hub", "goroutines "+when, n)
		report.note(t, name, "hub", "MiB "+when, kib/1024)
		return nil
	}
	if err := look("before"); err != nil {
		return err
	}
	// A tenth of the time fills what is kept on purpose: caches, pools, the state of conversations that were active.
	if err := round(o.Churn / 10); err != nil {
		return err
	}
	if err := look("after a tenth"); err != nil {
		return err
	}
	if err := round(o.Churn - o.Churn/10); err != nil {
		return err
	}
	if err := look("at the end"); err != nil {
		return err
	}
	report.note(t, name, "hub", "sessions", float64(sessions.Load()))
	if err := pause(ctx, o.Rest); err != nil {
		return err
	}
	return look(fmt.Sprintf("%v later", o.Rest))
}

// visit is a customer and an agent who talk, and drop without a word.
func (a *api) visit(ctx context.Context, address, token string) error {
	customer, conversation, err := a.joined(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = customer.conn.CloseNow() }()
	agent, err := a.connect(ctx, token)
	if err != nil {
		return err
	}
	defer func() { _ = agent.conn.CloseNow() }()
	if _, err := agent.ask(ctx, "subscribe", object{"conversation": conversation}); err != nil {
		return err
	}
	for range rand.IntN(4) {
		if _, err := agent.ask(ctx, "post", object{"type": object{"value": "text"}, "content": object{"text": padding}, "conversation": object{"id": conversation}}); err != nil {
			return err
		}
		if _, err := customer.ask(ctx, "typing", object{"conversation": conversation, "on": true}); err != nil {
			return err
		}
	}
	if rand.IntN(2) == 0 {
		_, err = agent.ask(ctx, "post", object{"type": object{"value": "conversation.end"}, "conversation": object{"id": conversation}})
	}
	return err
}
