package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A child is a private redis-server. One goroutine starts it, waits for it, and starts it again should it die.
type child struct {
	program string
	dir     string // of its append-only file
	run     string // of its socket: short, since a socket's path has at most 107 bytes
	socket  string
	logger  *slog.Logger

	mu       sync.Mutex
	process  *os.Process
	ending   bool
	stopping chan struct{} // closed by stop
	gone     chan struct{}
}

const (
	childReady   = 10 * time.Second // to answer the first ping
	childRestart = 200 * time.Millisecond
	childStop    = 5 * time.Second // to end after SIGTERM
)

func startChild(ctx context.Context, program, dir string, logger *slog.Logger) (*child, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	run, err := os.MkdirTemp("", "parley-redis-") // mode 0700: nobody else reaches the socket
	if err != nil {
		return nil, err
	}
	c := &child{program: program, dir: dir, run: run, socket: filepath.Join(run, "redis.sock"), logger: logger, stopping: make(chan struct{}), gone: make(chan struct{})}
	started := make(chan error, 1)
	go c.watch(started)
	if err := <-started; err != nil {
		return nil, errors.Join(err, os.RemoveAll(run))
	}
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// watch keeps the server running until stop. It stays on one thread: the kernel ends the child when the thread that
// started it is gone (see endWithParent), so that a kill of ours leaves no server behind.
func (c *child) watch(started chan<- error) {
	runtime.LockOSThread()
	defer close(c.gone)
	first := true
	for {
		// Not CommandContext: stop ends it with SIGTERM, so that it can write its file.
		cmd := exec.CommandContext(context.Background(), c.program, "--port", "0", "--unixsocket", c.socket, "--unixsocketperm", "700", "--dir", c.dir,
			"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--daemonize", "no", "--loglevel", "warning",
			"--maxmemory-policy", "noeviction")
		cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
		cmd.SysProcAttr = endWithParent()
		c.mu.Lock()
		if c.ending {
			c.mu.Unlock()
			return
		}
		err := cmd.Start()
		c.process = cmd.Process
		c.mu.Unlock()
		if first {
			started <- err
			first = false
		}
		if err == nil {
			err = cmd.Wait()
		} else if c.process == nil {
			return
		}
		c.mu.Lock()
		ending := c.ending
		c.mu.Unlock()
		if ending {
			return
		}
		c.logger.Warn("the private redis-server ended, starting it again", "error", err)
		select {
		case <-time.After(childRestart):
		case <-c.stopping:
		}
	}
}

// ready waits until the server answers.
func (c *child) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, childReady)
	defer cancel()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: c.socket, MaxRetries: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	defer client.Close()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the private redis-server does not answer: %w", err)
		}
	}
}

// stop ends the server and removes its socket; the append-only file stays.
func (c *child) stop() error {
	c.mu.Lock()
	if !c.ending {
		c.ending = true
		close(c.stopping)
	}
	process := c.process
	c.mu.Unlock()
	if process != nil {
		_ = process.Signal(syscall.SIGTERM) // an error means that it is gone already
		kill := time.AfterFunc(childStop, func() { _ = process.Kill() })
		defer kill.Stop()
	}
	<-c.gone
	return os.RemoveAll(c.run)
}
