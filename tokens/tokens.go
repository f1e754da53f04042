package tokens

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"parley"
)

// Records is the part of [parley.Store] that is needed here.
type Records interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// Config says how tokens are made. Only Issuer is required.
type Config struct {
	Issuer   string           // public URL of the hub, the iss of its tokens
	Lifetime time.Duration    // of an access token; zero means 1 hour (reference 1.3), more than [MaxLifetime] that
	Customer time.Duration    // of a customer's token; zero means 1 hour
	Outside  *OutsideIssuer   // whose tokens are accepted besides our own; nil = nobody's
	Now      func() time.Time // nil means time.Now
}

const (
	defaultLifetime = time.Hour
	// renewable is how long after its end a customer's token still proves who the visitor was.
	renewable = 30 * 24 * time.Hour
	// leeway is how far clocks of nodes may differ.
	leeway = 5 * time.Second
	// maxToken is in bytes. Ours have some 700; outside issuers put more into theirs.
	maxToken = 16 << 10
)

// Tokens makes and checks tokens. Make one with [New].
type Tokens struct {
	cfg     Config
	records Records
	keys    keyring
	outside *outside // nil = none
	flight  singleflight.Group

	mu      sync.Mutex // guards the two caches
	clients map[parley.APIClientID]knownClient
	checked map[[32]byte]checkedToken // by SHA-256 of the token: its signature was good
}

// A Grant is what the bearer of a token may do.
type Grant struct {
	Tenant  parley.TenantID
	Client  parley.APIClientID // zero for customers
	Scopes  []string
	Speaker parley.Speaker
	Name    string // display name, customers only
	Expires time.Time
}

// Has says whether the grant has one of the scopes.
func (g *Grant) Has(scopes ...string) bool {
	for _, have := range g.Scopes {
		for _, s := range scopes {
			if have == s {
				return true
			}
		}
	}
	return false
}

// New returns Tokens that keep keys and clients in records. It does no I/O.
func New(cfg Config, records Records) *Tokens {
	if cfg.Lifetime == 0 {
		cfg.Lifetime = defaultLifetime
	}
	if cfg.Customer == 0 {
		cfg.Customer = defaultLifetime
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &Tokens{cfg: cfg, records: records, clients: map[parley.APIClientID]knownClient{}, checked: map[[32]byte]checkedToken{}}
	t.keys = keyring{records: records, now: cfg.Now, keep: keyLife + max(MaxLifetime, cfg.Customer+renewable) + leeway}
	if cfg.Outside != nil {
		t.outside = newOutside(*cfg.Outside, cfg.Now)
	}
	return t
}

// Issuer is the iss of our tokens.
func (t *Tokens) Issuer() string { return t.cfg.Issuer }

// refuse is the one answer to a token that is not good. Why it is not is for the log: a caller who may know can look
// at the token.
func refuse(err error) error {
	return &parley.Error{Kind: parley.Unauthenticated, Msg: "the token is not valid, or has expired", Err: err}
}
