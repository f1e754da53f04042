package directory

import (
	"context"
	"net/netip"
	"time"

	"parley"
	"parley/egress"
)

// Records is the part of [parley.Store] that is needed here.
type Records interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// A Hub must hear of changes before they can matter.
type Hub interface {
	// EndAccount ends every open conversation of an account.
	EndAccount(ctx context.Context, tenant parley.TenantID, account parley.AccountID) error
	// ConfigChanged is called after each committed change.
	ConfigChanged(ctx context.Context, tenant parley.TenantID)
}

// Config says what operators decide. The zero Config is the safe choice.
type Config struct {
	// PlainHTTP lets callbacks go to http addresses beyond loopback. Whoever listens on the way then reads every message
	// and the credentials of the callback.
	PlainHTTP bool
	// ShowSecrets turns masking off, for clients that rely on reading secrets back as the vendor's API lets them. Any token
	// with a read scope then shows the credentials of every callback.
	ShowSecrets bool
	// BuiltInTypes are channel types served by adapters of ours, besides built-in channels: their accounts need no customer
	// application. Usually none.
	BuiltInTypes []string
	Now          func() time.Time // nil means time.Now
	// Allow are private addresses that callbacks and token URLs may be: what dispatch is allowed to reach, so that who
	// configures one that it refuses hears of it at once.
	Allow []netip.Prefix
}

// Directory applies the rules. Make one with [New]; it is safe for concurrent use.
type Directory struct {
	Authentications *Collection[parley.Authentication]
	Applications    *Collection[parley.ClientApplication]
	Participants    *Collection[parley.Participant]
	Channels        *Collection[parley.Channel]
	Orchestrations  *Collection[parley.Orchestration]
	Accounts        *Collection[parley.Account]
}

// New returns the directory of the given records.
func New(cfg Config, records Records, hub Hub) *Directory {
	shared := newShared(cfg, records, hub)
	return &Directory{
		Authentications: authentications(shared),
		Applications:    applications(shared),
		Participants:    participants(shared),
		Channels:        channels(shared),
		Orchestrations:  orchestrations(shared),
		Accounts:        accounts(shared),
	}
}

// shared is what every collection needs.
type shared struct {
	cfg     Config
	records Records
	hub     Hub
}

func newShared(cfg Config, records Records, hub Hub) shared {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return shared{cfg: cfg, records: records, hub: hub}
}

// guard judges addresses as they are written.
func (s *shared) guard() *egress.Guard { return &egress.Guard{Allow: s.cfg.Allow} }
