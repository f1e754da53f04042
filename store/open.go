package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tink-crypto/tink-go/v2/tink"
	"github.com/uptrace/bun"

	"parley"
)

// Config says which database and how.
type Config struct {
	URL    string                // postgres://… or postgresql://…; anything else is the path of a SQLite file
	Seal   tink.AEAD             // seals secrets at rest; required
	Logger *slog.Logger          // nil = slog.Default
	Meter  prometheus.Registerer // nil = no metrics
	Clock  func() time.Time      // nil = time.Now; leases and due times follow it

	Silence time.Duration // longest that PostgreSQL may say nothing while an answer is due; zero means 10 s

	// Fault is called at named points of a commit ("begin", "conversations", "messages", "lanes", "progress", "claim",
	// "commit", and "committed" when only the answer can still be lost); an error it returns is the point's failure.
	// For tests of what a failure leaves behind; nil in production.
	Fault func(point string) error
}

// Store implements [parley.Store].
type Store struct {
	config  Config
	dialect dialect
	write   *bun.DB // SQLite: one connection
	read    *bun.DB
	updates chan struct{} // one for each Update that has a connection, or is about to; the capacity is how many may
	shards  []*batcher
	owed    *owedReader
	metrics *metrics
	words   wordCipher
	id      string // see Installation
	few     int    // fewValues, less in tests

	background    sync.WaitGroup
	endBackground context.CancelFunc

	writes, reads pool // whom statements of write and read are counted for

	mu        sync.RWMutex
	tenants   map[parley.TenantID]int64 // keys never change, so they are cached for good
	receivers map[receiverName]int64
}

var _ parley.Store = (*Store)(nil)

// A dialect is what differs between the two databases.
type dialect struct {
	name       string // of the migrations' folder
	shards     int    // writers that may commit side by side
	updates    int    // Updates that may run at the same time, beside the shards
	unnest     bool   // rows travel as arrays; else as VALUES
	lateral    bool   // sub-selects may refer to their neighbours
	statistics bool   // plans follow statistics, which have to be kept
	forUpdate  string // suffix of a sub-select that claims rows
	isolation  sql.IsolationLevel
	snapshot   sql.IsolationLevel
	open       func(url string, dialer *dialer) (write, read *bun.DB, err error)
}

// Open connects, brings the schema up to date, and starts the writers. A database newer than this program is refused.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Seal == nil {
		return nil, errors.New("open store: no keyset given to seal secrets with")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	d := sqliteDialect
	if IsPostgres(c.URL) {
		d = postgresDialect
	}
	if c.Silence == 0 {
		c.Silence = defaultSilence
	}
	dialer := newDialer()
	write, read, err := d.open(c.URL, dialer)
	if err != nil {
		return nil, fmt.Errorf("open %s database: %w", d.name, err)
	}
	s := &Store{config: c, dialect: d, few: fewValues, write: write, read: read, updates: make(chan struct{}, d.updates), metrics: newMetrics(c.Meter),
		tenants: map[parley.TenantID]int64{}, receivers: map[receiverName]int64{}}
	s.writes, s.reads = pool{s.metrics, "write", true}, pool{s.metrics, "read", false}
	s.owed = &owedReader{s: s}
	s.write = s.write.WithQueryHook(s.writes)
	s.read = s.read.WithQueryHook(s.reads)
	err = s.migrate(ctx)
	if err == nil {
		err = s.write.NewRaw("SELECT id FROM installation").Scan(ctx, &s.id)
	}
	if err == nil {
		err = s.openWords(ctx)
	}
	if err != nil {
		write.Close()
		read.Close()
		return nil, err
	}
	dialer.limit.Store(int64(c.Silence))
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	s.endBackground = end
	if d.statistics {
		s.background.Go(func() { s.watchGrowth(background) })
	}
	for range d.shards {
		s.shards = append(s.shards, startBatcher(s))
	}
	if err := s.seed(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// IsPostgres says whether a database URL names a PostgreSQL server rather than a SQLite file.
func IsPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// Close lets the commits in flight finish, refuses new ones, and closes the connections.
func (s *Store) Close() error {
	s.endBackground()
	s.background.Wait()
	for _, b := range s.shards {
		b.stop()
	}
	return errors.Join(s.write.Close(), s.read.Close())
}

// Installation is what all nodes on this record have in common, and no others: 16 hexadecimal digits. A copy of the record has it, too.
func (s *Store) Installation() string { return s.id }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.read.PingContext(ctx) }

func (s *Store) now() time.Time { return s.config.Clock() }

// fault is the hook of tests; see [Config].
func (s *Store) fault(point string) error {
	if s.config.Fault == nil {
		return nil
	}
	return s.config.Fault(point)
}

// millis is how times are stored; the zero time is NULL.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// moment reads what millis wrote.
func moment(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}
