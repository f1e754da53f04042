package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/internal/stack"

	"parley"
)

// Bots answer what is said to bots that the hub runs, where a callback would be made.
type Bots interface {
	// Answer asks the bot of a receiver what it has to say to a message, and commits that. c is the conversation as it was
	// read after the message. problem says what went wrong, for the record of attempts; "" = nothing. An error is ours: the message is
	// given again.
	Answer(ctx context.Context, r parley.Receiver, c *parley.Conversation, m *parley.Message) (problem string, err error)
}

// bot says whether the hub itself runs the bot.
func (t *target) bot() bool { return t.role.Callback == parley.BotCallback }

// converse is what deliver is, for a bot that the hub runs. Thousands of shifts may wait here, each with all frames of its goroutine, so there
// are few, and what needs much of a stack before or after the wait has it aside.
func (s *shift) converse(ctx context.Context, c *parley.Conversation, owed []parley.Message) (again bool, err error) {
	to := stack.Aside(func() *target {
		to, err := s.d.targets.of(ctx, s.lane.Receiver)
		if err != nil {
			return nil
		}
		return to
	})
	if to == nil || !to.bot() { // gone, or somebody else's work from now on
		return s.deliver(ctx, c, owed)
	}
	for i := range owed {
		if ready, err := s.ready(ctx); err != nil || !ready {
			return false, err
		}
		if to, err = s.pace(ctx, to); err != nil {
			return false, s.failedOurselves(ctx, err)
		}
		at := s.d.config.Clock()
		res := s.think(ctx, c, &owed[i])
		if stay, err := s.heard(ctx, to, &owed[i], at, res); err != nil || !stay {
			return false, err
		}
	}
	return true, nil
}

// heard does what became of a turn.
func (s *shift) heard(ctx context.Context, to *target, m *parley.Message, at time.Time, res *result) (stay bool, err error) {
	if res.ours != nil {
		return false, s.cannot(ctx, res.ours)
	}
	s.record(m, at, res)
	return s.settle(ctx, to, m, res)
}

// think has a bot that the hub runs answer a message, and keeps the lane for as long as that takes. A turn is asked for once: what
// becomes of one that failed the hub decides, so the delivery is over in any case.
func (s *shift) think(ctx context.Context, c *parley.Conversation, m *parley.Message) *result {
	start := s.d.config.Clock()
	if s.d.config.Bots == nil {
		return &result{ours: errors.New("this process runs no bots")}
	}
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	k := keeping{shift: s, ctx: ctx, lost: cancel}
	k.mu.Lock()
	k.timer = time.AfterFunc(lease/3, k.again)
	k.mu.Unlock()
	problem, err := s.d.config.Bots.Answer(asked, s.lane.Receiver, c, m)
	if lost := k.end(); lost != nil { // somebody else has the lane, and asks the bot
		return &result{ours: lost}
	}
	return &result{outcome: Delivered, problem: problem, ours: err, took: s.d.config.Clock().Sub(start)}
}

// A keeping keeps the lane of a shift while that waits. A timer does it, not a goroutine: thousands may wait.
type keeping struct {
	shift *shift
	ctx   context.Context
	lost  func() // called once the lane is somebody else's
	timer *time.Timer

	mu   sync.Mutex // held while the lane is extended: the shift is not touched meanwhile
	over bool
	err  error
}

func (k *keeping) again() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	if k.err = k.shift.keep(k.ctx); k.err != nil {
		k.over = true
		k.lost()
		return
	}
	k.timer.Reset(lease / 3)
}

// end stops it, and says why the lane was lost, if it was.
func (k *keeping) end() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	k.timer.Stop()
	return k.err
}
