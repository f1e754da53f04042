package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"parley/configs"
)

type serveCommand struct{ configs.Serve }

// gcPercent trades memory for processor time: most garbage of a hub is short-lived, and collecting half as often saved a
// tenth of its processor time under load (profile of 2026-11-22, docs/performance.md). GOGC in the environment wins.
const gcPercent = 200

// Run starts the hub and returns when ctx has ended and everything has stopped.
func (c *serveCommand) Run(ctx context.Context, s streams) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	logger := newLogger(&c.Serve, s)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + listener.Addr().String()
	}
	n, err := start(ctx, &c.Serve, logger)
	if err != nil {
		listener.Close()
		return err
	}
	server := &http.Server{Handler: n.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	n.ready.Store(true)
	logger.InfoContext(ctx, "ready", "url", c.PublicURL, "database", n.databaseKind, "redis", n.live.Kind, "roles", c.Roles)
	if c.Demo {
		var demo demo
		if demo, err = startDemo(ctx, n, c.PublicURL); err != nil {
			err = fmt.Errorf("demo: %w", err)
		} else {
			fmt.Fprintf(s.out, "customer page: %s\nagent page: %s\n", demo.customerPage, demo.agentPage)
		}
	} else {
		fmt.Fprintf(s.out, "listening: %s\n", c.PublicURL)
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-served:
		}
	}
	logger.InfoContext(ctx, "stopping")
	// Stopping is starting backwards: not ready, no new sessions or requests, goodbye to sessions, attempts in flight
	// finish, the store closes. What the grace time cuts off is safe: it is in the record.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Grace)
	defer cancel()
	n.ready.Store(false)
	n.sessions.Drain(ending)
	if shut := server.Shutdown(ending); shut != nil {
		server.Close()
	}
	return errors.Join(err, n.stop(ending))
}

func newLogger(c *configs.Serve, s streams) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // kong has checked it
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(s.err, options))
	}
	return slog.New(slog.NewTextHandler(s.err, options))
}

// dataDir makes the data directory, for the owner only.
func dataDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make --data: %w", err)
	}
	return nil
}
