package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// Untold implements [parley.Lanes].
func (s *Store) Untold(ctx context.Context, by time.Duration, limit int) ([]parley.GivenUp, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT x.lane, x.seq, l.slot, tn.id, c.id, r.key, r.application, r.role, r.disabled, x.delivery, x.reason FROM exceptions AS x
		JOIN lanes AS l ON l.key = x.lane JOIN receivers AS r ON r.key = l.receiver
		JOIN conversations AS c ON c.key = l.conversation JOIN tenants AS tn ON tn.key = x.tenant
		WHERE x.told = 0 AND (x.at <= ? OR x.state = 'again') ORDER BY x.at, x.lane, x.seq LIMIT ?`, s.now().Add(-by).UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("look for deliveries given up: %w", err)
	}
	defer rows.Close()
	var found []parley.GivenUp
	for rows.Next() {
		var g parley.GivenUp
		var tenant, conversation, application, delivery []byte
		if err := rows.Scan(&g.Lane, &g.Message.Seq, &g.Slot, &tenant, &conversation, &g.Receiver.Key, &application, &g.Receiver.Role, &g.Receiver.Disabled, &delivery, &g.Reason); err != nil {
			return nil, err
		}
		if delivery != nil {
			g.Delivery = parley.DeliveryID(delivery)
		}
		g.Receiver.Tenant, g.Receiver.Application = parley.TenantID(tenant), parley.ApplicationID(application)
		g.Tenant, g.Message.Conversation = parley.TenantID(tenant), parley.ConversationID(conversation)
		found = append(found, g)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close() // they are few: crashes and dead deliveries have to meet, so each may have its own query
	for i := range found {
		g := &found[i]
		messages, err := selectMessages(ctx, s.read, `FROM messages AS m JOIN conversations AS c ON c.key = m.conversation
			JOIN tenants AS tn ON tn.key = c.tenant WHERE tn.id = ? AND c.id = ? AND m.seq = ?`, g.Tenant[:], g.Message.Conversation[:], g.Message.Seq)
		if err != nil {
			return nil, fmt.Errorf("read a message that was given up: %w", err)
		}
		if len(messages) == 1 {
			g.Message = messages[0]
		}
	}
	return found, nil
}

// Told implements [parley.Lanes].
func (s *Store) Told(ctx context.Context, g parley.GivenUp) error {
	return s.Update(ctx, func(t parley.Tx) error {
		_, err := t.(*tx).db.NewRaw("UPDATE exceptions SET told = 1 WHERE tenant = (SELECT key FROM tenants WHERE id = ?) AND lane = ? AND seq = ?",
			g.Tenant[:], g.Lane, g.Message.Seq).Exec(ctx)
		return err
	})
}
