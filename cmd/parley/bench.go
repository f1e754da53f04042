package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"parley/bench"
)

type benchCommand struct {
	Cases    []string      `arg:"" optional:"" help:"What to measure: durable, callbacks, memory, typing; none = all."`
	Database []string      `help:"PostgreSQL URLs of empty databases to measure with besides SQLite." env:"PARLEY_BENCH_DATABASE"`
	Redis    string        `help:"Redis for the PostgreSQL runs." env:"PARLEY_BENCH_REDIS"`
	SQLite   bool          `name:"sqlite" help:"Measure with SQLite." default:"true" negatable:""`
	Pairs    int           `help:"Pairs of sender and receiver." default:"500"`
	Repeats  int           `help:"Repetitions of every comparison." default:"5"`
	Warm     time.Duration `help:"Time before each stretch that is measured." default:"500ms"`
	Measure  time.Duration `help:"Length of each stretch." default:"3s"`
	Relay    string        `hidden:"" help:"Be the baseline relay, plain or coalesced."`
}

// Run measures ratios to baselines that run beside the hub, and prints them.
func (c *benchCommand) Run(ctx context.Context, s streams) error {
	if c.Relay != "" {
		return serveRelay(ctx, c.Relay == "coalesced", s)
	}
	o := bench.Options{Pairs: c.Pairs, Repeats: c.Repeats, Warm: c.Warm, Measure: c.Measure}
	if c.SQLite {
		o.Targets = append(o.Targets, bench.Target{})
	}
	for _, url := range c.Database {
		o.Targets = append(o.Targets, bench.Target{Database: url, Redis: c.Redis})
	}
	if len(o.Targets) == 0 {
		return errors.New("nothing to measure: give --database, or leave out --no-sqlite")
	}
	return bench.Run(ctx, o, c.Cases, s.out)
}

// serveRelay is the baseline's process.
func serveRelay(ctx context.Context, coalesce bool, s streams) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: &bench.Relay{Coalesce: coalesce}, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	fmt.Fprintf(s.out, "listening: http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
