package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"parley"
)

const (
	// turnRate is turns a second while the overhead is measured, and besideRate while many others wait.
	turnRate, besideRate = 100, 50
	// turnSessions are the sessions over which they are spread.
	turnSessions = 100
	// turnsOfKey is how many turns one API key may have at once (reference/broker.md 14), and keyRate how many a second.
	turnsOfKey, keyRate = 20, 10
)

// A turnCaller calls the broker surface for one bot.
type turnCaller struct {
	bot    string
	client *http.Client
	path   string
	keys   []string
}

// turnCaller makes a bot that is asked so at that URL, and keys for so many turns at once or a second.
func (a *api) turnCaller(ctx context.Context, connector parley.Connector, url string, keys int) (*turnCaller, error) {
	post := func(path string, in object, out any) error {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		return a.do(ctx, path, "application/json", bytes.NewReader(body), out)
	}
	var bot struct{ ID, ChannelID string }
	if err := post("/admin/v1/bots", object{"name": unique("bot"), "connector": object{"kind": connector, "url": url}, "turnDeadlineSeconds": 60}, &bot); err != nil {
		return nil, err
	}
	c := &turnCaller{bot: bot.ID, client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 4096}},
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
	answer, err := answered(c.client, req, answerTo(text))
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
	bot, err := startTurnBot(ctx)
	if err != nil {
		return err
	}
	defer bot.close()
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	c, err := a.turnCaller(ctx, parley.ConnectorWebhook, bot.url+"/fast", 4*turnRate/keyRate)
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
				_, err = answered(c.client, req, answerTo(text))
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
