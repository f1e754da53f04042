package insight

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley"
)

// An owed conversation is one in which a hit asks for something that could not be done. What later hits ask for waits behind it, so that it
// is done in order; other conversations do not wait.
type owed struct {
	tenant parley.TenantID
	acts   []parley.Detected // oldest first
	tries  int               // of the oldest that failed
	due    time.Time
}

const (
	// maxTries and the waits between them bound for how long an act is tried: about five minutes.
	maxTries    = 10
	firstWait   = time.Second
	longestWait = time.Minute
	// actFor bounds one try.
	actFor = 5 * time.Second
	// maxOwed bounds the conversations that wait, and what waits in each; beyond it what is asked for is given up. All of it is in memory:
	// it is lost with the node, as what was given up.
	maxOwed = 1000
)

// act does what hits ask for. What fails because too much is going on is an error, and the messages are looked at again; what fails
// by a fault of ours is tried again later; what fails otherwise is given up, so that it holds up nothing else.
func (d *Detector) act(ctx context.Context, tenant parley.TenantID, acts []parley.Detected) error {
	if d.config.Hub == nil {
		return nil
	}
	for _, a := range acts {
		if o := d.owed[a.Message.Conversation]; o != nil {
			d.owe(ctx, o, a, nil)
			continue
		}
		err := d.config.Hub.Detected(ctx, tenant, a)
		switch {
		case err == nil || errors.Is(err, context.Canceled):
		case parley.KindOf(err) == parley.Busy:
			return err
		case parley.KindOf(err) == parley.Internal && len(d.owed) < maxOwed:
			o := &owed{tenant: tenant, tries: 1, due: d.now().Add(firstWait)}
			d.owed[a.Message.Conversation] = o
			d.owe(ctx, o, a, err)
		default:
			d.giveUp(ctx, a, err)
		}
	}
	return nil
}

// owe keeps an act for later; why is what it failed with, if it was tried. One that is kept already, since its message was looked at again, is
// not kept twice.
func (d *Detector) owe(ctx context.Context, o *owed, a parley.Detected, why error) {
	same := func(b parley.Detected) bool { return a.Tracker == b.Tracker && a.Message.Seq == b.Message.Seq }
	switch {
	case slices.ContainsFunc(o.acts, same):
	case len(o.acts) < maxOwed:
		o.acts = append(o.acts, a)
	default:
		d.giveUp(ctx, a, why)
	}
}

func (d *Detector) giveUp(ctx context.Context, a parley.Detected, err error) {
	d.metrics.errors.Inc()
	d.config.Logger.WarnContext(ctx, "acting on a hit", "conversation", a.Message.Conversation, "tracker", a.Tracker, "error", err)
}

// settle tries again what is owed and due.
func (d *Detector) settle(ctx context.Context) {
	for id, o := range d.owed {
		if o.due.After(d.now()) {
			continue
		}
		slow := d.settleOne(ctx, o)
		if len(o.acts) == 0 {
			delete(d.owed, id)
		}
		if slow || ctx.Err() != nil {
			return // the others would wait as long
		}
	}
}

// settleOne does what is owed in one conversation, up to what fails again; slow = that took all of its time.
func (d *Detector) settleOne(ctx context.Context, o *owed) (slow bool) {
	for len(o.acts) > 0 {
		a := o.acts[0]
		bounded, cancel := context.WithTimeout(ctx, actFor)
		err := d.config.Hub.Detected(bounded, o.tenant, a)
		cancel()
		if ctx.Err() != nil {
			return false
		}
		kind := parley.KindOf(err)
		if err != nil && (kind == parley.Internal || kind == parley.Busy) && o.tries+1 < maxTries {
			o.due = d.now().Add(min(firstWait<<o.tries, longestWait))
			o.tries++
			return errors.Is(err, context.DeadlineExceeded)
		}
		if err != nil {
			d.giveUp(ctx, a, err)
		}
		o.acts, o.tries = o.acts[1:], 0
	}
	return false
}
