package parley

import "time"

// A Receiver is one role of one client application, reached by callback or over a session. Lanes refer to it by its key.
type Receiver struct {
	Key         int64
	Tenant      TenantID
	Application ApplicationID
	Role        Role
	Disabled    string // why nothing is sent now; "" = enabled
}

// DeliverySettings say how a role's messages are delivered. The published API has none of this: they are set through
// admin/v1, and a replacement of the client application keeps them. The zero value of each is the usual behaviour.
type DeliverySettings struct {
	Schedule     []time.Duration `json:"schedule,omitempty"`     // longest waits after failed attempts; nil = dispatch.Schedule
	Block        bool            `json:"block,omitempty"`        // a dead delivery stops its lane until it is replayed or skipped
	AtOnce       int             `json:"atOnce,omitempty"`       // attempts at the same time on each node; 0 = the dispatcher's
	PerSecond    float64         `json:"perSecond,omitempty"`    // attempts a second on each node; 0 = no limit
	DisableAfter time.Duration   `json:"disableAfter,omitempty"` // of nothing but failures; 0 = dispatch.DisableAfter, negative = never
}

// Limits of [DeliverySettings].
const (
	MaxScheduled     = 30
	MaxScheduledWait = 7 * 24 * time.Hour
	MaxAtOnce        = 256
)

// Signing holds the secrets that a role's callbacks are signed with, as Standard Webhooks writes them ("whsec_" and base64).
type Signing struct {
	Secret   string          `json:"secret,omitempty"`
	Shown    bool            `json:"shown,omitempty"`   // the secret was told once and is not told again
	Old      string          `json:"old,omitempty"`     // signs too, until OldUntil
	OldUntil time.Time       `json:"oldUntil,omitzero"` // end of the overlap after a rotation
	Older    []RetiredSecret `json:"older,omitempty"`   // of rotations before that, the newest first; at most maxOlder
}

// A RetiredSecret signs beside a newer one until its overlap is over.
type RetiredSecret struct {
	Secret string    `json:"secret"`
	Until  time.Time `json:"until"`
}

// SigningOverlap is how long a secret still signs after it was replaced.
const SigningOverlap = 24 * time.Hour

// maxOlder bounds the header of signatures, whoever rotates how often.
const maxOlder = 3

// Renewed is s with a new secret, which whoever asked for it has seen. Those that it replaced within the overlap sign on: an
// administrator who lost the answer renews again, and receivers have the secret from before both.
func (s Signing) Renewed(secret string, now time.Time) Signing {
	next := Signing{Secret: secret, Shown: true, Old: s.Secret, OldUntil: now.Add(SigningOverlap)}
	for _, r := range append([]RetiredSecret{{s.Old, s.OldUntil}}, s.Older...) {
		if r.Secret != "" && now.Before(r.Until) && len(next.Older) < maxOlder {
			next.Older = append(next.Older, r)
		}
	}
	return next
}

// Active lists the secrets that sign at a time, the newest first.
func (s Signing) Active(now time.Time) []string {
	var active []string
	if s.Secret != "" {
		active = append(active, s.Secret)
	}
	if s.Old != "" && now.Before(s.OldUntil) {
		active = append(active, s.Old)
	}
	for _, r := range s.Older {
		if now.Before(r.Until) {
			active = append(active, r.Secret)
		}
	}
	return active
}

// A Health is what the record knows of how a receiver does.
type Health struct {
	Receiver
	Failing time.Time // since when there were only failures; zero = the last attempt was good, or there was none
	Broken  time.Time // the circuit breaker is open until then, and is then tried with one delivery; zero = closed
	Breaks  int       // how often the breaker opened since it was last closed
	Owing   int       // lanes that owe it something
	Blocked int       // lanes that a dead delivery stops
	Dead    int       // dead deliveries
	Oldest  time.Time // when the longest due delivery became due; zero = none is
}
