package notify

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/ident"
	"parley/lead"
)

// Record is where subscriptions are; [parley.Store] is one.
type Record interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// A Form is what targets are sent, which is the surface's to decide.
type Form interface {
	Challenge(s *parley.Subscription, challenge string) ([]byte, error)
	Revocation(s *parley.Subscription) ([]byte, error)
	// Notification is false if what it was about is gone.
	Notification(s *parley.Subscription, n *parley.Notification) ([]byte, bool, error)
}

// Config is what a notifier works with. Record, Client and Form are required.
type Config struct {
	Record Record
	Client *http.Client // goes only where targets may be, and follows no redirect
	Form   Form
	Live   lead.Locker           // nil = this node leads always
	Logger *slog.Logger          // nil = slog.Default
	Meter  prometheus.Registerer // nil = no metrics
	Clock  func() time.Time      // nil = time.Now
	Answer time.Duration         // that a target may take; zero = 5 s
	Owed   int                   // how much may pile up behind a failure; zero = 10,000
	Poll   time.Duration         // how often the leader looks for what is due; zero = 500 ms
}

// A Notifier tells. Run is called once.
type Notifier struct {
	config  Config
	lead    *lead.Lead
	metrics *metrics
	swept   time.Time // when those that are over were dropped last
	places  chan struct{}
	running sync.WaitGroup

	mu   sync.Mutex
	busy map[int64]bool // subscriptions that are being worked on; guarded by mu
}

// Schedule is how long to wait after each failed attempt of a notification, at least half of it; the subscription is over after the last.
var Schedule = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}

// challenges is the same for the challenge: who subscribes waits for it.
var challenges = []time.Duration{2 * time.Second, 10 * time.Second}

const (
	// leadFor is how long a node leads before another may.
	leadFor = 5 * time.Second
	// atOnce is how many subscriptions are worked on at the same time.
	atOnce = 32
	// page is how many notifications are brought before it is noted: so many may be told twice after a crash.
	page = 20
	// turn is how long a subscription is worked on before another one may.
	turn = 5 * time.Second
	// sweepEvery is how often subscriptions that are over are looked through.
	sweepEvery = time.Hour
)

// New returns a notifier.
func New(c Config) *Notifier {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Answer == 0 {
		c.Answer = 5 * time.Second
	}
	if c.Owed == 0 {
		c.Owed = 10_000
	}
	if c.Poll == 0 {
		c.Poll = 500 * time.Millisecond
	}
	return &Notifier{config: c, lead: lead.New(c.Live, "notify", leadFor), metrics: newMetrics(c.Meter), places: make(chan struct{}, atOnce), busy: map[int64]bool{}}
}

func (n *Notifier) now() time.Time { return n.config.Clock().UTC().Truncate(time.Millisecond) }

// Run tells until ctx ends. A failure of ours is logged and tried again.
func (n *Notifier) Run(ctx context.Context) error {
	defer n.running.Wait()
	tick := time.NewTicker(n.config.Poll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !n.lead.Mine(ctx) {
			continue
		}
		n.failed(ctx, n.round(ctx))
	}
}

// failed notes a failure of ours.
func (n *Notifier) failed(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil || parley.KindOf(err) == parley.Conflict { // or whoever subscribed did so no more
		return
	}
	n.config.Logger.WarnContext(ctx, "tell subscriptions", "error", err)
	n.metrics.errors.Inc()
}

// round begins work on what is due and not being worked on, as far as there are places.
func (n *Notifier) round(ctx context.Context) error {
	if now := n.now(); now.Sub(n.swept) > sweepEvery {
		err := n.config.Record.Update(ctx, func(tx parley.Tx) error { return tx.DropSubscriptions(ctx, now.Add(-parley.KeepSubscriptions)) })
		if err != nil {
			return err
		}
		n.swept = now
	}
	// Whoever is worked on now may be done when the list is there, which then has it as it was before.
	n.mu.Lock()
	busy := maps.Clone(n.busy)
	n.mu.Unlock()
	var due []parley.Subscription
	err := n.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		due, err = tx.DueSubscriptions(ctx, n.now(), 2*atOnce) // those that are being worked on are among them
		return err
	})
	if err != nil {
		return err
	}
	for i := range due {
		s := due[i]
		if busy[s.Key] {
			continue
		}
		select {
		case n.places <- struct{}{}:
		default:
			return nil
		}
		n.mu.Lock()
		n.busy[s.Key] = true
		n.mu.Unlock()
		n.running.Go(func() {
			defer func() {
				n.mu.Lock()
				delete(n.busy, s.Key)
				n.mu.Unlock()
				<-n.places
			}()
			n.failed(ctx, n.work(ctx, &s))
		})
	}
	return nil
}

// work does what is due for a subscription.
func (n *Notifier) work(ctx context.Context, s *parley.Subscription) error {
	if s.Status == parley.SubscriptionPending {
		return n.verify(ctx, s)
	}
	began := n.now()
	for ctx.Err() == nil {
		var owed []parley.Notification
		err := n.config.Record.View(ctx, func(tx parley.Tx) (err error) {
			owed, err = tx.Owed(ctx, s.Key, page)
			return err
		})
		if err != nil || len(owed) == 0 {
			return err
		}
		told, wrong, err := n.bring(ctx, s, owed, began)
		if err != nil {
			return err
		}
		// What was told is noted even if the hub stops: else it is told again.
		if err := n.settle(context.WithoutCancel(ctx), s, told, wrong); err != nil {
			return err
		}
		if wrong != "" || n.now().Sub(began) > turn {
			break
		}
	}
	return nil
}

// bring tells one after the other, until one fails: then wrong says why. The error is a failure of ours.
func (n *Notifier) bring(ctx context.Context, s *parley.Subscription, owed []parley.Notification, began time.Time) (told []int64, wrong failure, err error) {
	for i := range owed {
		body, there, err := n.config.Form.Notification(s, &owed[i])
		if err != nil {
			return told, "", err
		}
		if there {
			if wrong := n.post(ctx, s, kindNotification, owed[i].ID.String(), body); wrong != "" {
				if ctx.Err() != nil {
					wrong = "" // it was us who hung up
				}
				return told, wrong, nil
			}
			n.metrics.lag.Observe(n.now().Sub(owed[i].Made).Seconds())
		}
		told = append(told, owed[i].Key)
		if n.now().Sub(began) > turn {
			break
		}
	}
	return told, "", nil
}

// settle notes what became of a subscription's turn.
func (n *Notifier) settle(ctx context.Context, s *parley.Subscription, told []int64, wrong failure) error {
	if wrong == "" && len(told) == 0 {
		return nil
	}
	now := n.now()
	if len(told) > 0 {
		s.Failed = 0
	}
	s.Due = now // behind those that wait for longer
	if wrong != "" {
		s.Failed++
		over := wrong == gone || s.Failed > len(Schedule)
		if !over {
			wait := Schedule[s.Failed-1]
			s.Due = now.Add(wait/2 + rand.N(wait/2))
			var err error
			if over, err = n.pilesUp(ctx, s); err != nil {
				return err
			}
		}
		if over {
			return n.end(ctx, s, parley.SubscriptionFailed, wrong)
		}
	}
	return n.config.Record.Update(ctx, func(tx parley.Tx) error { return tx.SettleSubscription(ctx, s, told) })
}

// pilesUp says whether a subscription is owed more than it may be.
func (n *Notifier) pilesUp(ctx context.Context, s *parley.Subscription) (over bool, err error) {
	err = n.config.Record.View(ctx, func(tx parley.Tx) error {
		count, err := tx.CountOwed(ctx, s.Key)
		over = count > n.config.Owed
		return err
	})
	return over, err
}

// verify asks a target whether it wants to be told.
func (n *Notifier) verify(ctx context.Context, s *parley.Subscription) error {
	wrong := n.challenge(ctx, s)
	if err := ctx.Err(); err != nil {
		return err // it was us who hung up
	}
	if wrong != "" && s.Failed >= len(challenges) {
		return n.end(ctx, s, parley.SubscriptionUnverified, wrong)
	}
	now := n.now()
	if wrong == "" {
		s.Status, s.Changed, s.Failed, s.Due = parley.SubscriptionEnabled, now, 0, now
	} else {
		s.Due = now.Add(challenges[s.Failed])
		s.Failed++
	}
	return n.config.Record.Update(ctx, func(tx parley.Tx) error { return tx.SettleSubscription(ctx, s, nil) })
}

// end ends a subscription. A target that was told is told this, too, if it can be reached now.
func (n *Notifier) end(ctx context.Context, s *parley.Subscription, status parley.SubscriptionStatus, wrong failure) error {
	s.Status, s.Changed = status, n.now()
	if err := n.config.Record.Update(ctx, func(tx parley.Tx) error { return tx.SettleSubscription(ctx, s, nil) }); err != nil {
		return err
	}
	n.metrics.ended.WithLabelValues(string(status)).Inc()
	n.config.Logger.InfoContext(ctx, "a subscription is over", "subscription", s.ID, "tenant", s.Tenant, "status", string(status), "problem", string(wrong))
	if status != parley.SubscriptionFailed {
		return nil
	}
	body, err := n.config.Form.Revocation(s)
	if err != nil {
		return err
	}
	n.post(ctx, s, kindRevocation, ident.New[parley.Notification]().String(), body)
	return nil
}
