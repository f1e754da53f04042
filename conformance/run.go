package conformance

import (
	"context"
	"net/http"
	"time"
)

// Config says what is checked. URL is required.
type Config struct {
	URL     string
	Secret  string        // whsec_…: what the receiver's role signs with; "" = what is about signatures is skipped
	Timeout time.Duration // for each answer; zero = 5 s, which the hub gives
	Header  http.Header   // sent besides, such as Authorization
}

// timeout is the hub's (dispatch: attemptTimeout).
const timeout = 5 * time.Second

// A Verdict is how a check ended.
type Verdict string

const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Skipped Verdict = "skipped" // it cannot be seen, or was not asked for
)

// A Result is what one check found. Why is for people, and holds no secrets.
type Result struct {
	Check        string  `json:"check"`
	Says         string  `json:"says"` // what a receiver does that passes
	Verdict      Verdict `json:"verdict"`
	Why          string  `json:"why"`
	Milliseconds int64   `json:"milliseconds"`
}

// A check is one thing that a receiver must do.
type check struct {
	name, says string
	signed     bool // needs the secret
	run        func(context.Context, *hub) (Verdict, string)
}

// checks in the order in which they run: each needs what those before it found.
var checks = []check{
	{"answers-in-time", "answers a good delivery with 2xx within the time limit", false, answersInTime},
	{"ignores-unknown-members", "takes a delivery that has members it does not know: the hub may add some", false, unknownMembers},
	{"answers-repeats", "answers a delivery that comes again with 2xx: anything else makes the hub send it once more", false, answersRepeats},
	{"drops-repeats", "acts on a delivery once, whatever how often it comes", false, dropsRepeats},
	{"survives-reordering", "takes conversations interleaved, and later ones before earlier ones", false, survivesReordering},
	{"takes-many-at-once", "takes deliveries of several conversations at the same time", false, takesMany},
	{"accepts-rotation", "accepts a delivery if one of several signatures is good: secrets overlap when they are rotated", true, acceptsRotation},
	{"refuses-missing-signature", "refuses a delivery without a signature", true, refusesMissing},
	{"refuses-bad-signature", "refuses a delivery that somebody else signed", true, refusesForged},
	{"refuses-altered-body", "refuses a body, or a delivery id, that the signature is not of", true, refusesAltered},
	{"refuses-old-timestamp", "refuses a well signed delivery of ten minutes ago: somebody may have recorded it", true, refusesOld},
	{"refuses-future-timestamp", "refuses a well signed delivery of in ten minutes", true, refusesFuture},
	{"says-when-to-come-back", "with 429 or 503 says Retry-After, and takes what comes after that", false, comesBack},
}

// Run makes every check and tells of each as it ends. When ctx ends the rest is left out, with its error.
func Run(ctx context.Context, c Config, tell func(Result)) error {
	if c.Timeout == 0 {
		c.Timeout = timeout
	}
	h, err := newHub(c)
	if err != nil {
		return err
	}
	defer h.client.CloseIdleConnections()
	for i, k := range checks {
		r := Result{Check: k.name, Says: k.says}
		start := time.Now()
		switch {
		case k.signed && c.Secret == "":
			r.Verdict, r.Why = Skipped, "no secret was given"
		case i > 0 && !h.reached:
			r.Verdict, r.Why = Skipped, "the receiver did not take a good delivery"
		default:
			r.Verdict, r.Why = k.run(ctx, h)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r.Milliseconds = time.Since(start).Milliseconds()
		tell(r)
	}
	return nil
}
