package notice

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/dispatch"
	"parley/ident"
	"parley/internal/fair"
)

// About is what a notice says of a receiver besides its ids.
type About struct {
	Application string // name
	Environment string // name
	Operations  Operations
}

// Operations is where an environment wants to hear of failures.
type Operations struct {
	URL    string // "" = nowhere
	Secret string // whsec_…
}

// Config is what a notifier works with. About is required.
type Config struct {
	About  func(context.Context, parley.Receiver) (About, error)
	Mail   *SMTP                                                                // nil = no mail
	Hub    string                                                               // base URL of the hub, for the text
	Dial   func(ctx context.Context, network, address string) (net.Conn, error) // nil = anywhere; an [egress.Guard]'s, on a hub
	Logger *slog.Logger                                                         // nil = slog.Default
	Meter  prometheus.Registerer                                                // nil = no metrics
	Waits  []time.Duration                                                      // between tries, after the first; nil = waits
	Clock  func() time.Time                                                     // nil = time.Now
}

// waits are short: people want to know now, and after a minute somebody else may.
var waits = []time.Duration{time.Second, 5 * time.Second, 20 * time.Second, time.Minute}

const (
	waiting     = 256              // notices that may wait for a way; a busy hub makes a few an hour
	mailAtOnce  = 4                // connections to the mail server
	ofOne       = 32               // notices that may wait for one operations URL: one that hangs does not hold the others
	tryTimeout  = 15 * time.Second // of one try, mail or callback
	tellWithin  = 24 * time.Hour   // of what happened: what found no place until then does not any more
	lastTimeout = 5 * time.Second  // for all that is under way when the hub stops: what waits is tried once, if there is time
)

// A job is a notice on one of its ways.
type job struct {
	dispatch.Notice
	about About
	id    string        // the same on every try
	left  *atomic.Int32 // ways that have not come to an end
}

// over notes that a way has come to its end, well or not. With the last one the notice is not owed any more.
func (j *job) over(way string) {
	switch last := j.left.Add(-1) == 0; {
	case last && j.Done != nil:
		j.Done()
	case !last && way != "" && j.ToldBy != nil:
		j.ToldBy(way)
	}
}

// A way is how a notice goes out.
type way struct {
	name            string
	atOnce, waiting int                       // in one line
	line            func(job) parley.TenantID // what waits behind another notice: those of the same
	// try says how it went: again is false when another try is of no use. err has no secrets and no text of strangers.
	try   func(context.Context, job) (again bool, err error)
	lines *fair.Lines[parley.TenantID, job]
}

// A Notifier sends notices. Safe for concurrent use; Run must be running.
type Notifier struct {
	config Config
	logger *slog.Logger
	sent   *prometheus.CounterVec
	client *http.Client
	in     chan dispatch.Notice // filled by Notify, drained by Run
	ways   []*way
}

// New makes a notifier.
func New(c Config) *Notifier {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Waits == nil {
		c.Waits = waits
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	// Redirects are not followed, as with callbacks, and proxies named by the environment are not used: they would go around
	// the guard. Notices are rare, so no connection is kept.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: c.Dial, ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10}}
	n := &Notifier{config: c, logger: c.Logger, client: client, in: make(chan dispatch.Notice, waiting), sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_notices_total",
		Help: "Notices about receivers, by way and outcome."}, []string{"way", "outcome"})}
	if c.Meter != nil {
		c.Meter.MustRegister(n.sent)
	}
	n.ways = []*way{{name: "operations", atOnce: 1, waiting: ofOne, line: func(j job) parley.TenantID { return j.Receiver.Tenant }, try: n.call}}
	if c.Mail != nil { // there is one server for all
		n.ways = append(n.ways, &way{name: "mail", atOnce: mailAtOnce, waiting: waiting, line: func(job) parley.TenantID { return parley.TenantID{} }, try: n.mail})
	}
	n.sent.WithLabelValues("any", "deferred") // shown before the first one, which would pass for the beginning of the series
	for _, w := range n.ways {
		for _, outcome := range []string{"sent", "failed", "deferred", "dropped"} {
			n.sent.WithLabelValues(w.name, outcome)
		}
	}
	return n
}

// Notify implements [dispatch.Notifier]: it does not wait. What does not fit is counted, and stays owed.
func (n *Notifier) Notify(x dispatch.Notice) {
	select {
	case n.in <- x:
	default:
		n.unfit(x, "any", "deferred")
	}
}

// unfit notes that there is no place for a notice: it is deferred, or dropped.
func (n *Notifier) unfit(x dispatch.Notice, way, outcome string) {
	n.sent.WithLabelValues(way, outcome).Inc()
	n.logger.Warn("too many notices wait", "outcome", outcome, "way", way, "application", x.Receiver.Application, "role", x.Receiver.Role, "event", x.Event)
}

// Run sends until ctx ends; then it tries what waits once more, as long as lastTimeout lasts, and returns with nothing left of it.
func (n *Notifier) Run(ctx context.Context) error {
	trying, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	for _, w := range n.ways {
		w.lines = fair.New[parley.TenantID](w.atOnce, w.waiting, waiting, func(j job) { n.send(ctx, trying, w, j) })
	}
	for done := false; !done; {
		select {
		case x := <-n.in:
			n.spread(trying, x)
		case <-ctx.Done():
			done = true
		}
	}
	end := time.AfterFunc(lastTimeout, cut)
	defer end.Stop()
	for len(n.in) > 0 { // nobody notifies any more, or too late
		n.spread(trying, <-n.in)
	}
	for _, w := range n.ways {
		w.lines.Wait()
	}
	return ctx.Err()
}

// spread gives a notice to each way that it has.
func (n *Notifier) spread(ctx context.Context, x dispatch.Notice) {
	reading, cancel := context.WithTimeout(ctx, lastTimeout)
	defer cancel()
	about, err := n.config.About(reading, x.Receiver)
	j := job{Notice: x, about: about, id: ident.New[parley.Delivery]().String(), left: new(atomic.Int32)}
	j.left.Add(1) // until all ways have it
	if err == nil {
		defer j.over("")
	} else { // the mail says whom it is about by its ids, and the operations URL is owed still
		n.logger.WarnContext(ctx, "reading what a notice is about", "application", x.Receiver.Application, "error", err)
	}
	for _, w := range n.ways {
		if w.name == "mail" && x.Email == "" || w.name == "operations" && about.Operations.URL == "" || slices.Contains(x.Told, w.name) {
			continue
		}
		j.left.Add(1)
		switch {
		case w.lines.Offer(w.line(j), j):
		case n.config.Clock().Sub(x.At) < tellWithin: // it stays owed in this way
			n.unfit(x, w.name, "deferred")
		default:
			n.unfit(x, w.name, "dropped")
			j.over(w.name)
		}
	}
}

// send tries until it went well, is of no use, or has been tried enough; once only when the hub stops, which ctx says, and not longer than
// trying lasts: what did not go out then is still owed.
func (n *Notifier) send(ctx, trying context.Context, w *way, j job) {
	for tries := 0; ; tries++ {
		bounded, cancel := context.WithTimeout(trying, tryTimeout)
		again, err := w.try(bounded, j)
		cancel()
		if err == nil {
			n.sent.WithLabelValues(w.name, "sent").Inc()
			j.over(w.name)
			return
		}
		if !again || tries == len(n.config.Waits) || ctx.Err() != nil {
			n.sent.WithLabelValues(w.name, "failed").Inc()
			n.logger.WarnContext(ctx, "a notice could not be sent", "way", w.name, "application", j.Receiver.Application, "role", j.Receiver.Role,
				"event", j.Event, "tries", tries+1, "error", err)
			if !again || ctx.Err() == nil {
				j.over(w.name)
			}
			return
		}
		timer := time.NewTimer(n.config.Waits[tries])
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
