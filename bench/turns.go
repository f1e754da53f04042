package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// turnRate is turns a second while the overhead is measured, and besideRate while many others wait.
	turnRate, besideRate = 100, 50
	// turnSessions are the sessions over which they are spread.
	turnSessions = 100
	// turnsOfKey is how many turns one API key may have at once (reference/broker.md 14), and keyRate how many a second.
	turnsOfKey, keyRate = 20, 10
)

// A webhookBot is a bot that is asked by webhook. It answers at once; what is asked below /slow waits for a word.
type webhookBot struct {
	server  *http.Server
	url     string
	waiting atomic.Int64
	release atomic.Pointer[chan struct{}]
}

func startWebhookBot(ctx context.Context) (*webhookBot, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &webhookBot{url: "http://" + l.Addr().String()}
	b.hold()
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = b.server.Serve(l) }() // ends with Close
	return b, nil
}

func (b *webhookBot) hold() { b.release.Store(new(make(chan struct{}))) }

// ServeHTTP answers with what was asked.
func (b *webhookBot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Text string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.URL.Path == "/slow" {
		b.waiting.Add(1)
		select {
		case <-*b.release.Load():
		case <-r.Context().Done():
		}
		b.waiting.Add(-1)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object{"answers": []object{{"content": "answer to " + in.Text}}}) // the caller tells if it is not there
}

// A turnCaller calls the broker surface for one bot.
type turnCaller struct {
	client *http.Client
	path   string
	keys   []string
}

// turnCaller makes a bot at that URL, and keys for so many turns at once or a second.
func (a *api) turnCaller(ctx context.Context, url string, keys int) (*turnCaller, error) {
	post := func(path string, in object, out any) error {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		return a.do(ctx, path, "application/json", bytes.NewReader(body), out)
	}
	var bot struct{ ID, ChannelID string }
	if err := post("/admin/v1/bots", object{"name": unique("bot"), "connector": object{"kind": "webhook", "url": url}, "turnDeadlineSeconds": 60}, &bot); err != nil {
		return nil, err
	}
	c := &turnCaller{client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 4096}},
		path: a.base + "/org/" + defaultOrganisation + "/env/" + defaultTenant + "/bot/" + bot.ID + "/channel/" + bot.ChannelID + "/v1/conversations"}
	for range keys {
		var key struct{ Key string }
		if err := post("/admin/v1/keys", object{"kind": "broker", "name": "bench"}, &key); err != nil {
			return nil, err
		}
		c.keys = append(c.keys, key.Key)
	}
	return c, nil
}

// Ids of the tenant that every hub has; see the root package.
const (
	defaultOrganisation = "00000000-0000-7000-8000-000000000001"
	defaultTenant       = "00000000-0000-7000-8000-000000000002"
)

// turn says something in a session, "" = a new one, and wants the bot's answer to it.
func (c *turnCaller) turn(ctx context.Context, n int, session, text string) (string, error) {
	path := c.path
	if session != "" {
		path += "/" + session
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(`{"text":"`+text+`"}`))
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{"Api-Key": c.keys[n%len(c.keys)], "Os": "Linux", "User-Ref": "203.0.113.7", "Locale": "en-US", "Content-Type": "application/json"} {
		req.Header.Set(name, value)
	}
	answer, err := answered(c.client, req, "answer to "+text)
	if err != nil {
		return "", err
	}
	var out struct{ SessionCode string }
	return out.SessionCode, errors.Join(json.Unmarshal(answer, &out))
}

// answered makes a request, whose answer must have a text: all of it, since the answer to one that has number 1 is how that to number 10 begins.
func answered(client *http.Client, req *http.Request, want string) ([]byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"`+want+`"`))) {
		err = fmt.Errorf("%s = %d %s, want %s", req.URL.Path, res.StatusCode, body, want)
	}
	return body, err
}

// paced calls do so many times a second for a while, whether or not the calls before have returned, and says how long each took.
func paced(ctx context.Context, rate int, long time.Duration, do func(i int) error) ([]time.Duration, error) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var calls sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	for i, until := 0, time.Now().Add(long); time.Now().Before(until); i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errStopped
		}
		calls.Go(func() {
			began := time.Now()
			err := do(i)
			mu.Lock()
			defer mu.Unlock()
			took, failed = append(took, time.Since(began)), errors.Join(failed, err)
		})
	}
	calls.Wait()
	slices.Sort(took)
	return took, failed
}

// sessions begins so many sessions, slowly enough for the keys.
func (c *turnCaller) sessions(ctx context.Context, n int) ([]string, error) {
	codes := make([]string, n)
	_, err := paced(ctx, len(c.keys)*keyRate/2, time.Duration(n)*time.Second/time.Duration(len(c.keys)*keyRate/2)+time.Second, func(i int) (err error) {
		if i < n {
			codes[i], err = c.turn(ctx, i, "", fmt.Sprint("first ", i))
		}
		return err
	})
	return codes, err
}

// turns measures what the hub adds to a bot: the time of a turn over the broker surface, beside the same question put to the bot itself.
func turns(ctx context.Context, o Options, t Target, report *Report) error {
	bot, err := startWebhookBot(ctx)
	if err != nil {
		return err
	}
	defer bot.server.Close()
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	c, err := a.turnCaller(ctx, bot.url+"/fast", 4*turnRate/keyRate)
	if err != nil {
		return err
	}
	codes, err := c.sessions(ctx, turnSessions)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("turns, %d/s", turnRate)
	for range o.Repeats {
		plain, err := paced(ctx, turnRate, o.Measure, func(i int) error {
			text := fmt.Sprint("plain ", i)
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, bot.url+"/fast", strings.NewReader(`{"text":"`+text+`"}`))
			if err == nil {
				_, err = answered(c.client, req, "answer to "+text)
			}
			return err
		})
		if err != nil {
			return err
		}
		before := s.usage(ctx)
		hub, err := c.beside(ctx, turnRate, o.Measure, codes)
		if err != nil {
			return err
		}
		used := s.usage(ctx).minus(before).cpu.per(int64(len(hub)))
		for _, p := range []float64{0.5, 0.99} {
			unit := fmt.Sprintf("p%.0f ms", 100*p)
			direct, whole := milliseconds(percentile(plain, p)), milliseconds(percentile(hub, p))
			report.note(t, name, "the bot alone", unit, direct)
			report.note(t, name, "hub", unit, whole)
			report.note(t, name+", what the hub adds", "overhead", unit, max(0, whole-direct))
		}
		report.note(t, name, "hub", "server CPU s/100k", used.server)
	}
	return nil
}

// beside has turns at a rate in sessions that there are, and says how long each took.
func (c *turnCaller) beside(ctx context.Context, rate int, long time.Duration, codes []string) ([]time.Duration, error) {
	return paced(ctx, rate, long, func(i int) error {
		_, err := c.turn(ctx, i, codes[i%len(codes)], fmt.Sprint("turn ", i))
		return err
	})
}

// waiting measures turns that wait for a slow bot: what each costs in memory, and what all of them cost the turns of another bot.
func waiting(ctx context.Context, o Options, t Target, report *Report) error {
	for range o.Repeats {
		if err := waitOnce(ctx, o, t, report); err != nil {
			return err
		}
	}
	return nil
}

func waitOnce(ctx context.Context, o Options, t Target, report *Report) error {
	bot, err := startWebhookBot(ctx)
	if err != nil {
		return err
	}
	defer bot.server.Close()
	name := fmt.Sprintf("turns, %d/s, beside %d that wait", besideRate, o.Waiting)
	if err := bot.forwarded(ctx, o, t, report, name); err != nil {
		return err
	}
	bot.hold()
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	fast, err := a.turnCaller(ctx, bot.url+"/fast", 4*besideRate/keyRate)
	if err != nil {
		return err
	}
	slow, err := a.turnCaller(ctx, bot.url+"/slow", (o.Waiting+turnsOfKey-1)/turnsOfKey)
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

// forwarded is the baseline: calls that wait for the bot in a process that does nothing but forward them.
func (b *webhookBot) forwarded(ctx context.Context, o Options, t Target, report *Report, name string) error {
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
			_, err = answered(caller, req, "answer to "+text)
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
func (b *webhookBot) wait(ctx context.Context, o Options, s *server, call func(i int) error) (kib float64, release func() error, err error) {
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
		for err := range errs {
			failed = append(failed, err)
		}
		return errors.Join(failed...)
	}, err
}
