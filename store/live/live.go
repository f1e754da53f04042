package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"parley"
)

var _ parley.Live = (*Live)(nil)

// An announcement is what one node tells the others in one message.
type announcement struct {
	Node  string        `json:"n"`
	Hints []parley.Hint `json:"h"`
}

// aloneFor is how long a node that found nobody else listening says nothing. A node that joins greets the others, so
// they speak again at once.
const aloneFor = 2 * time.Second

// lost is what a node says after hints of it may not have been heard.
var lost = []parley.Hint{{Kind: parley.HintLost}}

// Publish implements [parley.Live]. While no other node listens it does nothing: Redis says how many heard the last
// announcement. What was not said then is made up for by one HintLost as soon as somebody listens: a node whose own
// subscription broke, too, does not hear that others are back.
func (l *Live) Publish(ctx context.Context, hints []parley.Hint) error {
	if l.isAlone() {
		l.unsaid.Store(true)
		if l.isAlone() { // still: else whoever greeted us did not see the mark
			return nil
		}
	}
	if l.unsaid.Swap(false) {
		hints = append(slices.Clip(hints), lost...)
	}
	heard, err := l.announce(ctx, hints)
	if err != nil || heard <= 1 { // ourselves, at most
		l.unsaid.Store(true)
	}
	if err == nil && heard <= 1 {
		l.alone.Store(time.Now().Add(aloneFor).UnixNano())
	}
	return err
}

func (l *Live) isAlone() bool { return time.Now().UnixNano() < l.alone.Load() }

// greet tells the other nodes that we are there, or heard that they are, and whether they missed anything of ours.
func (l *Live) greet(ctx context.Context) error {
	l.alone.Store(0)
	var hints []parley.Hint
	if l.unsaid.Swap(false) {
		hints = lost
	}
	if _, err := l.announce(ctx, hints); err != nil {
		l.unsaid.Store(true)
		return fmt.Errorf("greet the other nodes: %w", err)
	}
	return nil
}

// announce sends hints and says how many nodes heard them.
func (l *Live) announce(ctx context.Context, hints []parley.Hint) (heard int64, err error) {
	text, err := json.Marshal(announcement{l.node, hints})
	if err != nil {
		return 0, err
	}
	return l.client.Publish(ctx, l.prefix+"hints", text).Result()
}

// askAfter is how long a subscription may be silent before it is asked for a sign of life, and how long that may take.
const askAfter = 3 * time.Second

// errSilent ends a subscription that gives no sign of life: go-redis notices only connections that refuse to be written to.
var errSilent = errors.New("the subscription to hints is silent")

// Hints implements [parley.Live]. Hints are not queued here: should fn be slow for long, Redis ends the subscription, and
// the next one begins with a HintLost.
func (l *Live) Hints(ctx context.Context, fn func(parley.Hint)) error {
	sub := l.client.Subscribe(ctx, l.prefix+"hints")
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })() // Receive does not look at ctx while it waits
	if _, err := sub.ReceiveTimeout(ctx, askAfter); err != nil {
		return fmt.Errorf("subscribe to hints: %w", err)
	}
	if err := l.greet(ctx); err != nil {
		return err
	}
	fn(lost[0]) // before, nobody listened
	for asked := false; ; {
		got, err := sub.ReceiveTimeout(ctx, askAfter)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			if asked {
				return errSilent
			}
			asked = true
			err = sub.Ping(ctx)
		} else if err == nil {
			asked = false
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("listen to hints: %w", err)
		}
		m, ok := got.(*redis.Message)
		if !ok {
			continue
		}
		var a announcement
		if json.Unmarshal([]byte(m.Payload), &a) != nil || a.Node == l.node {
			continue // not ours to read, or our own
		}
		if l.alone.Swap(0) != 0 && l.unsaid.Load() {
			if err := l.greet(ctx); err != nil {
				return err
			}
		}
		for _, h := range a.Hints {
			fn(h)
		}
	}
}

// Join implements [parley.Live].
func (l *Live) Join(ctx context.Context, key, session string, ttl time.Duration) error {
	name := l.prefix + "present:" + key
	_, err := l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, name, redis.Z{Score: float64(time.Now().Add(ttl).UnixMilli()), Member: session})
		p.PExpire(ctx, name, ttl)
		return nil
	})
	return err
}

// Leave implements [parley.Live].
func (l *Live) Leave(ctx context.Context, key, session string) error {
	return l.client.ZRem(ctx, l.prefix+"present:"+key, session).Err()
}

// Present implements [parley.Live].
func (l *Live) Present(ctx context.Context, keys ...string) ([]int, error) {
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	counted, err := l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.ZCount(ctx, l.prefix+"present:"+key, "("+now, "+inf")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	present := make([]int, len(keys))
	for i := range counted {
		present[i] = int(counted[i].(*redis.IntCmd).Val())
	}
	return present, nil
}

// samplesFor is how long samples are kept after the last one.
const samplesFor = time.Hour

// Sample implements [parley.Live].
func (l *Live) Sample(ctx context.Context, key string, value int64) error {
	name := l.prefix + "samples:" + key
	_, err := l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.LPush(ctx, name, value)
		p.LTrim(ctx, name, 0, parley.MaxSamples-1)
		p.PExpire(ctx, name, samplesFor)
		return nil
	})
	return err
}

// Samples implements [parley.Live].
func (l *Live) Samples(ctx context.Context, key string) ([]int64, error) {
	var kept []int64
	err := l.client.LRange(ctx, l.prefix+"samples:"+key, 0, parley.MaxSamples-1).ScanSlice(&kept)
	return kept, err
}

var (
	lockScript = redis.NewScript(`
local holder = redis.call("GET", KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`)
	unlockScript = redis.NewScript(`
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
return 0`)
	// allowScript counts in fixed windows; it answers how many milliseconds are left when the rate is used up, else 0.
	allowScript = redis.NewScript(`
local n = redis.call("INCR", KEYS[1])
if n == 1 then redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
if n <= tonumber(ARGV[1]) then return 0 end
local left = redis.call("PTTL", KEYS[1])
if left < 1 then left = 1 end
return left`)
)

// Lock implements [parley.Live].
func (l *Live) Lock(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	n, err := lockScript.Run(ctx, l.client, []string{l.prefix + "lock:" + name}, token, ttl.Milliseconds()).Int()
	return n == 1, err
}

// Unlock implements [parley.Live].
func (l *Live) Unlock(ctx context.Context, name, token string) error {
	return unlockScript.Run(ctx, l.client, []string{l.prefix + "lock:" + name}, token).Err()
}

// Allow implements [parley.Live].
func (l *Live) Allow(ctx context.Context, key string, rate int, window time.Duration) (bool, time.Duration, error) {
	left, err := allowScript.Run(ctx, l.client, []string{l.prefix + "rate:" + key}, rate, window.Milliseconds()).Int64()
	return left == 0, time.Duration(left) * time.Millisecond, err
}

// Ping implements [parley.Live].
func (l *Live) Ping(ctx context.Context) error { return l.client.Ping(ctx).Err() }
