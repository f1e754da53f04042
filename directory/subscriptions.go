package directory

import (
	"context"
	"slices"
	"strings"

	"parley"
	"parley/ident"
)

// Subscriptions are the rules of who is told of what happens to a bot. Safe for concurrent use.
type Subscriptions struct{ shared }

// NewSubscriptions returns those of the records.
func NewSubscriptions(cfg Config, records Records) *Subscriptions {
	return &Subscriptions{newShared(cfg, records, nil)}
}

// The length of a subscription's secret, which is printable ASCII.
const (
	minSubscriptionSecret = 10
	maxSubscriptionSecret = 100
	maxSubscriptionTarget = 2000
)

// Create makes a subscription of a bot. It is pending until its target answered a challenge. Invalid; the target is held to the rules of
// hooks: see [Bots.AddHook].
func (s *Subscriptions) Create(ctx context.Context, sub parley.Subscription) (parley.Subscription, error) {
	if err := s.form(&sub); err != nil {
		return sub, err
	}
	now := s.now()
	sub.ID, sub.Status, sub.Created, sub.Changed, sub.Due = ident.New[parley.Subscription](), parley.SubscriptionPending, now, now, now
	return sub, s.records.Update(ctx, func(tx parley.Tx) error { return tx.InsertSubscription(ctx, &sub) })
}

func (s *Subscriptions) form(sub *parley.Subscription) error {
	var p problems
	if sub.Version != parley.VersionDraft && sub.Version != parley.VersionLive {
		p.add(parley.OutsideEnum, "bot_version", "must be DRAFT or LIVE")
	}
	if sub.Target == "" {
		p.add(parley.Missing, "target", "is required")
	} else if len(sub.Target) > maxSubscriptionTarget {
		p.add(parley.BadValue, "target", "must not be longer than %d bytes", maxSubscriptionTarget)
	} else if wrong := webAddress(sub.Target, s.cfg.PlainHTTP, s.guard()); wrong != "" {
		p.add(parley.BadValue, "target", "%s", wrong)
	}
	if n := len(sub.Secret); n < minSubscriptionSecret || n > maxSubscriptionSecret || strings.ContainsFunc(sub.Secret, func(r rune) bool { return r < ' ' || r > '~' }) {
		p.add(parley.BadValue, "secret", "must be %d to %d printable characters of ASCII", minSubscriptionSecret, maxSubscriptionSecret)
	}
	if !slices.Contains(parley.EventTypes(), sub.Type) {
		p.add(parley.OutsideEnum, "event_type", "must be TRACKING_EVENT, FLOW_EVENT or MESSAGE_EVENT")
	}
	if len(sub.Names) > parley.MaxSubscriptionNames {
		p.add(parley.BadValue, "event_names", "must not be more than %d", parley.MaxSubscriptionNames)
	}
	for _, name := range sub.Names {
		if name == "" || len(name) > parley.MaxEventText || strings.ContainsRune(name, 0) {
			p.add(parley.BadValue, "event_names", "must be of 1 to %d bytes each", parley.MaxEventText)
			break
		}
	}
	return p.err()
}

// List is a bot's subscriptions, oldest first, also those that are over.
func (s *Subscriptions) List(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID) (all []parley.Subscription, err error) {
	err = s.records.View(ctx, func(tx parley.Tx) (err error) {
		all, err = tx.SubscriptionsOf(ctx, tenant, bot)
		return err
	})
	return all, err
}

// Delete ends a subscription: nothing is told any more, and what was owed is dropped. NotFound if the bot has none of that id.
func (s *Subscriptions) Delete(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, id parley.SubscriptionID) error {
	return s.records.Update(ctx, func(tx parley.Tx) error { return tx.DeleteSubscription(ctx, tenant, bot, id) })
}
