package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"parley"
	"parley/bench"
	"parley/configs"
	"parley/store"
	"parley/store/live"
)

type benchCommand struct {
	Cases    []string      `arg:"" optional:"" help:"What to measure: durable, callbacks, stalled, held, memory, typing, growth, resume, churn, groups, feeding, analytics, turns, waiting; none = all."`
	Database []string      `help:"PostgreSQL URLs of empty databases to measure with besides SQLite." env:"PARLEY_BENCH_DATABASE"`
	Redis    string        `help:"Redis for the PostgreSQL runs." env:"PARLEY_BENCH_REDIS"`
	SQLite   bool          `name:"sqlite" help:"Measure with SQLite." default:"true" negatable:""`
	Pairs    int           `help:"Pairs of sender and receiver." default:"500"`
	Repeats  int           `help:"Repetitions of every comparison." default:"5"`
	Warm     time.Duration `help:"Time before each stretch that is measured." default:"500ms"`
	Measure  time.Duration `help:"Length of each stretch." default:"3s"`
	Settle   time.Duration `help:"Time until the memory of an idle server is believed." default:"8s"`
	Idle     []int         `help:"Numbers of sessions whose memory is measured." default:"5000,9500"`
	Growth   []int         `help:"Numbers of open conversations." default:"1,1000,100000"`
	Stored   []int         `help:"Numbers of stored messages." default:"0,1000000,10000000"`
	Stalled  int           `help:"Lanes of a slow receiver beside which another one is measured." default:"1000"`
	Held     int           `help:"Lanes of four deliveries each that are held for a dead receiver." default:"50000"`
	Churn    time.Duration `help:"How long sessions come and go; 0 = not at all." default:"0s"`
	Rest     time.Duration `help:"How long the hub is left alone after that, before it is looked at once more." default:"12m"`
	Missed   int           `help:"Messages that a session missed." default:"10000"`
	Return   int           `help:"Sessions that come back at the same time." default:"5000"`
	Groups   int           `help:"Conversations among which those of groups are looked for; 0 = not at all." default:"1000000"`

	Visits int `help:"Conversations that figures are counted from; 0 = not at all." default:"1000000"`

	Waiting int `help:"Turns that wait for a slow bot." default:"2000"`

	Relay        string `hidden:"" help:"Be the baseline relay, plain or coalesced."`
	RelayPprof   string `hidden:"" help:"Address of its profiles."`
	ForwardTo    string `hidden:"" help:"Be the baseline forwarder, to this URL."`
	SendTo       string `hidden:"" help:"Be the baseline sender, to this URL."`
	QueueTo      string `hidden:"" help:"Be the baseline that sends through asynq, to this URL."`
	Fill         int    `hidden:"" default:"-1" help:"Fill a record with so many messages."`
	FillHeld     int    `hidden:"" default:"-1" help:"Fill a record with so many lanes that owe something."`
	ListGroups   int    `hidden:"" default:"-1" help:"Fill a record with so many conversations of groups, and list them."`
	CountFigures int    `hidden:"" default:"-1" help:"Fill a record with so many conversations, and count and read figures of them."`
	Data         string `hidden:"" help:"Folder of that record."`
}

// Run measures ratios to baselines that run beside the hub, and prints them.
func (c *benchCommand) Run(ctx context.Context, s streams) error {
	switch {
	case c.Relay != "":
		return serveBaseline(ctx, &bench.Relay{Coalesce: c.Relay == "coalesced"}, c.RelayPprof, s)
	case c.ForwardTo != "":
		return serveBaseline(ctx, bench.Forwarder{URL: c.ForwardTo}, c.RelayPprof, s)
	case c.SendTo != "":
		fmt.Fprintln(s.out, "listening: nowhere, it sends")
		bench.Send(ctx, c.SendTo)
		return nil
	case c.QueueTo != "":
		return c.sendQueued(ctx, s)
	case c.Fill >= 0, c.FillHeld >= 0, c.ListGroups >= 0, c.CountFigures >= 0:
		record := configs.Store{Data: c.Data}
		if len(c.Database) > 0 {
			record.Database = c.Database[0]
		}
		return withStore(ctx, &record, s, func(record *store.Store) error {
			switch {
			case c.FillHeld >= 0:
				return record.FillHeld(ctx, c.FillHeld, bench.HeldEach)
			case c.Fill >= 0:
				return record.Fill(ctx, c.Fill)
			case c.CountFigures >= 0:
				messages, err := record.FillVisits(ctx, c.CountFigures)
				if err != nil {
					return err
				}
				return bench.MeasureFigures(ctx, record, store.FilledBots[0], messages, c.Repeats, s.out)
			}
			if err := record.FillInsights(ctx, c.ListGroups); err != nil {
				return err
			}
			return bench.MeasureGroups(ctx, lister{record}, c.Repeats, s.out)
		})
	}
	o := bench.Options{Pairs: c.Pairs, Repeats: c.Repeats, Warm: c.Warm, Measure: c.Measure, Settle: c.Settle, Idle: c.Idle, Growth: c.Growth, Stored: c.Stored,
		Stalled: c.Stalled, Held: c.Held, Churn: c.Churn, Rest: c.Rest, Missed: c.Missed, Return: c.Return, Groups: c.Groups, Visits: c.Visits, Waiting: c.Waiting}
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

// sendQueued is the process of the baseline that sends through asynq.
func (c *benchCommand) sendQueued(ctx context.Context, s streams) (err error) {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return err
	}
	redis, err := live.Open(ctx, live.Config{URL: c.Redis, Dir: dir, Logger: slog.New(slog.NewTextHandler(s.err, nil))})
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	fmt.Fprintln(s.out, "listening: nowhere, it sends")
	return errors.Join(bench.SendQueued(ctx, redis, c.QueueTo), redis.Close(), os.RemoveAll(dir))
}

// A lister is a [bench.Lister] over a record.
type lister struct{ record *store.Store }

// ListInsights implements [bench.Lister].
func (l lister) ListInsights(ctx context.Context, q parley.InsightQuery, terms bool) (int, error) {
	if !terms {
		found, err := l.record.ScanInsights(ctx, q)
		return len(found), err
	}
	n := 0
	err := l.record.View(ctx, func(tx parley.Tx) error {
		found, err := tx.ListInsights(ctx, q)
		n = len(found)
		return err
	})
	return n, err
}

// serveBaseline is the process of a baseline that is a server.
func serveBaseline(ctx context.Context, baseline http.Handler, profiles string, s streams) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: baseline, ReadHeaderTimeout: 10 * time.Second}
	beside := pprofServer()
	context.AfterFunc(ctx, func() {
		server.Close()
		beside.Close()
	})
	if profiles != "" {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", profiles)
		if err != nil {
			return err
		}
		go func() { _ = beside.Serve(l) }() // ends with Close
	}
	fmt.Fprintf(s.out, "listening: http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
