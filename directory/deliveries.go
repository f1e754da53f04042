package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"parley"
)

// Deliveries lets administrators see and decide about what was given up, and about receivers. Every call says as whom it is
// made and for which tenant; others than an administrator of that hear that it does not exist. What changes something
// goes to the audit log. It is safe for concurrent use.
type Deliveries struct {
	shared
	lanes Lanes
}

// Lanes is the part of [parley.Lanes] that is needed here.
type Lanes interface {
	Disable(ctx context.Context, receiver int64, reason string) error
	Healths(ctx context.Context, tenant parley.TenantID) ([]parley.Health, error)
}

// NewDeliveries returns those of the given records.
func NewDeliveries(cfg Config, records Records, lanes Lanes, hub Hub) *Deliveries {
	return &Deliveries{newShared(cfg, records, hub), lanes}
}

// An Actor is who acts, for the audit log too.
type Actor struct {
	Administrator
	Client string // id of the API client
}

// Limits of decisions about many deliveries at once.
const (
	decidedTogether   = 500     // in one transaction
	MostDecided       = 200_000 // by one call
	MaxReplayRate     = 1000    // a second
	DefaultReplayRate = 50
)

var (
	errNoDeadLetter   = &parley.Error{Kind: parley.NotFound, Msg: "dead letter not found"}
	errNoConversation = &parley.Error{Kind: parley.NotFound, Msg: "conversation not found"}
)

// DeadLetters are a page of those selected, oldest first, and how many there are in all.
func (d *Deliveries) DeadLetters(ctx context.Context, as Actor, q parley.DeadLetterQuery, offset, limit int) (page []parley.DeadLetter, count int, err error) {
	if err := as.over(q.Tenant); err != nil {
		return nil, 0, err
	}
	err = d.records.View(ctx, func(tx parley.Tx) (err error) {
		page, count, err = tx.DeadLetters(ctx, q, offset, limit)
		return err
	})
	return page, count, err
}

// DeadLetter is one, with the attempts at it.
func (d *Deliveries) DeadLetter(ctx context.Context, as Actor, tenant parley.TenantID, id parley.DeliveryID) (one parley.DeadLetter, attempts []parley.LaneAttempt, err error) {
	if as.over(tenant) != nil || id.IsZero() {
		return one, nil, errNoDeadLetter
	}
	err = d.records.View(ctx, func(tx parley.Tx) error {
		found, _, err := tx.DeadLetters(ctx, parley.DeadLetterQuery{Tenant: tenant, Delivery: id}, 0, 1)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return errNoDeadLetter
		}
		one = found[0]
		all, err := tx.Attempts(ctx, tenant, one.Message.Conversation, one.Message.Seq-1, one.Message.Seq)
		for _, a := range all {
			if a.Receiver.Key == one.Receiver.Key {
				attempts = append(attempts, a)
			}
		}
		return err
	})
	return one, attempts, err
}

// Replay has those selected that are dead tried again, oldest first, at most [MostDecided], about so many a second. With
// dry it only counts them.
func (d *Deliveries) Replay(ctx context.Context, as Actor, q parley.DeadLetterQuery, perSecond float64, dry bool) (n int, err error) {
	q.State = parley.StateDead
	pause := time.Duration(float64(time.Second) / perSecond)
	first := d.cfg.Now()
	return d.decide(ctx, as, "deadletters.replay", q, dry, func(tx parley.Tx, limit int) (int, error) {
		n, err := tx.Replay(ctx, q, limit, first, pause)
		first = first.Add(time.Duration(n) * pause)
		return n, err
	})
}

// Skip gives those selected up for good, oldest first; lanes that one of them blocked go on after it. With dry it only
// counts them.
func (d *Deliveries) Skip(ctx context.Context, as Actor, q parley.DeadLetterQuery, dry bool) (n int, err error) {
	if q.State == "" {
		q.State = parley.StateDead
	}
	return d.decide(ctx, as, "deadletters.skip", q, dry, func(tx parley.Tx, limit int) (int, error) { return tx.Skip(ctx, q, limit) })
}

// decide runs step until nothing is left of what was selected at the beginning. Each transaction is short, so that traffic
// goes on, and has its own line in the audit log: should one fail, what those before did stays and is told.
func (d *Deliveries) decide(ctx context.Context, as Actor, action string, q parley.DeadLetterQuery, dry bool, step func(tx parley.Tx, limit int) (int, error)) (total int, err error) {
	if err := as.over(q.Tenant); err != nil {
		return 0, err
	}
	var count int
	err = d.records.View(ctx, func(tx parley.Tx) (err error) {
		_, count, err = tx.DeadLetters(ctx, q, 0, 1)
		return err
	})
	if err != nil || dry {
		return count, err
	}
	for total < min(count, MostDecided) {
		var n int
		err := d.records.Update(ctx, func(tx parley.Tx) (err error) {
			if n, err = step(tx, min(decidedTogether, count-total)); err != nil || n == 0 {
				return err
			}
			return d.audit(ctx, tx, as, q.Tenant, action, subjectOf(q), map[string]any{"count": n})
		})
		if err != nil {
			return total, fmt.Errorf("%s, after %d: %w", action, total, err)
		}
		if n == 0 {
			break
		}
		total += n
	}
	return total, nil
}

// subjectOf is a query in the audit log.
func subjectOf(q parley.DeadLetterQuery) string {
	b, _ := json.Marshal(struct { // strings and times always marshal
		Delivery     parley.DeliveryID     `json:"id,omitzero"`
		Application  parley.ApplicationID  `json:"applicationId,omitzero"`
		Role         parley.Role           `json:"role,omitempty"`
		Conversation parley.ConversationID `json:"conversationId,omitzero"`
		Reason       string                `json:"reason,omitempty"`
		From         time.Time             `json:"from,omitzero"`
		To           time.Time             `json:"to,omitzero"`
	}{q.Delivery, q.Application, q.Role, q.Conversation, q.Reason, q.From, q.To})
	return string(b)
}

func (d *Deliveries) audit(ctx context.Context, tx parley.Tx, as Actor, tenant parley.TenantID, action, subject string, detail map[string]any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	return tx.InsertAudit(ctx, parley.AuditEntry{Tenant: tenant, At: d.now(), Actor: as.Client, Action: action, Subject: subject, Detail: string(text)})
}

// Note writes to the audit log what was done elsewhere.
func (d *Deliveries) Note(ctx context.Context, as Actor, tenant parley.TenantID, action, subject string, detail map[string]any) error {
	return d.records.Update(ctx, func(tx parley.Tx) error { return d.audit(ctx, tx, as, tenant, action, subject, detail) })
}

// Audit is a page of what administrators did, newest first, and how much there is in all.
func (d *Deliveries) Audit(ctx context.Context, as Actor, tenant parley.TenantID, offset, limit int) (page []parley.AuditEntry, count int, err error) {
	if err := as.over(tenant); err != nil {
		return nil, 0, err
	}
	err = d.records.View(ctx, func(tx parley.Tx) (err error) {
		page, count, err = tx.AuditEntries(ctx, tenant, offset, limit)
		return err
	})
	return page, count, err
}

// Healths is how the receivers of a tenant do to which something was sent, in the order in which that began.
func (d *Deliveries) Healths(ctx context.Context, as Actor, tenant parley.TenantID) ([]parley.Health, error) {
	if err := as.over(tenant); err != nil {
		return nil, err
	}
	return d.lanes.Healths(ctx, tenant)
}

// Health is how one receiver does; healthy and idle if nothing was ever sent to it.
func (d *Deliveries) Health(ctx context.Context, as Actor, of parley.Receiver) (parley.Health, error) {
	all, err := d.Healths(ctx, as, of.Tenant)
	if err != nil {
		return parley.Health{}, err
	}
	for _, h := range all {
		if h.Application == of.Application && h.Role == of.Role {
			return h, nil
		}
	}
	return parley.Health{Receiver: of}, nil
}

// Switch disables a receiver, or enables it with an empty reason; what it is owed is held meanwhile. Conflict if nothing was
// ever sent to it: there is nothing to hold.
func (d *Deliveries) Switch(ctx context.Context, as Actor, of parley.Receiver, reason string) error {
	h, err := d.Health(ctx, as, of)
	if err != nil {
		return err
	}
	if h.Key == 0 {
		return &parley.Error{Kind: parley.Conflict, Msg: "nothing was sent to this receiver yet"}
	}
	if err := d.lanes.Disable(ctx, h.Key, reason); err != nil {
		return err
	}
	d.hub.ConfigChanged(ctx, of.Tenant)
	action := "receivers.disable"
	if reason == "" {
		action = "receivers.enable"
	}
	return d.Note(ctx, as, of.Tenant, action, of.Application.String()+" "+string(of.Role), map[string]any{"reason": reason, "before": h.Disabled})
}

// A Moment is everything that happened to one message.
type Moment struct {
	Message  parley.Message
	Attempts []parley.LaneAttempt
	Dead     []parley.DeadLetter
	Shown    []parley.ReadMark // of parties whose client had it, at the latest then
	Read     []parley.ReadMark // of parties that have read this far
}

// Timeline is a page of a conversation's messages with what happened to each, in order, from after a seq on; and what programs said in it
// that was refused.
func (d *Deliveries) Timeline(ctx context.Context, as Actor, tenant parley.TenantID, id parley.ConversationID, after int64, limit int) (c parley.Conversation, page []Moment, refused []parley.Refused, err error) {
	if as.over(tenant) != nil {
		return c, nil, nil, errNoConversation
	}
	err = d.records.View(ctx, func(tx parley.Tx) error {
		page = nil
		c, err = tx.Conversation(ctx, tenant, id)
		if parley.KindOf(err) == parley.NotFound {
			return errNoConversation
		}
		if err != nil {
			return err
		}
		if refused, err = tx.RefusedIn(ctx, tenant, id); err != nil {
			return err
		}
		messages, err := tx.Messages(ctx, parley.MessageQuery{Tenant: tenant, Conversation: id, After: after, Limit: limit})
		if err != nil || len(messages) == 0 {
			return err
		}
		last := messages[len(messages)-1].Seq
		attempts, err := tx.Attempts(ctx, tenant, id, after, last)
		if err != nil {
			return err
		}
		dead, _, err := tx.DeadLetters(ctx, parley.DeadLetterQuery{Tenant: tenant, Conversation: id, After: after, Until: last}, 0, MostDecided)
		if err != nil {
			return err
		}
		marks, err := tx.Receipts(ctx, tenant, id)
		if err != nil {
			return err
		}
		shown, err := tx.Shown(ctx, tenant, id, after, last)
		if err != nil {
			return err
		}
		for _, m := range messages {
			one := Moment{Message: m, Shown: shownTo(&m, shown, marks)}
			for _, a := range attempts {
				if a.Seq == m.Seq {
					one.Attempts = append(one.Attempts, a)
				}
			}
			for _, x := range dead {
				if x.Message.Seq == m.Seq {
					one.Dead = append(one.Dead, x)
				}
			}
			for _, mark := range marks {
				if mark.Seq >= m.Seq && m.To&(int64(1)<<mark.Slot) != 0 {
					one.Read = append(one.Read, mark)
				}
			}
			page = append(page, one)
		}
		return nil
	})
	return c, page, refused, err
}

// shownTo is when the parties that a message is for were shown it, as far as is known. marks are in the order of slots and then of Seq; who
// has read a message was shown it.
func shownTo(m *parley.Message, marks []parley.ReadMark, read map[int]parley.ReadMark) (to []parley.ReadMark) {
	first := map[int]parley.ReadMark{}
	for slot, mark := range read {
		if mark.Seq >= m.Seq {
			first[slot] = mark
		}
	}
	for _, mark := range slices.Backward(marks) {
		if known, ok := first[mark.Slot]; mark.Seq >= m.Seq && (!ok || !mark.At.After(known.At)) {
			first[mark.Slot] = mark
		}
	}
	for slot, mark := range first {
		if m.To&(int64(1)<<slot) != 0 {
			to = append(to, mark)
		}
	}
	return to
}
