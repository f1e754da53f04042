package chaos

import (
	"context"
	"math/rand/v2"
	"time"
)

// Cases are all there are, in the order in which they run.
func Cases() []Case {
	both := Setup{Postgres: true, Hubs: 2, Slow: 40 * time.Millisecond}
	slow := both
	slow.Slow = 150 * time.Millisecond // so that a hub which is killed has lanes to leave behind
	apart := slow
	apart.Clock, apart.Skew = true, 3*time.Second // a hub says that more than 4 s are wrong
	return []Case{
		{Name: "kill -9 of the hub, SQLite", Setup: Setup{Slow: 20 * time.Millisecond}, Killed: true, Cycles: 200, Short: 6, Cycle: killHub},
		{Name: "kill -9 of the hub with FLUSHALL, PostgreSQL", Setup: Setup{Postgres: true, Slow: 20 * time.Millisecond}, Killed: true, Cycles: 60, Short: 4, Cycle: killAndFlush},
		{Name: "kill -9 of one of two hubs", Setup: slow, Killed: true, Cycles: 6, Short: 1, Cycle: killOneOfTwo},
		{Name: "kill -9 of Redis, two hubs", Setup: both, Cycles: 8, Short: 1, Cycle: killRedis},
		{Name: "FLUSHALL, two hubs", Setup: both, Killed: true, Cycles: 60, Short: 5, Cycle: flush},
		{Name: "PostgreSQL stopped 30 s, two hubs", Setup: both, Cycles: 1, Short: 1, Cycle: stopPostgres},
		{Name: "disk full, SQLite", Setup: Setup{Volume: 24}, Cycles: 4, Short: 1, Cycle: fillDisk},
		{Name: "everything twice, SQLite, with kill -9", Setup: Setup{Twice: true}, Cycles: 20, Short: 2, Cycle: killHub},
		{Name: "everything twice, two hubs", Setup: Setup{Postgres: true, Hubs: 2, Twice: true}, Cycles: 10, Short: 1, Cycle: calm},
		{Name: "clock set back and ahead, two hubs", Setup: Setup{Postgres: true, Hubs: 2, Slow: 40 * time.Millisecond, Clock: true}, Cycles: 10, Cycle: setClock},
		{Name: "clocks 3 s apart, kill -9 of one of two hubs", Setup: apart, Killed: true, Cycles: 6, Cycle: killOneOfTwo},
		{Name: "faults between clients and two hubs", Setup: both, Cycles: len(Faults), Short: 2, Cycle: faultsAtClients},
		{Name: "faults between two hubs and receivers", Setup: both, Cycles: len(Faults), Short: 1, Cycle: faultsAtReceivers},
		{Name: "faults between two hubs and Redis", Setup: both, Cycles: len(Faults), Short: 1, Cycle: faultsAtRedis},
		{Name: "faults between two hubs and PostgreSQL", Setup: both, Cycles: len(Faults), Short: 1, Cycle: faultsAtPostgres},
		{Name: "all of it at random, two hubs", Setup: both, Mixed: true, Cycles: 15, Short: 0, Cycle: weather},
	}
}

// work lets clients work for a while that is not always the same, so that a fault comes at a random point.
func work(ctx context.Context, least, spread time.Duration) error {
	return pause(ctx, least+rand.N(spread))
}

func killHub(ctx context.Context, w *World, _ int, _ bool) error {
	if err := work(ctx, 200*time.Millisecond, 500*time.Millisecond); err != nil {
		return err
	}
	w.kill(w.hubs[0])
	if err := w.restart(ctx, w.hubs[0]); err != nil {
		return err
	}
	w.reach()
	return nil
}

func killAndFlush(ctx context.Context, w *World, _ int, _ bool) error {
	if err := work(ctx, 200*time.Millisecond, 500*time.Millisecond); err != nil {
		return err
	}
	w.kill(w.hubs[0])
	if err := w.stage.redis.flush(ctx); err != nil {
		return err
	}
	if err := w.restart(ctx, w.hubs[0]); err != nil {
		return err
	}
	w.reach()
	return nil
}

// killOneOfTwo leaves the other alone for longer than a lane's lease, so that it takes over what the killed one had.
func killOneOfTwo(ctx context.Context, w *World, n int, _ bool) error {
	if err := work(ctx, time.Second, time.Second); err != nil {
		return err
	}
	victim := w.hubs[n%2]
	w.kill(victim)
	w.reach()
	if err := pause(ctx, takeoverLimit); err != nil {
		return err
	}
	return w.restart(ctx, victim)
}

func killRedis(ctx context.Context, w *World, _ int, _ bool) error {
	if err := work(ctx, time.Second, time.Second); err != nil {
		return err
	}
	w.stage.redis.kill()
	if err := work(ctx, time.Second, 3*time.Second); err != nil {
		return err
	}
	return w.stage.redis.start(ctx)
}

func flush(ctx context.Context, w *World, _ int, _ bool) error {
	if err := work(ctx, 50*time.Millisecond, 300*time.Millisecond); err != nil {
		return err
	}
	return w.stage.redis.flush(ctx)
}

func stopPostgres(ctx context.Context, w *World, _ int, short bool) error {
	if err := work(ctx, time.Second, time.Second); err != nil {
		return err
	}
	if err := w.stage.postgres.crash(); err != nil {
		return err
	}
	away := 30 * time.Second
	if short {
		away = 3 * time.Second
	}
	if err := pause(ctx, away); err != nil {
		return err
	}
	if err := w.stage.postgres.start(ctx); err != nil {
		return err
	}
	w.reach()
	return work(ctx, time.Second, time.Second)
}

func fillDisk(ctx context.Context, w *World, _ int, _ bool) error {
	if err := work(ctx, time.Second, time.Second); err != nil {
		return err
	}
	if err := w.volume.fill(); err != nil {
		return err
	}
	if err := work(ctx, 2*time.Second, 2*time.Second); err != nil {
		return err
	}
	if err := w.volume.free(); err != nil {
		return err
	}
	w.reach()
	return work(ctx, time.Second, time.Second)
}

// calm breaks nothing: what is tried is in the setup.
func calm(ctx context.Context, _ *World, _ int, _ bool) error {
	return work(ctx, 2*time.Second, time.Second)
}

// setClock sets the clock of both hubs back by minutes, while deliveries wait for their next try, and then a little further ahead than it ever was:
// what is due waits until the clock is there again. All jumps together are less than the time after which a conversation is idle.
func setClock(ctx context.Context, w *World, n int, _ bool) error {
	if err := work(ctx, time.Second, time.Second); err != nil {
		return err
	}
	w.callback.Mode(Cut)
	err := work(ctx, 200*time.Millisecond, 500*time.Millisecond)
	ahead := time.Duration(n+1) * time.Minute
	if err == nil {
		err = w.setClocks(ctx, ahead-10*time.Minute)
	}
	w.callback.Mode(Pass)
	if err != nil {
		return err
	}
	if err := work(ctx, time.Second, time.Second); err != nil {
		return err
	}
	if err := w.setClocks(ctx, ahead); err != nil {
		return err
	}
	return work(ctx, time.Second, time.Second)
}

// through puts the proxies into a mode for a while, and heals them: each mode in turn, the last ones in the short form.
func through(ctx context.Context, w *World, n int, short bool, proxies ...*Proxy) error {
	if short {
		n += len(Faults) - 2
	}
	mode := Faults[n%len(Faults)]
	for _, p := range proxies {
		p.Mode(mode)
	}
	long := 8 * time.Second
	if short {
		long = 2 * time.Second
	}
	err := pause(ctx, long)
	for _, p := range proxies {
		p.Mode(Pass)
	}
	w.reach()
	if err != nil {
		return err
	}
	return work(ctx, time.Second, time.Second)
}

func faultsAtClients(ctx context.Context, w *World, n int, short bool) error {
	var fronts []*Proxy
	for _, h := range w.hubs {
		fronts = append(fronts, h.front)
	}
	return through(ctx, w, n, short, fronts...)
}

func faultsAtReceivers(ctx context.Context, w *World, n int, short bool) error {
	return through(ctx, w, n, short, w.callback)
}

func faultsAtRedis(ctx context.Context, w *World, n int, short bool) error {
	return through(ctx, w, n, short, w.redis)
}

func faultsAtPostgres(ctx context.Context, w *World, n int, short bool) error {
	return through(ctx, w, n, short, w.postgres)
}

// weather breaks two things at a time, whichever they are, and kills hubs now and then.
func weather(ctx context.Context, w *World, n int, _ bool) error {
	ways := []*Proxy{w.hubs[0].front, w.hubs[1].front, w.callback, w.redis, w.postgres}
	some := []*Proxy{ways[rand.N(len(ways))], ways[rand.N(len(ways))]}
	for _, p := range some {
		p.Mode(Faults[rand.N(len(Faults))])
	}
	err := work(ctx, time.Second, 2*time.Second)
	if err == nil && n%3 == 0 {
		w.kill(w.hubs[n%2])
	}
	for _, p := range some {
		p.Mode(Pass)
	}
	if err == nil && n%3 == 0 {
		err = w.restart(ctx, w.hubs[n%2])
	}
	w.reach()
	if err != nil {
		return err
	}
	return work(ctx, time.Second, 2*time.Second)
}
