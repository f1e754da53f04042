package dispatch

import (
	"context"
	"time"

	"parley"
)

// A Notice tells people of a receiver that needs them.
type Notice struct {
	Receiver parley.Receiver
	Event    NoticeEvent
	Reason   string
	Delivery parley.DeliveryID // of DeliveryGivenUp
	Email    string            // the role's notificationEmail; empty = none
	At       time.Time
	Told     []string         // ways in which people were told before
	ToldBy   func(way string) // to be called once people were told in a way, or cannot be, while others are to come
	Done     func()           // to be called once they were in all; until then the notice is owed, and told again after a while in those ways that are left
}

// A NoticeEvent says what happened.
type NoticeEvent string

const (
	DeliveryGivenUp  NoticeEvent = "delivery.given_up"
	ReceiverDisabled NoticeEvent = "receiver.disabled"
)

// A Notifier tells people. It must not block.
type Notifier interface {
	Notify(n Notice)
}

// noticeEvery is how often at most somebody is told of each event of one receiver. The events do not share it: who has heard of deliveries
// that were given up does not know that the receiver is disabled, which is worse (docs/adr/0019-notices.md).
const noticeEvery = time.Hour

// noticeLease is how long a notifier has for a notice. One that a dead process had is told by another one after that. It is more than all tries
// take: somebody hears twice only of what waited behind many others.
const noticeLease = 10 * time.Minute

// noticeTimeout bounds noting that people were told.
const noticeTimeout = 5 * time.Second

// noticePage is how many notices are taken over in one go, fewer than may wait in a notifier.
const noticePage = 50

// notice tells people, once an hour for each receiver and event, on whichever node.
func (d *Dispatcher) notice(ctx context.Context, n parley.OwedNotice) {
	if d.config.Notifier == nil {
		return
	}
	n.At = d.config.Clock()
	key, err := d.config.Store.Notice(ctx, n, noticeEvery, noticeLease)
	if err != nil {
		d.logger.WarnContext(ctx, "putting a notice down", "application", n.Receiver.Application, "error", err)
		return
	}
	if n.Key = key; key != 0 {
		d.hand(ctx, n)
	}
}

// renotice tells what nobody has told yet: whoever was about to is gone.
func (d *Dispatcher) renotice(ctx context.Context) {
	if d.config.Notifier == nil {
		return
	}
	owed, err := d.config.Store.OwedNotices(ctx, noticeLease, noticePage)
	if err != nil && ctx.Err() == nil {
		d.logger.WarnContext(ctx, "looking for notices that nobody told", "error", err)
	}
	for _, n := range owed {
		d.hand(ctx, n)
	}
}

// hand gives a notice to the notifier.
func (d *Dispatcher) hand(ctx context.Context, n parley.OwedNotice) {
	note := func(put func(context.Context) error) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), noticeTimeout)
		defer cancel()
		if err := put(bounded); err != nil { // people hear of it once more
			d.logger.WarnContext(ctx, "noting that a notice was told", "application", n.Receiver.Application, "error", err)
		}
	}
	told := func(way string) {
		note(func(ctx context.Context) error { return d.config.Store.NoticedBy(ctx, n.Key, way) })
	}
	done := func() { note(func(ctx context.Context) error { return d.config.Store.Noticed(ctx, n.Key) }) }
	to, err := d.targets.of(ctx, n.Receiver)
	switch {
	case parley.KindOf(err) == parley.NotFound: // the role is gone, and with it whom to tell
		done()
		return
	case err != nil: // later
		return
	}
	event := DeliveryGivenUp
	if n.Disabled {
		event = ReceiverDisabled
	}
	d.config.Notifier.Notify(Notice{Receiver: n.Receiver, Event: event, Reason: n.Reason, Delivery: n.Delivery, Email: to.role.NotificationEmail, At: n.At,
		Told: n.Told, ToldBy: told, Done: done})
}
