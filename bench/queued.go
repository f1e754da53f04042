package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

const (
	queuedName = "parley-bench"
	// queuedPosters put tasks in, each for lanes of its own: what one of them put in first comes first, if anybody keeps order.
	queuedPosters = 16
)

// SendQueued is the second baseline for callbacks: what is to be sent goes through asynq, a task each, and a handler posts it
// as [Send] does. Tasks lie in Redis and nowhere else, no attempt is recorded, and nothing is ordered. As many tasks wait or
// run as the hub may have messages between post and callback. It goes on until ctx ends, and then removes its queue.
func SendQueued(ctx context.Context, redis asynq.RedisConnOpt, url string) error {
	p := newPoster(url)
	defer p.client.CloseIdleConnections()
	room := make(chan struct{}, callbackLanes*callbackWindow)
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency: SenderConcurrency, Queues: map[string]int{queuedName: 1}, TaskCheckInterval: 10 * time.Millisecond,
		ShutdownTimeout: time.Second, LogLevel: asynq.FatalLevel,
	})
	err := server.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		err := p.post(ctx, t.Payload())
		select {
		case <-room:
		default: // a task that ran twice
		}
		return err
	}))
	if err != nil {
		return fmt.Errorf("start asynq: %w", err)
	}
	client := asynq.NewClient(redis)
	var wg sync.WaitGroup
	errs := make([]error, queuedPosters)
	for poster := range queuedPosters {
		wg.Go(func() { errs[poster] = enqueue(ctx, client, room, poster) })
	}
	wg.Wait()
	server.Shutdown()
	inspector := asynq.NewInspector(redis)
	return errors.Join(errors.Join(errs...), client.Close(), inspector.DeleteQueue(queuedName, true), inspector.Close())
}

// enqueue puts in tasks for the lanes of one poster in turn, until ctx ends.
func enqueue(ctx context.Context, client *asynq.Client, room chan<- struct{}, poster int) error {
	for n := 1; ; n++ {
		for lane := poster; lane < callbackLanes; lane += queuedPosters {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			task := asynq.NewTask(queuedName, posted(mark(lane, n)))
			if _, err := client.EnqueueContext(ctx, task, asynq.Queue(queuedName), asynq.MaxRetry(0)); err != nil && ctx.Err() == nil {
				return fmt.Errorf("enqueue: %w", err)
			}
		}
	}
}
