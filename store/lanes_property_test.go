package store_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A worker holds a claim of a lane and what it did since it last said so.
type worker struct {
	lane  *parley.Lane
	acked int64
	until time.Time // end of its lease
}

// The states of a lane and of the deliveries seen from it (docs/architecture.md), by everything that may happen to them in
// any order: two workers, of whom one may be late, messages, failures, dead deliveries that block and such that do not,
// decisions of administrators, breakers, and time. The database refuses states that must not be (its checks fail the
// test); whatever happened, each message is delivered in the end, in order, or somebody said why not.
func TestLaneIsNeverStuckAndNeverOutOfOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		var mu sync.Mutex
		off := time.Duration(0)
		clock := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(off)
		}
		s := open(t, storetest.Clock(clock))
		rapid.Check(t, func(r *rapid.T) {
			l := &laneMachine{t: t, r: r, s: s, now: clock, delivered: map[int64]int{}, gone: map[int64]bool{}, replaying: map[int64]time.Time{}, advance: func(d time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				off += d
			}}
			l.begin()
			for range rapid.IntRange(5, 40).Draw(r, "steps") {
				l.step()
			}
			l.drain()
		})
	})
}

type laneMachine struct {
	t       *testing.T
	r       *rapid.T
	s       *store.Store
	advance func(time.Duration)
	now     func() time.Time

	said      *parley.Step // last one
	key       int64
	receiver  int64
	workers   [2]*worker
	delivered map[int64]int       // how often, by seq
	order     []int64             // of first deliveries
	gone      map[int64]bool      // dead or skipped
	replaying map[int64]time.Time // when they are due, by seq
}

const laneLease = 10 * time.Second

func (l *laneMachine) begin() {
	step := storetest.Start("")
	step.Conversation.State.Parties[1].Application = ident.New[parley.ClientApplication]() // a receiver of its own
	l.commit(step)
	lane, err := l.s.Claim(l.t.Context(), []int64{l.key}, time.Millisecond)
	if err != nil || len(lane) != 1 {
		l.r.Fatalf("Claim = %v, %v", lane, err)
	}
	l.receiver = lane[0].Receiver.Key
	l.advance(time.Second)
}

func (l *laneMachine) commit(step *parley.Step) {
	c := storetest.MustCommit(l.t, l.s, step)[0]
	if len(c.Wake) > 0 {
		l.key = c.Wake[0]
	}
	for _, lane := range c.Claimed {
		l.key = lane.Key
		l.hold(lane)
	}
	l.said = step
}

// hold gives a claim to a worker, if need be instead of one that is stuck with an old one.
func (l *laneMachine) hold(lane *parley.Lane) {
	for _, w := range l.workers {
		if w != nil && l.now().Before(w.until) {
			l.r.Fatalf("a lane was claimed that is under a lease for another %v", w.until.Sub(l.now()))
		}
	}
	i := slices.IndexFunc(l.workers[:], func(w *worker) bool { return w == nil })
	if i < 0 {
		i = 0
	}
	l.workers[i] = &worker{lane, lane.Acked, lane.Until}
}

func (l *laneMachine) step() {
	ctx := l.t.Context()
	switch rapid.SampledFrom([]string{"say", "say", "claim", "claim", "deliver", "deliver", "deliver", "fail", "dead", "block", "keep", "replay", "skip", "wait", "break", "probe", "well", "hasten"}).Draw(l.r, "what") {
	case "say":
		step := storetest.Say(l.said.Conversation, parley.Customer, "", 2)
		if rapid.Bool().Draw(l.r, "wants the lane") {
			step.Lease = laneLease
		}
		l.commit(step)
	case "claim":
		won, err := l.s.Claim(ctx, []int64{l.key}, laneLease)
		if err != nil {
			l.r.Fatalf("Claim = %v", err)
		}
		for _, lane := range won {
			l.hold(lane)
		}
	case "deliver":
		l.work(func(w *worker, p *parley.Progress, owed []int64) { p.Release, p.Acked = true, owed[len(owed)-1] })
	case "fail":
		l.work(func(w *worker, p *parley.Progress, owed []int64) {
			p.Release, p.Acked, p.Failed, p.Retry = true, owed[0]-1, 1, time.Now().Add(time.Hour)
			p.Acked = w.acked
		})
	case "dead":
		l.work(func(w *worker, p *parley.Progress, owed []int64) {
			p.Release, p.Acked = true, owed[0]
			p.Dead = []parley.DeadDelivery{{Delivery: ident.New[parley.Delivery](), Seq: owed[0], Reason: "planted"}}
		})
	case "block":
		l.work(func(w *worker, p *parley.Progress, owed []int64) {
			p.Release, p.Block = true, owed[0]
			p.Dead = []parley.DeadDelivery{{Delivery: ident.New[parley.Delivery](), Seq: owed[0], Reason: "planted"}}
		})
	case "keep":
		l.work(func(w *worker, p *parley.Progress, owed []int64) { p.Acked = owed[0] })
	case "replay", "skip":
		l.decide(rapid.Bool().Draw(l.r, "skip"))
	case "wait":
		l.advance(rapid.SampledFrom([]time.Duration{time.Second, laneLease + time.Second, 2 * time.Hour}).Draw(l.r, "how long"))
	case "break":
		if _, err := l.s.Break(ctx, l.receiver, false, func(int) time.Duration { return time.Minute }); err != nil {
			l.r.Fatal(err)
		}
	case "hasten":
		if _, err := l.s.Hasten(ctx, l.receiver, 2*time.Hour); err != nil {
			l.r.Fatal(err)
		}
	case "probe":
		l.probe()
	case "well":
		if _, err := l.s.Well(ctx, l.receiver); err != nil {
			l.r.Fatal(err)
		}
	}
}

// probe claims lanes of receivers whose breaker was open for long enough; of others than ours there are none left.
func (l *laneMachine) probe() {
	won, err := l.s.Probe(l.t.Context(), laneLease)
	if err != nil {
		l.r.Fatal(err)
	}
	for _, lane := range won {
		if lane.Key == l.key {
			l.hold(lane)
		}
	}
}

// work lets a worker do something about what its lane owes, and say so. Only what the record takes happened.
func (l *laneMachine) work(change func(*worker, *parley.Progress, []int64)) {
	i := rapid.IntRange(0, 1).Draw(l.r, "worker")
	w := l.workers[i]
	if w == nil {
		return
	}
	p := parley.Progress{Lane: w.lane, Acked: w.acked, Extend: laneLease}
	at := *w.lane
	at.Acked = w.acked
	_, again, err := l.s.Again(l.t.Context(), &at, 20)
	if err != nil {
		l.r.Fatalf("Again = %v", err)
	}
	_, owed, err := l.s.Owed(l.t.Context(), &at, 3)
	if err != nil {
		l.r.Fatalf("Owed = %v", err)
	}
	for _, m := range again {
		l.notBefore(m.Seq)
		p.Replayed = append(p.Replayed, parley.Replayed{Seq: m.Seq})
	}
	if len(owed) == 0 {
		p.Release = true
	} else {
		seqs := make([]int64, len(owed))
		for j := range owed {
			seqs[j] = owed[j].Seq
		}
		change(w, &p, seqs)
	}
	rest, err := l.s.Finish(l.t.Context(), p)
	if errors.Is(err, parley.ErrLeaseLost) {
		l.workers[i] = nil
		return
	}
	if err != nil {
		l.r.Fatalf("Finish(%+v) = %v", p, err)
	}
	for _, m := range again {
		if _, ok := l.replaying[m.Seq]; ok { // else it was skipped meanwhile
			l.deliver(m.Seq)
			delete(l.gone, m.Seq)
			delete(l.replaying, m.Seq)
		}
	}
	dead := int64(0)
	if len(p.Dead) > 0 {
		dead = p.Dead[0].Seq
		l.gone[dead] = true
	}
	for _, m := range owed {
		if m.Seq <= p.Acked && m.Seq != dead {
			l.deliver(m.Seq)
			l.order = append(l.order, m.Seq)
		}
	}
	w.acked, w.until = p.Acked, l.now().Add(laneLease-time.Second)
	if p.Release && !rest.More {
		l.workers[i] = nil
	}
}

// notBefore looks whether what is to be replayed is due.
func (l *laneMachine) notBefore(seq int64) {
	if due := l.replaying[seq]; l.now().Before(due.Truncate(time.Millisecond)) {
		l.r.Fatalf("message %d is replayed %v before it is due", seq, due.Sub(l.now()))
	}
}

func (l *laneMachine) deliver(seq int64) { l.delivered[seq]++ }

// decide replays or skips the oldest dead letter of the conversation.
func (l *laneMachine) decide(skip bool) {
	q := parley.DeadLetterQuery{Tenant: parley.DefaultTenant, Conversation: l.said.Conversation.ID}
	err := l.s.Update(l.t.Context(), func(tx parley.Tx) error {
		all, _, err := tx.DeadLetters(l.t.Context(), q, 0, 100)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(d parley.DeadLetter) bool {
			return d.State == parley.StateDead || skip && d.State == parley.StateAgain
		})
		if i < 0 {
			return nil
		}
		q.Delivery = all[i].Delivery
		if skip {
			_, err = tx.Skip(l.t.Context(), q, 1)
			delete(l.replaying, all[i].Message.Seq)
			return err
		}
		due := l.now().Add(rapid.SampledFrom([]time.Duration{0, 500 * time.Millisecond, time.Hour}).Draw(l.r, "replay in"))
		_, err = tx.Replay(l.t.Context(), q, 1, due, 0)
		if all[i].Blocks {
			delete(l.gone, all[i].Message.Seq) // owed again
		} else {
			l.replaying[all[i].Message.Seq] = due
		}
		return err
	})
	if err != nil {
		l.r.Fatalf("decide: %v", err)
	}
}

// drain ends everything well: what stands in the way is decided, and one good worker does the rest.
func (l *laneMachine) drain() {
	ctx := l.t.Context()
	if _, err := l.s.Well(ctx, l.receiver); err != nil {
		l.r.Fatal(err)
	}
	l.workers = [2]*worker{}
	for round := 0; ; round++ {
		if round > 200 {
			l.r.Fatalf("the lane is stuck: delivered %v of %d, gone %v", l.order, l.said.Conversation.Seq, l.gone)
		}
		l.advance(3 * time.Hour)
		overdue, err := l.s.Overdue(ctx, time.Second, 1000)
		if err != nil {
			l.r.Fatal(err)
		}
		if !slices.ContainsFunc(overdue, func(o parley.OverdueLane) bool { return o.Lane == l.key }) {
			h, err := l.s.Healths(ctx, parley.DefaultTenant)
			if err != nil {
				l.r.Fatal(err)
			}
			if i := slices.IndexFunc(h, func(h parley.Health) bool { return h.Key == l.receiver }); h[i].Blocked > 0 {
				l.decide(false)
				continue
			}
			break
		}
		won, err := l.s.Claim(ctx, []int64{l.key}, laneLease)
		if err != nil || len(won) != 1 {
			l.r.Fatalf("Claim of an overdue lane = %v, %v", won, err)
		}
		l.hold(won[0])
		for l.workers[0] != nil || l.workers[1] != nil {
			if l.workers[0] == nil {
				l.workers[0], l.workers[1] = l.workers[1], nil
			}
			l.finishOne()
		}
	}
	if !slices.IsSorted(l.order) {
		l.r.Fatalf("delivered in the order %v", l.order)
	}
	for seq := int64(1); seq <= l.said.Conversation.Seq; seq++ {
		if n := l.delivered[seq]; n == 0 && !l.gone[seq] || n > 1 {
			l.r.Fatalf("message %d was delivered %d times, gone %v", seq, n, l.gone)
		}
	}
}

// finishOne lets the first worker deliver everything.
func (l *laneMachine) finishOne() {
	w := l.workers[0]
	p := parley.Progress{Lane: w.lane, Acked: w.acked, Extend: laneLease, Release: true}
	at := *w.lane
	at.Acked = w.acked
	_, again, err := l.s.Again(l.t.Context(), &at, 20)
	if err != nil {
		l.r.Fatal(err)
	}
	_, owed, err := l.s.Owed(l.t.Context(), &at, 20)
	if err != nil {
		l.r.Fatal(err)
	}
	for _, m := range again {
		l.notBefore(m.Seq)
		p.Replayed = append(p.Replayed, parley.Replayed{Seq: m.Seq})
		l.deliver(m.Seq)
		delete(l.gone, m.Seq)
	}
	for _, m := range owed {
		p.Acked = m.Seq
		l.deliver(m.Seq)
		l.order = append(l.order, m.Seq)
	}
	rest, err := l.s.Finish(l.t.Context(), p)
	if err != nil {
		l.r.Fatalf("Finish = %v", err)
	}
	w.acked = p.Acked
	if !rest.More {
		l.workers[0] = nil
	}
}
