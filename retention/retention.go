// Package retention removes what environments no longer keep: old conversations, files, attempts and events. Old figures are removed by
// whoever counts them, package insight/figures.
//
// A [Job] runs on every node and works on one of them. It goes through what is old some hundred rows at a time, each time in a transaction of
// its own, and leaves the record to others as long as it used it. Whatever ends it, the next run goes on.
package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/lead"
)

// Record is the record; [parley.Store] is one.
type Record interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// Files removes bytes.
type Files interface {
	// Erase removes the bytes of a file; that there are none is no error.
	Erase(ctx context.Context, tenant parley.TenantID, id parley.AssetID) error
}

// Config is what a job works with. Record and Files are required.
type Config struct {
	Record Record
	Files  Files
	Live   lead.Locker           // nil = this node leads always
	Every  time.Duration         // between two runs; 0 = 15 minutes
	Logger *slog.Logger          // nil = slog.Default
	Meter  prometheus.Registerer // nil = no metrics
	Clock  func() time.Time      // nil = time.Now
}

// A Job removes what is old. Run is called once, or Sweep by one goroutine.
type Job struct {
	config  Config
	lead    *lead.Lead
	removed *prometheus.CounterVec
	errors  *prometheus.CounterVec
}

const (
	// leadFor is how long a node leads before another may.
	leadFor = time.Minute
	// talksAtOnce is how many conversations one transaction removes, and rowsAtOnce how many files one reads.
	talksAtOnce = 100
	rowsAtOnce  = 100
)

// New returns a job.
func New(c Config) *Job {
	if c.Every == 0 {
		c.Every = 15 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	j := &Job{config: c, lead: lead.New(c.Live, "retention", leadFor),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_retention_removed_total",
			Help: "What was removed because it was older than its environment keeps it, by kind: messages, attachments, attempts, analytics (visits and events)."}, []string{"kind"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_retention_errors_total",
			Help: "Times when removing what is old failed, by kind; the next run tries again."}, []string{"kind"}),
	}
	for _, kind := range parley.RetentionKinds() {
		j.removed.WithLabelValues(string(kind))
		j.errors.WithLabelValues(string(kind))
	}
	if c.Meter != nil {
		c.Meter.MustRegister(j.removed, j.errors)
	}
	return j
}

// Removed counts what somebody else removed on the job's behalf.
func (j *Job) Removed(kind parley.RetentionKind, n int) {
	j.removed.WithLabelValues(string(kind)).Add(float64(n))
}

func (j *Job) now() time.Time { return j.config.Clock().UTC().Truncate(time.Millisecond) }

// Run removes what is old, now and then, until ctx ends. What fails is logged and tried again the next time.
func (j *Job) Run(ctx context.Context) error {
	tick := time.NewTicker(j.config.Every)
	defer tick.Stop()
	for {
		if err := j.Sweep(ctx); err != nil && ctx.Err() == nil {
			j.config.Logger.WarnContext(ctx, "remove what is old", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Sweep removes everything that is old now, if this node leads. Of what fails the first error is returned; the other kinds and environments
// have their turns.
func (j *Job) Sweep(ctx context.Context) (first error) {
	var kept []parley.RetentionState
	if err := j.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		kept, err = tx.RetentionsNow(ctx, j.now())
		return err
	}); err != nil {
		return err
	}
	for i := range kept {
		for _, kind := range parley.RetentionKinds() {
			before := kept[i].Before(kind, j.now())
			if before.IsZero() {
				continue
			}
			began := j.now()
			n, err := j.remove(ctx, kept[i].Tenant, kind, before)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				j.errors.WithLabelValues(string(kind)).Inc()
				if first == nil {
					first = fmt.Errorf("%s of environment %s: %w", kind, kept[i].Tenant, err)
				}
			}
			if n > 0 {
				j.config.Logger.InfoContext(ctx, "removed what was old", "environment", kept[i].Tenant, "kind", kind, "removed", n, "before", before, "took", j.now().Sub(began))
			}
		}
	}
	return first
}

// remove removes everything of one kind.
func (j *Job) remove(ctx context.Context, tenant parley.TenantID, kind parley.RetentionKind, before time.Time) (n int64, err error) {
	var steps []step
	switch kind {
	case parley.RetainedMessages:
		steps = []step{j.ended(tenant, before), j.lasting(tenant, before), j.rows(tenant, kind, before, parley.Tx.RemoveJobs)}
	case parley.RetainedAttachments:
		steps = []step{j.files(tenant, before)}
	case parley.RetainedAttempts:
		steps = []step{j.rows(tenant, kind, before, parley.Tx.RemoveAttempts)}
	case parley.RetainedAnalytics:
		steps = []step{j.rows(tenant, kind, before, parley.Tx.RemoveEvents)}
	}
	for _, s := range steps {
		for more := true; more; {
			if ctx.Err() != nil || !j.lead.Mine(ctx) {
				return n, ctx.Err()
			}
			began := time.Now()
			var some int64
			if some, more, err = s(ctx); err != nil {
				return n, err
			}
			n += some
			j.Removed(kind, int(some))
			if more {
				pause(ctx, time.Since(began))
			}
		}
	}
	return n, nil
}

// pause leaves the record to others.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
