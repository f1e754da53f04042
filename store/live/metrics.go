package live

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// trips counts round trips to Redis, a pipeline as one, for live state and for the queue alike. It implements redis.Hook.
type trips struct {
	total prometheus.Counter
}

func newTrips(r prometheus.Registerer) *trips {
	t := &trips{total: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_redis_round_trips_total",
		Help: "Round trips to Redis, a pipeline as one; polls of an idle queue among them."})}
	if r != nil {
		r.MustRegister(t.total)
	}
	return t
}

// DialHook implements redis.Hook.
func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.total.Inc()
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.total.Inc()
		return next(ctx, cmds)
	}
}
