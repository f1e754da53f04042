package live

import (
	"context"
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// trips counts round trips to Redis, a pipeline as one, for live state and for the queue alike, and those that failed. It
// implements redis.Hook.
type trips struct {
	total  prometheus.Counter
	errors *prometheus.CounterVec
}

func newTrips(r prometheus.Registerer) *trips {
	t := &trips{total: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_redis_round_trips_total",
		Help: "Round trips to Redis, a pipeline as one; polls of an idle queue among them."})}
	t.errors = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_redis_errors_total",
		Help: "Round trips to Redis that failed, by reason: timeout, connection, refused (by Redis itself)."}, []string{"reason"})
	for _, reason := range []string{"timeout", "connection", "refused"} {
		t.errors.WithLabelValues(reason) // shown before the first one, which would pass for the beginning of the series
	}
	if r != nil {
		r.MustRegister(t.total, t.errors)
	}
	return t
}

// DialHook implements redis.Hook.
func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.total.Inc()
		return t.failed(next(ctx, cmd), cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.total.Inc()
		return t.failed(next(ctx, cmds), cmds...)
	}
}

// failed counts err, and returns it. What is an answer is no error: nothing there, a script that Redis does not know yet, or
// a caller who went away. Nor is what the library says of itself on each new connection, which older servers refuse; who
// needed the connection hears of what matters in it.
func (t *trips) failed(err error, cmds ...redis.Cmder) error {
	if err == nil || len(cmds) > 0 && (cmds[0].Name() == "hello" || cmds[0].Name() == "client") {
		return err
	}
	var answer redis.Error
	var network net.Error
	switch {
	case errors.Is(err, redis.Nil), errors.Is(err, context.Canceled), redis.HasErrorPrefix(err, "NOSCRIPT"):
	case errors.As(err, &answer):
		t.errors.WithLabelValues("refused").Inc()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		t.errors.WithLabelValues("timeout").Inc()
	default:
		t.errors.WithLabelValues("connection").Inc()
	}
	return err
}
