package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"parley"
)

// waiting measures turns that wait for a slow bot: what each costs in memory, and what all of them cost the turns of another bot. A bot that is asked
// by webhook has the hub wait for it; one with a callback says its answers when it has them.
func waiting(ctx context.Context, o Options, t Target, report *Report) error {
	for range o.Repeats {
		for _, connector := range []parley.Connector{parley.ConnectorWebhook, parley.ConnectorCallback} {
			if err := waitOnce(ctx, o, t, report, connector); err != nil {
				return err
			}
		}
	}
	return nil
}

func waitOnce(ctx context.Context, o Options, t Target, report *Report, connector parley.Connector) error {
	bot, err := startTurnBot(ctx)
	if err != nil {
		return err
	}
	defer bot.close()
	name := fmt.Sprintf("turns, %d/s, beside %d that wait for a %s", besideRate, o.Waiting, connector)
	if connector == parley.ConnectorWebhook {
		if err := bot.forwarded(ctx, o, t, report, name); err != nil {
			return err
		}
	}
	bot.hold()
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	fast, err := a.turnCaller(ctx, parley.ConnectorWebhook, bot.url+"/fast", 4*besideRate/keyRate)
	if err != nil {
		return err
	}
	slow, err := a.slowCaller(ctx, bot, connector, o.Waiting)
	if err != nil {
		return err
	}
	codes, err := fast.sessions(ctx, turnSessions)
	if err != nil {
		return err
	}
	note := func(side string) error {
		took, err := fast.beside(ctx, besideRate, o.Measure, codes)
		if err != nil {
			return err
		}
		report.note(t, name, side, "p50 ms", milliseconds(percentile(took, 0.5)))
		report.note(t, name, side, "p99 ms", milliseconds(percentile(took, 0.99)))
		return nil
	}
	if err := note("alone"); err != nil {
		return err
	}
	kib, release, err := bot.wait(ctx, o, s, func(i int) error {
		_, err := slow.turn(ctx, i, "", fmt.Sprint("slow ", i))
		return err
	})
	if err != nil {
		return err
	}
	report.note(t, name, "hub", kibWaiting, kib)
	return errors.Join(note("hub"), release())
}

const kibWaiting = "KiB a waiting turn"

// slowCaller makes a bot that keeps so many turns waiting at once.
func (a *api) slowCaller(ctx context.Context, bot *turnBot, connector parley.Connector, turns int) (*turnCaller, error) {
	keys := (turns + turnsOfKey - 1) / turnsOfKey
	if connector == parley.ConnectorWebhook {
		return a.turnCaller(ctx, connector, bot.url+"/slow", keys)
	}
	c, err := a.turnCaller(ctx, connector, bot.url+"/callback", keys)
	if err != nil {
		return nil, err
	}
	speaker := &api{base: a.base}
	if speaker.token, err = a.roleToken(ctx, c.bot, "custom_bot"); err != nil {
		return nil, err
	}
	bot.says = func(conversation, text string) error {
		body, err := json.Marshal(object{"messages": object{"message": []object{{"type": object{"value": "text"}, "conversation": object{"id": conversation},
			"sender": object{"type": "custom_bot"}, "content": object{"text": text}}}}})
		if err != nil {
			return err
		}
		return speaker.do(ctx, conversationmgr+"/conversations/messages", "application/json", bytes.NewReader(body), &struct{}{})
	}
	return c, nil
}

// forwarded is the baseline: calls that wait for the bot in a process that does nothing but forward them.
func (b *turnBot) forwarded(ctx context.Context, o Options, t Target, report *Report, name string) error {
	s, err := startBaseline(ctx, "--forward-to", b.url+"/slow")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	caller := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 4096}}
	defer caller.CloseIdleConnections()
	kib, release, err := b.wait(ctx, o, s, func(i int) error {
		text := fmt.Sprint("forwarded ", i)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(`{"text":"`+text+`"}`))
		if err == nil {
			_, err = answered(caller, req, answerTo(text))
		}
		return err
	})
	if err != nil {
		return err
	}
	report.note(t, name, "plain forwarder", kibWaiting, kib)
	return release()
}

// wait makes calls that wait for the bot, and says what each costs a server in KiB once all do. release lets the bot answer, and says whether
// each call had its answer.
func (b *turnBot) wait(ctx context.Context, o Options, s *server, call func(i int) error) (kib float64, release func() error, err error) {
	before, err := s.residentKiB(ctx, o.Settle)
	if err != nil {
		return 0, nil, err
	}
	var calls sync.WaitGroup
	errs := make(chan error, o.Waiting)
	for i := range o.Waiting {
		calls.Go(func() { errs <- call(i) })
	}
	for until := time.Now().Add(30 * time.Second); b.waiting.Load() < int64(o.Waiting); {
		if time.Now().After(until) {
			return 0, nil, fmt.Errorf("%d of %d turns reached the bot", b.waiting.Load(), o.Waiting)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, nil, err
		}
	}
	after, err := s.residentKiB(ctx, o.Settle)
	return (after - before) / float64(o.Waiting), func() error {
		close(*b.release.Load())
		calls.Wait()
		close(errs)
		var failed []error
		if err := b.failed.Load(); err != nil {
			failed = append(failed, *err)
		}
		for err := range errs {
			failed = append(failed, err)
		}
		return errors.Join(failed...)
	}, err
}
