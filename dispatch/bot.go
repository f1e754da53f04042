package dispatch

import (
	"context"
	"errors"
	"time"

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

// think has a bot that the hub runs answer a message, and keeps the lane for as long as that takes. A turn is asked for once: what
// becomes of one that failed the hub decides, so the delivery is over in any case.
func (s *shift) think(ctx context.Context, c *parley.Conversation, m *parley.Message) result {
	start := s.d.config.Clock()
	if s.d.config.Bots == nil {
		return result{ours: errors.New("this process runs no bots")}
	}
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	type said struct {
		problem string
		err     error
	}
	answer := make(chan said, 1)
	go func() {
		problem, err := s.d.config.Bots.Answer(asked, s.lane.Receiver, c, m)
		answer <- said{problem, err}
	}()
	tick := time.NewTicker(lease / 3)
	defer tick.Stop()
	for {
		select {
		case a := <-answer:
			return result{outcome: Delivered, problem: a.problem, ours: a.err, took: s.d.config.Clock().Sub(start)}
		case <-tick.C:
			if err := s.keep(ctx); err != nil { // somebody else has the lane, and asks the bot
				cancel()
				<-answer
				return result{ours: err}
			}
		}
	}
}
