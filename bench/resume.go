package bench

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"
)

// resume measures what a drop costs: the first page and all of a long absence, and many sessions that come back at once.
func resume(ctx context.Context, o Options, t Target, report *Report) error {
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	address := unique("resume")
	if err := a.makeAccount(ctx, address, ""); err != nil {
		return err
	}
	token, err := a.agentToken(ctx)
	if err != nil {
		return err
	}
	agent, err := a.connect(ctx, token)
	if err != nil {
		return err
	}
	defer func() { _ = agent.conn.CloseNow() }()
	if err := longAbsence(ctx, o, t, a, agent, address, report); err != nil {
		return err
	}
	return allAtOnce(ctx, o, t, a, agent, address, report)
}

const firstPage = 100

// longAbsence lets a customer miss many messages.
func longAbsence(ctx context.Context, o Options, t Target, a *api, agent *session, address string, report *Report) error {
	anna, conversation, err := a.joined(ctx, address)
	if err != nil {
		return err
	}
	_ = anna.conn.CloseNow() // it drops
	if err := tell(ctx, agent, slices.Repeat([]string{conversation}, o.Missed)); err != nil {
		return err
	}
	name := fmt.Sprintf("resume, %d messages missed", o.Missed)
	for range o.Repeats {
		start := time.Now()
		back, err := a.again(ctx, anna.token, conversation)
		if err != nil {
			return err
		}
		for seen := 0; seen < o.Missed; {
			n, err := back.messages(ctx)
			if err != nil {
				return err
			}
			if seen < firstPage && seen+n >= firstPage {
				report.note(t, name, "hub", "ms to the first 100", milliseconds(time.Since(start)))
			}
			seen += n
		}
		report.note(t, name, "hub", "ms to all", milliseconds(time.Since(start)))
		_ = back.conn.CloseNow() // the measurement is over
	}
	return nil
}

// allAtOnce drops many sessions, each of which misses a message, and lets them come back at the same time.
func allAtOnce(ctx context.Context, o Options, t Target, a *api, agent *session, address string, report *Report) error {
	sessions, conversations := make([]*session, o.Return), make([]string, o.Return)
	if err := each(o.Return, func(i int) (err error) {
		sessions[i], conversations[i], err = a.joined(ctx, address)
		return err
	}); err != nil {
		return err
	}
	name := fmt.Sprintf("resume, %d sessions at once", o.Return)
	for range o.Repeats {
		for _, s := range sessions {
			_ = s.conn.CloseNow() // it drops
		}
		if err := tell(ctx, agent, conversations); err != nil {
			return err
		}
		took := make([]time.Duration, o.Return)
		start := time.Now()
		if err := atOnce(o.Return, o.Return, func(i int) error {
			back, err := a.again(ctx, sessions[i].token, conversations[i])
			if err != nil {
				return err
			}
			sessions[i].conn = back.conn
			_, err = back.messages(ctx)
			took[i] = time.Since(start)
			return err
		}); err != nil {
			return err
		}
		slices.Sort(took)
		report.note(t, name, "hub", "s to the median one", percentile(took, 0.5).Seconds())
		report.note(t, name, "hub", "s to the last one", took[len(took)-1].Seconds())
	}
	for _, s := range sessions {
		_ = s.conn.CloseNow() // the measurement is over
	}
	return nil
}

// again connects and goes on after the first message.
func (a *api) again(ctx context.Context, token, conversation string) (*session, error) {
	back, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	_, err = back.ask(ctx, "connect", object{"token": token, "resume": []object{{"conversation": conversation, "after": 1}}})
	return back, err
}

// messages reads frames until one holds messages, and says how many.
func (s *session) messages(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	if n := s.early; n > 0 { // came in the frame of the reply
		s.early = 0
		return n, nil
	}
	for {
		_, frame, err := s.conn.Read(ctx)
		if err != nil {
			return 0, err
		}
		if n := countMessages(frame); n > 0 {
			return n, nil
		}
	}
}

func countMessages(frame []byte) (n int) {
	for line := range bytes.SplitSeq(frame, []byte("\n")) {
		if bytes.HasPrefix(line, []byte(messagePrefix)) {
			n++
		}
	}
	return n
}

// tell lets the agent say something in each conversation, and waits for the acks.
func tell(ctx context.Context, agent *session, conversations []string) error {
	const window = 200 // a conversation takes 256 at a time
	for len(conversations) > 0 {
		n := min(len(conversations), window)
		var frame []byte
		for _, id := range conversations[:n] {
			agent.n++
			frame = fmt.Appendf(frame, `{"id":"%d","post":{"messageId":"t%d","type":{"value":"text"},"content":{"text":"%s"},"conversation":{"id":"%s"}}}`+"\n",
				agent.n, agent.n, padding, id)
		}
		if err := agent.write(ctx, frame); err != nil {
			return err
		}
		for acked := 0; acked < n; {
			bounded, cancel := context.WithTimeout(ctx, clientTimeout)
			_, in, err := agent.conn.Read(bounded)
			cancel()
			if err != nil {
				return err
			}
			for line := range bytes.SplitSeq(in, []byte("\n")) {
				switch {
				case bytes.HasPrefix(line, []byte(ackPrefix)):
					acked++
				case bytes.HasPrefix(line, []byte(`{"heartbeat"`)):
					if err := agent.write(ctx, []byte(`{"heartbeat":{}}`)); err != nil {
						return err
					}
				case bytes.HasPrefix(line, []byte(`{"error"`)):
					return fmt.Errorf("the hub refused a message: %s", line)
				}
			}
		}
		conversations = conversations[n:]
	}
	return nil
}
