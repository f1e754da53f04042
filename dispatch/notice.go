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

// notice tells people, once an hour for each receiver and event, on whichever node.
func (d *Dispatcher) notice(ctx context.Context, n Notice) {
	if d.config.Notifier == nil {
		return
	}
	to, err := d.targets.of(ctx, n.Receiver)
	if err != nil { // the role is gone, and with it whom to tell
		return
	}
	may, err := d.config.Store.Notice(ctx, n.Receiver.Key, n.Event == ReceiverDisabled, noticeEvery)
	if err != nil {
		d.logger.WarnContext(ctx, "looking whether to send a notice", "application", n.Receiver.Application, "error", err)
		return
	}
	if may {
		n.Email, n.At = to.role.NotificationEmail, d.config.Clock()
		d.config.Notifier.Notify(n)
	}
}
