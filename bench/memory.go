package bench

import (
	"context"
	"fmt"
)

// memory is case (d): what an idle joined session costs, beside a connection of a bare relay. The relay's connections do
// nothing but wait; a hub's session is a customer who is in a conversation of her own.
func memory(ctx context.Context, o Options, t Target, report *Report) error {
	for _, n := range o.Idle {
		name := fmt.Sprintf("idle, %d sessions", n)
		for range o.Repeats {
			if err := idleRelay(ctx, n, t, report, name); err != nil {
				return err
			}
			if err := idleHub(ctx, n, t, report, name); err != nil {
				return err
			}
		}
	}
	return nil
}

const kibPerSession = "KiB a session"

func idleRelay(ctx context.Context, n int, t Target, report *Report, name string) error {
	s, err := startRelay(ctx, "plain")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	before, err := s.residentKiB(ctx)
	if err != nil {
		return err
	}
	pairs, err := relayPairs(ctx, s, n/2)
	defer closePairs(pairs)
	if err != nil {
		return err
	}
	after, err := s.residentKiB(ctx)
	if err != nil {
		return err
	}
	report.note(t, name, "relay", kibPerSession, (after-before)/float64(n))
	return nil
}

func idleHub(ctx context.Context, n int, t Target, report *Report, name string) error {
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	address := unique("idle")
	if err := a.makeAccount(ctx, address, ""); err != nil {
		return err
	}
	before, err := s.residentKiB(ctx)
	if err != nil {
		return err
	}
	sessions := make([]*session, n)
	defer func() {
		for _, s := range sessions {
			if s != nil {
				_ = s.conn.CloseNow() // the measurement is over
			}
		}
	}()
	if err := each(n, func(i int) (err error) {
		sessions[i], _, err = a.joined(ctx, address)
		return err
	}); err != nil {
		return err
	}
	for _, s := range sessions {
		go s.answer() // ends with its connection
	}
	after, err := s.residentKiB(ctx)
	if err != nil {
		return err
	}
	report.note(t, name, "hub", kibPerSession, (after-before)/float64(n))
	return nil
}
