// Package asynqueue carries lanes from the node that committed to a node that delivers, by asynq.
//
// A task holds the keys of many lanes and nothing else; it is done as soon as its lanes are known here. asynq has no
// order, forgets tasks when Redis does, and may hold one as active for a minute after a crash: none of that matters, for
// SQL says what is owed and the sweeper of dispatch finds what was not woken.
package asynqueue

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
)

const (
	taskType = "lanes"
	// maxLanes bounds one task.
	maxLanes = 1024
	// taskTimeout is far more than decoding a task needs.
	taskTimeout = 10 * time.Second
)

// Queue implements dispatch.Queue.
type Queue struct {
	redis  asynq.RedisConnOpt
	name   string
	client *asynq.Client
	logger *slog.Logger
}

// New makes the queue of an installation on a Redis; see [parley/store/live.Live.MakeRedisClient].
func New(redis asynq.RedisConnOpt, installation string, logger *slog.Logger) *Queue {
	return &Queue{redis: redis, name: "lanes:" + installation, client: asynq.NewClient(redis), logger: logger}
}

// Close closes the connection.
func (q *Queue) Close() error { return q.client.Close() }

// Enqueue hands on lanes in as few tasks as it can.
func (q *Queue) Enqueue(ctx context.Context, lanes []int64) error {
	for len(lanes) > 0 {
		n := min(len(lanes), maxLanes)
		task := asynq.NewTask(taskType, encode(lanes[:n]))
		// No retry and no retention: what is lost is swept, and nothing lives in asynq's archive.
		if _, err := q.client.EnqueueContext(ctx, task, asynq.Queue(q.name), asynq.MaxRetry(0), asynq.Timeout(taskTimeout)); err != nil {
			return fmt.Errorf("enqueue lanes: %w", err)
		}
		lanes = lanes[n:]
	}
	return nil
}

// Run calls handle for the lanes of every task until ctx ends.
func (q *Queue) Run(ctx context.Context, handle func(lanes []int64)) error {
	server := asynq.NewServer(q.redis, asynq.Config{
		Concurrency: 4,
		Queues:      map[string]int{q.name: 1},
		// asynq's defaults are wrong for chat: an empty queue is looked at once a second.
		TaskCheckInterval:        10 * time.Millisecond,
		DelayedTaskCheckInterval: 500 * time.Millisecond,
		ShutdownTimeout:          time.Second,
		Logger:                   adapter{q.logger},
		LogLevel:                 asynq.WarnLevel,
	})
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
		lanes, err := decode(t.Payload())
		if err != nil {
			return err
		}
		handle(lanes)
		return nil
	}))
	if err != nil {
		return fmt.Errorf("start asynq: %w", err)
	}
	<-ctx.Done()
	server.Shutdown()
	return ctx.Err()
}

func encode(lanes []int64) []byte {
	b := make([]byte, 0, len(lanes)*4)
	for _, l := range lanes {
		b = binary.AppendVarint(b, l)
	}
	return b
}

func decode(b []byte) ([]int64, error) {
	var lanes []int64
	for len(b) > 0 {
		l, n := binary.Varint(b)
		if n <= 0 {
			return nil, fmt.Errorf("decode task: %w", asynq.SkipRetry)
		}
		lanes = append(lanes, l)
		b = b[n:]
	}
	return lanes, nil
}

// adapter gives asynq's log lines to slog.
type adapter struct{ l *slog.Logger }

func (a adapter) Debug(args ...any) {}
func (a adapter) Info(args ...any)  {}
func (a adapter) Warn(args ...any)  { a.l.Warn("asynq", "text", fmt.Sprint(args...)) }
func (a adapter) Error(args ...any) { a.l.Warn("asynq", "text", fmt.Sprint(args...)) }
func (a adapter) Fatal(args ...any) { a.l.Error("asynq", "text", fmt.Sprint(args...)) }
