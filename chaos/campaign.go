// Package chaos breaks a running hub and looks whether it kept its promises.
//
// A [Case] starts real processes of the built binary, clients that talk to them over WebSocket and REST, and a receiver of
// callbacks, with a [Proxy] on each way between them. It kills, cuts and fills what it is about, again and again, while the
// clients work. Then it lets everything heal, waits until nothing is on its way any more, and holds the record, every
// client's log and the receiver's log against each other ([Check]). [Run] does this for one case; [Cases] are all there are.
//
// Everything listens on loopback, is bounded in number and time, and is gone when Run returns.
package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Case is one way to break things.
type Case struct {
	Name  string
	Setup Setup
	// Mixed: more than hubs is harmed, and lanes rightly wait for their next try, so that takeovers cannot be told.
	Mixed bool
	// Killed: nothing but hubs, or what Redis holds, is harmed, and receivers answer well: what comes twice was on its way when a hub was killed.
	Killed bool
	// Cycles is how often the fault comes in the campaign; Short in the short form, zero = the case is not in it.
	Cycles, Short int
	// Cycle makes the fault once, and heals it. n counts from 0.
	Cycle func(ctx context.Context, w *World, n int, short bool) error
}

// The times that are promised.
const (
	readyLimit    = 3 * time.Second
	resumeLimit   = 5 * time.Second // for 99 of 100 sessions
	takeoverLimit = 10 * time.Second
	// settleLimit is for everything that was owed to come, once nothing is broken any more. Waits of the schedule that have grown do not count:
	// what failed while a receiver was away is sent soon after it is back.
	settleLimit = 90 * time.Second
)

// A Report is what a case came to.
type Report struct {
	Case   string
	Cycles int
	Took   time.Duration
	Verdict
	Kills    int             // of hubs
	Starts   []time.Duration // until /readyz, from before the process existed
	Resumes  []time.Duration // until a session that was cut continued, from when that was possible
	Lanes    []time.Duration // until a lane that a killed hub had was worked on again, from the kill
	Settled  time.Duration   // until nothing was on its way any more, from the end of the last fault
	Troubles map[string]int  // what clients lived through
	Late     []string        // promised times that were not kept
}

// Failed says whether a guarantee or a promised time was violated.
func (r *Report) Failed() bool { return r.Broken() || len(r.Late) > 0 }

// shortTalk is how long clients talk on after the cycles of the short form.
const shortTalk = 2 * time.Second

// shortSlack is how many times as long what is promised may take in the short form: its stages, and tests of other packages, share the
// processors. Whether promised times are kept is seen by the campaign, which runs alone.
const shortSlack = 3

// Run runs a case. Its error is a failure to carry it out; what was found is in the report.
func Run(ctx context.Context, stage *Stage, c Case, short bool) (r Report, err error) {
	r = Report{Case: c.Name, Cycles: c.Cycles}
	if short {
		r.Cycles = c.Short
	}
	began := time.Now()
	w, err := newWorld(ctx, stage, c.Setup)
	if err != nil {
		return r, fmt.Errorf("%s: %w", c.Name, err)
	}
	defer func() {
		err = errors.Join(err, w.close(context.WithoutCancel(ctx)))
		r.Took = time.Since(began)
	}()
	for n := range r.Cycles {
		if err := c.Cycle(ctx, w, n, short); err != nil {
			return r, fmt.Errorf("%s, cycle %d: %w", c.Name, n+1, err)
		}
	}
	if short { // its few cycles may be over before a slow machine's clients have said much
		if err := pause(ctx, shortTalk); err != nil {
			return r, err
		}
	}
	healed := time.Now()
	w.stopTalk()
	if err := w.settle(ctx); err != nil {
		return r, err
	}
	r.Settled = time.Since(healed)
	// Once more with everything stopped: what the hubs write while they end must be as true.
	w.hangUp()
	w.clients.Wait()
	w.botWork.Wait()
	for _, h := range w.hubs {
		if err := h.stop(); err != nil {
			w.fault("%v", err)
		}
	}
	e, err := w.evidence(ctx)
	if err != nil {
		return r, err
	}
	w.mu.Lock()
	e.Killed, e.Kills = c.Killed, w.kills
	w.mu.Unlock()
	r.Verdict = Check(e)
	w.mu.Lock()
	r.Kills, r.Starts, r.Resumes, r.Troubles = len(w.kills), w.starts, w.resumes, w.troubles
	if !c.Mixed {
		r.Lanes = takeovers(e, w.kills)
	}
	w.mu.Unlock()
	slack := 1
	if short {
		slack = shortSlack
	}
	r.Late = r.late(takeoverLimit+c.Setup.Skew, slack) // what a hub had claimed ends by its clock
	return r, nil
}

// late says which of the promised times were not kept, with so many times as long; takeover is that of lanes.
func (r *Report) late(takeover time.Duration, slack int) (all []string) {
	for _, s := range []struct {
		what       string
		got, limit time.Duration
	}{
		{"ready after a crash", percentile(r.Starts, 100), readyLimit},
		{"sessions resumed (p99)", percentile(r.Resumes, 99), resumeLimit},
		{"lanes taken over", percentile(r.Lanes, 100), takeover},
	} {
		if s.got > time.Duration(slack)*s.limit {
			all = append(all, fmt.Sprintf("%s: %v, promised are %v", s.what, s.got.Round(time.Millisecond), s.limit))
		}
	}
	return all
}

// settle waits until every client has its answer and everything owed has come, at most for settleLimit: what is missing
// then is what the verdict counts.
func (w *World) settle(ctx context.Context) error {
	deadline := time.Now().Add(settleLimit)
	for time.Now().Before(deadline) {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		if !w.idle() {
			continue
		}
		e, err := w.evidence(ctx)
		if err != nil {
			return err
		}
		v := Check(e)
		if v.Unsent == 0 && v.Missed == 0 && w.idle() {
			return nil
		}
	}
	return nil
}

// idle says whether no client waits for an answer. The bot may get more to do by what comes.
func (w *World) idle() bool {
	for _, s := range append(append([]*session(nil), w.agents...), w.customers...) {
		if !s.idle() {
			return false
		}
	}
	for _, p := range w.posters {
		if !p.idle() {
			return false
		}
	}
	return w.bot.idle() && len(w.texts) == 0
}

// percentile is the smallest value that so many of 100 do not exceed; zero if there are none.
func percentile(all []time.Duration, p int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// takeovers is how long lanes that owed something when a hub was killed waited for their next attempt: those of which a
// delivery arrived before the kill and again after it, and those that owed a message that had not arrived at all. Where the
// next kill came first, the wait is counted from that one: a hub may have claimed the lane and died before it sent anything.
func takeovers(e Evidence, kills []time.Time) (waits []time.Duration) {
	type lane struct{ conversation, role string }
	lanes := map[lane][]Arrival{}
	for _, a := range e.Arrivals {
		l := lane{a.Conversation, a.Role}
		lanes[l] = append(lanes[l], a)
	}
	created := map[string]time.Time{}
	for i := range e.Record {
		for j := range e.Record[i].Messages {
			m := &e.Record[i].Messages[j]
			created[m.ID.String()] = m.Created
		}
	}
	for _, arrivals := range lanes {
		first := map[string]time.Time{}
		for _, a := range arrivals {
			if _, again := first[a.Delivery]; !again {
				first[a.Delivery] = a.At
			}
		}
		for i, kill := range kills {
			next, _ := slices.BinarySearchFunc(arrivals, kill, func(a Arrival, kill time.Time) int { return cmp.Compare(a.At.UnixNano(), kill.UnixNano()) })
			if next == len(arrivals) || i+1 < len(kills) && arrivals[next].At.After(kills[i+1]) {
				continue // whoever had taken it over was killed as well
			}
			if a := arrivals[next]; first[a.Delivery].Before(kill) || created[a.Message].Before(kill) {
				waits = append(waits, a.At.Sub(kill))
			}
		}
	}
	return waits
}
