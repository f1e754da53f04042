package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A thinker is what runs bots; answer is told how often they were asked, from 1.
type thinker struct {
	answer func(n int, m *parley.Message) (problem string, err error)

	mu    sync.Mutex
	asked []string
}

func (b *thinker) Answer(_ context.Context, _ parley.Receiver, _ *parley.Conversation, m *parley.Message) (string, error) {
	b.mu.Lock()
	b.asked = append(b.asked, m.Body.Content.Text)
	n := len(b.asked)
	b.mu.Unlock()
	return b.answer(n, m)
}

func (b *thinker) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// A bot that the hub runs is asked for each message in order, more of them than are read together. One that it failed is over; one that could
// not be asked is asked again, and what comes after it waits.
func TestBotIsAskedInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app := open(t), ident.New[parley.ClientApplication]()
		b := &thinker{answer: func(n int, _ *parley.Message) (string, error) {
			switch n {
			case 2:
				return "it failed", nil
			case 3:
				return "", errors.New("the store is away")
			}
			return "", nil
		}}
		application(t, s, app, parley.BotCallback, nil)
		d := start(t, s, func(c *Config) {
			c.Bots = b
			c.Sweep = ourFault / 50 // it is due again after that
		})
		_, wake := says(t, s, owedPage+5, app)
		d.Wake(parley.Committed{Wake: wake})
		var want []string
		for i := range owedPage + 5 {
			want = append(want, fmt.Sprintf("message %d", i+1))
		}
		want = slices.Insert(want, 2, want[2])
		waitFor(t, "all answers", func() bool { return len(b.heard()) >= len(want) })
		if got := b.heard(); !slices.Equal(got, want) {
			t.Errorf("the bot was asked %q, want %q", got, want)
		}
	})
}

// While a bot thinks, somebody makes it one that has a callback. What it was asked is over, and what comes after that is posted.
func TestBotThatGetsACallback(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	var d *Dispatcher
	var steps []*parley.Step
	b := &thinker{answer: func(n int, _ *parley.Message) (string, error) {
		err := s.Update(t.Context(), func(tx parley.Tx) error {
			a, err := tx.Applications().Find(t.Context(), parley.DefaultTenant, app)
			if err != nil {
				return err
			}
			a.Roles[0].Callback = r.URL
			return tx.Applications().Replace(t.Context(), &a, nil)
		})
		d.Forget()
		storetest.MustCommit(t, s, storetest.Say(steps[0].Conversation, parley.Customer, "", 2))
		return "", err
	}}
	application(t, s, app, parley.BotCallback, nil)
	d = start(t, s, func(c *Config) { c.Bots = b })
	steps, wake := says(t, s, 1, app)
	d.Wake(parley.Committed{Wake: wake})
	waitFor(t, "the callback", func() bool { return len(r.got()) == 1 })
	if got := r.got()[0].text; got != "message 2" || len(b.heard()) != 1 {
		t.Errorf("the callback got %q, and the bot was asked %q; want it to get message 2 after the bot was asked once", got, b.heard())
	}
}
