package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"parley"
)

// A Setup says what a case runs on.
type Setup struct {
	Postgres bool          // and an external Redis; else SQLite and the hub's private Redis
	Hubs     int           // processes on the same record; zero means 1
	Volume   int           // MiB of a file system of its own for the data; zero = the temporary folder
	Twice    bool          // every frame and REST post is sent twice, every callback's first answer is lost
	Slow     time.Duration // receivers answer within this
	Skew     time.Duration // by how much the second hub's clock is ahead of the first one's; needs Clock
	Clock    bool          // the hubs' clock can be set
	Pace     time.Duration // between two messages of a customer, on average; zero means 100 ms
	Each     int           // customers of each kind; zero means 3
}

// A World is a case's processes, proxies, clients and receivers, and what is measured of them.
type World struct {
	setup    Setup
	stage    *Stage
	dir      string
	volume   *volume
	database string // as the record is read: past the proxies
	hubs     []*hub
	redis    *Proxy // between hubs and Redis; nil = private
	postgres *Proxy // between hubs and PostgreSQL; nil = SQLite
	callback *Proxy // between hubs and receivers
	receiver *receiver
	clock    *clock // of the hubs; nil = the machine's

	customers []*session
	agents    []*session
	posters   []*poster
	bot       *poster
	clients   sync.WaitGroup
	botWork   sync.WaitGroup
	texts     chan Arrival
	stopTalk  context.CancelFunc // ends the customers' talking
	hangUp    context.CancelFunc // ends the clients

	moments  atomic.Int64
	ready    atomic.Pointer[time.Time] // since when clients can reach what they need
	mu       sync.Mutex
	resumes  []time.Duration
	starts   []time.Duration
	kills    []time.Time
	faults   []string
	troubles map[string]int
}

// A Stage is what the worlds of a campaign share: the binary under test, a folder, and servers that start with the first
// world that needs them. One world runs at a time, for what it does to the servers is felt by all.
type Stage struct {
	binary   string
	clocked  string // the same with a clock that can be set; "" = not built yet
	dir      string
	redis    *redisServer
	postgres *postgresServer
	worlds   int
}

// NewStage makes a stage in a temporary folder, through which everybody may pass: PostgreSQL may run as a user of its own.
func NewStage(binary string) (*Stage, error) {
	dir, err := os.MkdirTemp("", "parley-chaos-")
	if err != nil {
		return nil, err
	}
	return &Stage{binary: binary, dir: dir}, os.Chmod(dir, 0o711)
}

// servers starts a private Redis and a private PostgreSQL. [ErrMissing]: one of them is not installed.
func (s *Stage) servers(ctx context.Context) (err error) {
	if s.postgres != nil {
		return nil
	}
	for _, sub := range []string{"redis", "postgres"} {
		if err := os.Mkdir(filepath.Join(s.dir, sub), 0o711); err != nil {
			return err
		}
	}
	if s.redis, err = newRedis(ctx, filepath.Join(s.dir, "redis")); err != nil {
		return err
	}
	s.postgres, err = newPostgres(ctx, filepath.Join(s.dir, "postgres"))
	return err
}

// withClock is the program with a clock that can be set.
func (s *Stage) withClock(ctx context.Context) (string, error) {
	if s.clocked != "" {
		return s.clocked, nil
	}
	dir := filepath.Join(s.dir, "clock")
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		s.clocked, err = buildClock(ctx, dir)
	}
	return s.clocked, err
}

// Close ends the servers at once, for nobody will read them again, and removes the folder.
func (s *Stage) Close() error {
	if s.redis != nil && s.redis.process != nil {
		s.redis.kill()
	}
	if s.postgres != nil && s.postgres.process != nil {
		_ = s.postgres.crash() // it is gone then, one way or the other
	}
	return os.RemoveAll(s.dir)
}

// newWorld starts everything that a case needs, and sets the shop up. On an error nothing is left.
func newWorld(ctx context.Context, stage *Stage, setup Setup) (w *World, err error) {
	setup.Hubs, setup.Each = max(setup.Hubs, 1), max(setup.Each, 3)
	if setup.Pace == 0 {
		setup.Pace = 100 * time.Millisecond
	}
	stage.worlds++
	w = &World{setup: setup, stage: stage, dir: filepath.Join(stage.dir, fmt.Sprint("world", stage.worlds)), receiver: newReceiver(),
		texts: make(chan Arrival, 1<<16), troubles: map[string]int{}}
	defer func() {
		if err != nil {
			if gone := w.close(context.WithoutCancel(ctx)); gone != nil {
				err = fmt.Errorf("%w; then %w", err, gone)
			}
		}
	}()
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		return w, err
	}
	if setup.Volume > 0 {
		if w.volume, err = newVolume(ctx, w.dir, setup.Volume); err != nil {
			return w, err
		}
	}
	w.receiver.twice, w.receiver.slow = setup.Twice, setup.Slow
	if w.callback, err = NewProxy(ctx, w.receiver.address()); err != nil {
		return w, err
	}
	args := []string{"--data", w.dir, "--bootstrap-client", clientID + ":" + clientSecret, "--callback-allow", "127.0.0.0/8",
		"--session-rate", "2000", "--session-burst", "2000", "--log-level", "warn"}
	w.database = filepath.Join(w.dir, "parley.db")
	if setup.Postgres {
		more, err := w.servers(ctx)
		if err != nil {
			return w, err
		}
		args = append(args, more...)
	}
	binary := stage.binary
	if setup.Clock {
		w.clock = &clock{tell: map[*process]dial{}}
		if binary, err = stage.withClock(ctx); err != nil {
			return w, err
		}
	}
	for i := range setup.Hubs {
		h, err := newHub(ctx, string(rune('A'+i)), binary, stage.dir, args...)
		if err != nil {
			return w, err
		}
		h.clock, h.skew = w.clock, time.Duration(i)*setup.Skew
		w.hubs = append(w.hubs, h)
		h.args = append(h.args, "--public-url", "http://"+w.hubs[0].front.Address())
		if _, err := h.start(ctx); err != nil {
			return w, err
		}
	}
	return w, w.populate(ctx)
}

// servers makes a database and the proxies to the shared servers, and returns the hubs' settings.
func (w *World) servers(ctx context.Context) (args []string, err error) {
	name := fmt.Sprint("world", w.stage.worlds)
	if err := w.stage.servers(ctx); err != nil {
		return nil, err
	}
	if err := w.stage.redis.flush(ctx); err != nil {
		return nil, err
	}
	if err := w.stage.postgres.create(ctx, name); err != nil {
		return nil, err
	}
	if w.redis, err = NewProxy(ctx, w.stage.redis.address); err != nil {
		return nil, err
	}
	if w.postgres, err = NewProxy(ctx, w.stage.postgres.address); err != nil {
		return nil, err
	}
	w.database = w.stage.postgres.url(w.stage.postgres.address, name)
	return []string{"--redis", "redis://" + w.redis.Address() + "/0", "--database", w.stage.postgres.url(w.postgres.Address(), name)}, nil
}

// populate sets the shop up and lets clients in.
func (w *World) populate(ctx context.Context) error {
	admin := &api{client: plainClient, base: w.hubs[0].url}
	token, err := admin.login(ctx, clientID, clientSecret)
	if err != nil {
		return err
	}
	admin.token = token
	shop, err := admin.setUp(ctx, "http://"+w.callback.Address())
	if err != nil {
		return fmt.Errorf("set the shop up: %w", err)
	}
	agentToken, err := admin.login(ctx, shop.agentID, shop.agentSecret)
	if err != nil {
		return err
	}
	for i := range w.setup.Hubs {
		w.agents = append(w.agents, newSession(w, fmt.Sprint("a", i), parley.CustomAgent, agentToken, i))
	}
	for i := range w.setup.Each {
		for _, kind := range []string{botAddress, deskAddress} {
			token, err := admin.visitor(ctx, kind)
			if err != nil {
				return fmt.Errorf("visitor: %w", err)
			}
			w.customers = append(w.customers, newSession(w, fmt.Sprint(kind, i), parley.Customer, token, i))
		}
		w.posters = append(w.posters, newPoster(w, fmt.Sprint("rest", i), parley.Customer, i))
	}
	w.bot = newPoster(w, "bot", parley.CustomBot, 0)
	w.receiver.onText = w.askBot
	w.reach()
	running, hangUp := context.WithCancel(ctx)
	talking, stopTalk := context.WithCancel(running)
	w.hangUp, w.stopTalk = hangUp, stopTalk
	for _, s := range append(append([]*session(nil), w.agents...), w.customers...) {
		w.clients.Go(func() { s.run(running, talking) })
	}
	for _, p := range w.posters {
		w.clients.Go(func() { p.customer(running, talking) })
	}
	w.botWork.Go(func() { w.bot.bots(running, w.texts) })
	return nil
}

// askBot lets the bot answer what a customer said, once.
func (w *World) askBot(a Arrival) {
	if a.Role != string(parley.CustomBot) || a.Sender != string(parley.Customer) || a.Type != string(parley.TypeText) {
		return
	}
	select {
	case w.texts <- a:
	default:
		w.fault("the bot has more to answer than a campaign should cause")
	}
}

// moment is the next place in the order of everything that clients do and hear.
func (w *World) moment() int { return int(w.moments.Add(1)) }

// reach notes that from now on clients can reach what they need.
func (w *World) reach() {
	now := time.Now()
	w.ready.Store(&now)
}

func (w *World) reachable() time.Time { return *w.ready.Load() }

func (w *World) resumed(after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resumes = append(w.resumes, after)
}

// fault notes an answer that no client can make sense of.
func (w *World) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// addresses are what makes two troubles of one kind look different.
var addresses = regexp.MustCompile(`(read tcp )?[0-9.]+:[0-9]+(->[0-9.:]+)?`)

// maxTrouble is the length to which troubles are kept.
const maxTrouble = 160

// trouble counts what clients lived through: broken connections, errors that a repeat cured.
func (w *World) trouble(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := addresses.ReplaceAllString(err.Error(), "…")
	w.troubles[text[:min(len(text), maxTrouble)]]++
}

// kill ends a hub as a crash does.
func (w *World) kill(h *hub) {
	h.kill()
	w.mu.Lock()
	w.kills = append(w.kills, time.Now())
	w.mu.Unlock()
}

// restart starts a hub again.
func (w *World) restart(ctx context.Context, h *hub) error {
	ready, err := h.start(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.starts = append(w.starts, ready)
	w.mu.Unlock()
	return nil
}

// setClocks sets the clock of the hubs, and waits until their answers are dated by it.
func (w *World) setClocks(ctx context.Context, off time.Duration) error {
	if err := w.clock.set(off); err != nil {
		return err
	}
	for _, h := range w.hubs {
		for {
			says, err := h.time(ctx)
			if err != nil {
				return err
			}
			if wrong := time.Until(says) - off - h.skew; wrong.Abs() < 5*time.Second {
				break
			}
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return fmt.Errorf("hub %s does not take the clock: %w", h.name, err)
			}
		}
	}
	return nil
}

// close ends everything. Hubs that still run end in order, and say whether they did.
func (w *World) close(ctx context.Context) error {
	if w.hangUp != nil {
		w.hangUp()
	}
	w.clients.Wait()
	w.botWork.Wait()
	var err error
	for _, h := range w.hubs {
		err = errors.Join(err, h.stop())
	}
	for _, h := range w.hubs {
		err = errors.Join(err, h.front.Close())
	}
	if w.clock != nil {
		w.clock.close()
	}
	w.receiver.close()
	for _, p := range []*Proxy{w.callback, w.redis, w.postgres} {
		if p != nil {
			err = errors.Join(err, p.Close())
		}
	}
	if w.volume != nil {
		err = errors.Join(err, w.volume.unmount(ctx))
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}
