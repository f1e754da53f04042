package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os/exec"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Auto is the URL that stands for "whatever this machine has".
const Auto = "auto"

// Config says which Redis.
type Config struct {
	// URL: redis://, rediss:// (TLS), redis+sentinel://[user:password@]host:port,host:port/master[/db],
	// redis+cluster://[user:password@]host:port,host:port; or [Auto].
	URL string
	// Installation is what the nodes that belong together have in common, and no others on that Redis: they share locks and hear from each other.
	Installation string
	Dir          string                // with Auto: where the private server keeps its file; made if need be
	Logger       *slog.Logger          // nil = slog.Default
	Meter        prometheus.Registerer // nil = no metrics
	// Server is the redis-server program for Auto; empty = the one in the PATH, "none" = never one.
	Server string
}

// Live implements [parley.Live] on Redis.
type Live struct {
	client  redis.UniversalClient
	options *redis.UniversalOptions
	prefix  string       // of all keys and channels, so that a Redis may be shared with other programs and other installations
	node    string       // tells our own hints from those of others
	alone   atomic.Int64 // until when (Unix nanoseconds) no other node is believed to listen
	unsaid  atomic.Bool  // hints were not published, or nobody heard them
	Kind    string       // "redis", "child" or "miniredis": what there is, for the log and /readyz
	close   []func() error
	trips   *trips
}

// Open connects, or starts what it connects to. An external Redis need not answer yet: what is live may be missing.
func Open(ctx context.Context, c Config) (*Live, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	l := &Live{prefix: "parley:" + c.Installation + ":", node: uuid.NewString(), Kind: "redis", trips: newTrips(c.Meter)}
	if c.URL != Auto && c.URL != "" {
		options, err := parseURL(c.URL)
		if err != nil {
			return nil, err
		}
		l.connect(options)
		return l, nil
	}
	program := c.Server
	if program == "" {
		program, _ = exec.LookPath("redis-server")
	}
	if program != "" && program != "none" {
		child, err := startChild(ctx, program, c.Dir, c.Logger)
		if err == nil {
			l.Kind = "child"
			l.close = append(l.close, child.stop)
			l.connect(&redis.UniversalOptions{Addrs: []string{child.socket}})
			return l, nil
		}
		c.Logger.WarnContext(ctx, "no private redis-server, going on with miniredis", "error", err)
	}
	address, stop, err := startMini()
	if err != nil {
		return nil, fmt.Errorf("start miniredis: %w", err)
	}
	l.Kind = "miniredis"
	l.close = append(l.close, stop)
	l.connect(&redis.UniversalOptions{Addrs: []string{address}})
	return l, nil
}

func (l *Live) connect(options *redis.UniversalOptions) {
	// Maintenance notifications are of Redis Enterprise; asking others for them only fills the log.
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// Callers bound what they ask by their context; without this a Redis that is silent holds them for its own timeouts,
	// times its retries.
	options.ContextTimeoutEnabled = true
	if len(options.Addrs) == 1 && strings.HasPrefix(options.Addrs[0], "/") {
		l.client = redis.NewClient(&redis.Options{Network: "unix", Addr: options.Addrs[0], ContextTimeoutEnabled: true,
			MaintNotificationsConfig: options.MaintNotificationsConfig})
	} else {
		l.client = redis.NewUniversalClient(options)
	}
	l.client.AddHook(l.trips)
	l.options = options
}

// Close closes the connection and stops what Open started.
func (l *Live) Close() error {
	err := l.client.Close()
	for _, stop := range l.close {
		err = errors.Join(err, stop())
	}
	return err
}

// MakeRedisClient makes another client of the same Redis, for asynq: the method makes Live a RedisConnOpt of that library
// without either package importing the other. The caller closes what it gets.
func (l *Live) MakeRedisClient() any {
	if c, ok := l.client.(*redis.Client); ok {
		options := *c.Options()
		other := redis.NewClient(&options)
		other.AddHook(l.trips)
		return other
	}
	other := redis.NewUniversalClient(l.options)
	other.AddHook(l.trips)
	return other
}

// parseURL reads the four schemes. Passwords of the URL never show in its errors.
func parseURL(raw string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("--redis is no URL") // url.Error would quote it, with the password
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
		o, err := redis.ParseURL(raw)
		if err != nil {
			return nil, fmt.Errorf("--redis: %s", strings.ReplaceAll(err.Error(), raw, u.Redacted()))
		}
		return &redis.UniversalOptions{Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig}, nil
	case "redis+sentinel", "redis+cluster":
		o := &redis.UniversalOptions{Addrs: strings.Split(u.Host, ",")}
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
		if u.Scheme == "redis+cluster" {
			o.IsClusterMode = true
			return o, nil
		}
		master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
		if master == "" {
			return nil, errors.New("--redis: redis+sentinel:// needs the master's name as its path")
		}
		o.MasterName = master
		if db != "" {
			if _, err := fmt.Sscanf(db, "%d", &o.DB); err != nil {
				return nil, errors.New("--redis: the database after the master's name is a number")
			}
		}
		return o, nil
	}
	return nil, fmt.Errorf("--redis: scheme %q is none of redis, rediss, redis+sentinel, redis+cluster", u.Scheme)
}
