package dispatch

import (
	"sync"

	"parley"
)

// A pool runs work on claimed lanes, so many at the same time, and so many of these for one receiver: a receiver that
// does not answer keeps its own share busy and nobody else's. Receivers with waiting lanes take turns. Safe for
// concurrent use.
type pool struct {
	atOnce    int
	perTarget func(parley.Receiver) int // of these for a receiver
	work      func(*parley.Lane)

	mu      sync.Mutex
	running int
	busy    map[int64]int        // running, by receiver
	waiting map[int64][]*waiting // by receiver
	pending map[place]*waiting   // the same, by place
	lanes   map[place]int        // running or waiting, by place
	turn    []int64              // receivers with waiting lanes, next first
	closed  bool
	wg      sync.WaitGroup
}

func newPool(atOnce int, perTarget func(parley.Receiver) int, work func(*parley.Lane)) *pool {
	return &pool{atOnce: atOnce, perTarget: perTarget, work: work, busy: map[int64]int{}, waiting: map[int64][]*waiting{}, pending: map[place]*waiting{}, lanes: map[place]int{}}
}

// A waiting is a lane that waits for its turn. One that waits for longer than its lease is claimed again, by the sweeper;
// the new claim then takes the place of the old, so that what waits is bounded by the lanes there are.
type waiting struct{ lane *parley.Lane }

// A place is where a lane is, whatever its key.
type place struct {
	conversation parley.ConversationID
	slot         int
}

// has says whether a lane is being worked on, or waits for that.
func (p *pool) has(conversation parley.ConversationID, slot int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lanes[place{conversation, slot}] > 0
}

// mostFull bounds the receivers that are named when it is asked for room.
const mostFull = 64

// room says whether what is added now runs at once or soon, and for which receivers that does not hold because as many lanes
// wait as may run: a receiver that is slow takes away its own room only.
func (p *pool) room() (ok bool, full []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.running >= p.atOnce || len(p.turn) > mostFull {
		return false, nil
	}
	for _, r := range p.turn {
		if waiting := p.waiting[r]; len(waiting) >= p.perTarget(waiting[0].lane.Receiver) {
			full = append(full, r)
		}
	}
	return true, full
}

// queued is how many lanes of a receiver wait.
func (p *pool) queued(receiver int64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting[receiver])
}

// add runs work on a lane, now or when its turn comes.
func (p *pool) add(lane *parley.Lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return // its lease ends by itself
	}
	r, at := lane.Receiver.Key, place{lane.Conversation, lane.Slot}
	if before := p.pending[at]; before != nil {
		before.lane = lane
		return
	}
	p.lanes[at]++
	if len(p.waiting[r]) == 0 {
		p.turn = append(p.turn, r)
	}
	w := &waiting{lane}
	p.pending[at] = w
	p.waiting[r] = append(p.waiting[r], w)
	p.start()
}

// start starts what may run. Called with mu held.
func (p *pool) start() {
	for skipped := 0; p.running < p.atOnce && skipped < len(p.turn); {
		r := p.turn[0]
		p.turn = p.turn[1:]
		lane := p.waiting[r][0].lane
		if p.busy[r] >= p.perTarget(lane.Receiver) {
			p.turn = append(p.turn, r)
			skipped++
			continue
		}
		skipped = 0
		delete(p.pending, place{lane.Conversation, lane.Slot})
		if p.waiting[r] = p.waiting[r][1:]; len(p.waiting[r]) > 0 {
			p.turn = append(p.turn, r)
		} else {
			delete(p.waiting, r)
		}
		p.running++
		p.busy[r]++
		p.wg.Go(func() { p.run(lane) })
	}
}

func (p *pool) run(lane *parley.Lane) {
	p.work(lane)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	at := place{lane.Conversation, lane.Slot}
	if p.lanes[at]--; p.lanes[at] == 0 {
		delete(p.lanes, at)
	}
	if p.busy[lane.Receiver.Key]--; p.busy[lane.Receiver.Key] == 0 {
		delete(p.busy, lane.Receiver.Key)
	}
	p.start()
}

// close forgets what waits; what runs goes on.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	clear(p.waiting)
	clear(p.pending)
	p.turn = nil
}

// wait returns when nothing runs any more.
func (p *pool) wait() { p.wg.Wait() }
