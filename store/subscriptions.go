package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

// subscriptionContext binds what is sealed of a subscription to it, so that it cannot be moved elsewhere.
func subscriptionContext(id parley.SubscriptionID) []byte {
	return append([]byte("subscriptions.sealed:"), id[:]...)
}

// sealedSubscription is what nobody may read in the database: who knows a target may hold a key in its URL.
type sealedSubscription struct {
	Target string `json:"target"`
	Secret string `json:"secret"`
}

// InsertSubscription implements [parley.Subscriptions].
func (t *tx) InsertSubscription(ctx context.Context, s *parley.Subscription) error {
	tenant, err := t.s.tenantKey(ctx, t.db, s.Tenant)
	if err != nil {
		return err
	}
	var alive int
	if err := t.db.NewRaw("SELECT count(*) FROM subscriptions WHERE tenant = ? AND bot = ? AND status IN (?, ?)", tenant, s.Bot[:],
		string(parley.SubscriptionPending), string(parley.SubscriptionEnabled)).Scan(ctx, &alive); err != nil {
		return fmt.Errorf("count subscriptions: %w", err)
	}
	if alive >= parley.MaxSubscriptions {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "target",
			Msg: fmt.Sprintf("would be of subscription number %d, and a bot may have %d", alive+1, parley.MaxSubscriptions)}
	}
	plain, err := json.Marshal(sealedSubscription{s.Target, s.Secret})
	if err != nil {
		return err
	}
	sealed, err := t.s.config.Seal.Encrypt(plain, subscriptionContext(s.ID))
	if err != nil {
		return fmt.Errorf("seal subscription: %w", err)
	}
	names, err := json.Marshal(s.Names)
	if err != nil {
		return err
	}
	err = t.db.NewRaw(`INSERT INTO subscriptions (id, tenant, bot, version, type, names, sealed, status, created, changed, failed, due)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING key`, s.ID[:], tenant, s.Bot[:], s.Version, string(s.Type), string(names), sealed,
		string(s.Status), s.Created.UnixMilli(), s.Changed.UnixMilli(), s.Failed, s.Due.UnixMilli()).Scan(ctx, &s.Key)
	if err != nil {
		return fmt.Errorf("insert subscription: %w", err)
	}
	return nil
}

func (t *tx) subscriptions(ctx context.Context, rest string, args ...any) (all []parley.Subscription, err error) {
	err = query(ctx, t.db, `SELECT s.key, s.id, tn.id, s.bot, s.version, s.type, s.names, s.sealed, s.status, s.created, s.changed, s.failed, s.due
		FROM subscriptions AS s JOIN tenants AS tn ON tn.key = s.tenant `+rest, args, func(rows *sql.Rows) error {
		var s parley.Subscription
		var id, tenant, bot, names, sealed []byte
		var created, changed, due int64
		if err := rows.Scan(&s.Key, &id, &tenant, &bot, &s.Version, &s.Type, &names, &sealed, &s.Status, &created, &changed, &s.Failed, &due); err != nil {
			return err
		}
		s.ID, s.Tenant, s.Bot = parley.SubscriptionID(id), parley.TenantID(tenant), parley.ApplicationID(bot)
		s.Created, s.Changed, s.Due = moment(&created), moment(&changed), moment(&due)
		plain, err := t.s.config.Seal.Decrypt(sealed, subscriptionContext(s.ID))
		if err != nil {
			return fmt.Errorf("open subscription %s (is this the keyset it was sealed with?): %w", s.ID, err)
		}
		var hidden sealedSubscription
		if err := json.Unmarshal(plain, &hidden); err != nil {
			return fmt.Errorf("read subscription %s: %w", s.ID, err)
		}
		s.Target, s.Secret = hidden.Target, hidden.Secret
		if err := json.Unmarshal(names, &s.Names); err != nil {
			return fmt.Errorf("read subscription %s: %w", s.ID, err)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read subscriptions: %w", err)
	}
	return all, nil
}

// SubscriptionsOf implements [parley.Subscriptions].
func (t *tx) SubscriptionsOf(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID) ([]parley.Subscription, error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	return t.subscriptions(ctx, "WHERE s.tenant = ? AND s.bot = ? ORDER BY s.key", key, bot[:])
}

// DeleteSubscription implements [parley.Subscriptions].
func (t *tx) DeleteSubscription(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, id parley.SubscriptionID) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	var key int64
	if err := t.db.NewRaw("DELETE FROM subscriptions WHERE tenant = ? AND bot = ? AND id = ? RETURNING key", owner, bot[:], id[:]).Scan(ctx, &key); err != nil {
		return notFound(err, "subscription")
	}
	return t.run(ctx, "DELETE FROM notifications WHERE subscription = ?", key)
}

// DueSubscriptions implements [parley.Subscriptions].
func (t *tx) DueSubscriptions(ctx context.Context, now time.Time, limit int) ([]parley.Subscription, error) {
	return t.subscriptions(ctx, `WHERE s.status IN (?, ?) AND s.due <= ?
		AND (s.status = ? OR EXISTS (SELECT 1 FROM notifications AS n WHERE n.subscription = s.key)) ORDER BY s.due, s.key LIMIT ?`,
		string(parley.SubscriptionPending), string(parley.SubscriptionEnabled), now.UnixMilli(), string(parley.SubscriptionPending), limit)
}

var deleteTold = newBulk("DELETE FROM notifications WHERE key IN (SELECT told FROM %ROWS%)", column{"told", bigint})

// SettleSubscription implements [parley.Subscriptions].
func (t *tx) SettleSubscription(ctx context.Context, s *parley.Subscription, told []int64) error {
	err := t.one(ctx, "subscription", "UPDATE subscriptions SET status = ?, changed = ?, failed = ?, due = ? WHERE key = ? AND status IN (?, ?)", string(s.Status),
		s.Changed.UnixMilli(), s.Failed, s.Due.UnixMilli(), s.Key, string(parley.SubscriptionPending), string(parley.SubscriptionEnabled))
	if parley.KindOf(err) == parley.NotFound {
		return &parley.Error{Kind: parley.Conflict, Msg: "the subscription is over"}
	}
	if err != nil {
		return fmt.Errorf("settle subscription: %w", err)
	}
	if !s.Status.Alive() {
		return t.run(ctx, "DELETE FROM notifications WHERE subscription = ?", s.Key)
	}
	rows := make([][]any, len(told))
	for i, key := range told {
		rows[i] = []any{key}
	}
	return deleteTold.run(ctx, t.conn(), rows, discard)
}

// DropSubscriptions implements [parley.Subscriptions].
func (t *tx) DropSubscriptions(ctx context.Context, before time.Time) error {
	return t.run(ctx, "DELETE FROM subscriptions WHERE status IN (?, ?) AND changed < ?", string(parley.SubscriptionUnverified), string(parley.SubscriptionFailed), before.UnixMilli())
}
