package directory

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"

	"parley"
)

// Receivers has the rules of what the published API does not know about the roles of client applications: secrets, and how
// their messages are delivered. Every call says as whom it is made, and of which tenant the application is; others than
// an administrator of it hear that there is no such application. It is safe for concurrent use.
type Receivers struct {
	applications *Collection[parley.ClientApplication]
}

// Receivers are those of the directory's applications.
func (d *Directory) Receivers() *Receivers { return &Receivers{d.Applications} }

var errNoReceiver = &parley.Error{Kind: parley.NotFound, Msg: "there is no client application of that id with that role"}

// Role is a role as it is stored, secrets and all: surfaces do not show those.
func (r *Receivers) Role(ctx context.Context, as Administrator, of parley.Receiver) (parley.ApplicationRole, error) {
	if as.over(of.Tenant) != nil {
		return parley.ApplicationRole{}, errNoReceiver
	}
	a, err := r.applications.Find(ctx, of.Tenant, of.Application)
	if parley.KindOf(err) == parley.NotFound {
		return parley.ApplicationRole{}, errNoReceiver
	}
	if err != nil {
		return parley.ApplicationRole{}, err
	}
	role, ok := a.Role(of.Role)
	if !ok {
		return role, errNoReceiver
	}
	return role, nil
}

// Change lets change work on a role's settings and stores what comes out. Forbidden for built-in applications.
func (r *Receivers) Change(ctx context.Context, as Administrator, of parley.Receiver, change func(*parley.DeliverySettings)) error {
	return r.change(ctx, as, of, func(role *parley.ApplicationRole) error {
		change(&role.Delivery)
		return formDelivery(&role.Delivery)
	})
}

// Secret is the secret that was made with the role. It is told once: Conflict after that.
func (r *Receivers) Secret(ctx context.Context, as Administrator, of parley.Receiver) (secret string, err error) {
	err = r.change(ctx, as, of, func(role *parley.ApplicationRole) error {
		if role.Signing.Shown {
			return &parley.Error{Kind: parley.Conflict, Msg: "the secret was shown before; make a new one"}
		}
		role.Signing.Shown = true
		secret = role.Signing.Secret
		return nil
	})
	return secret, err
}

// RenewSecret makes a new secret, and returns it. Those before it sign too for [parley.SigningOverlap].
func (r *Receivers) RenewSecret(ctx context.Context, as Administrator, of parley.Receiver) (secret string, err error) {
	secret = newSigningSecret()
	return secret, r.change(ctx, as, of, func(role *parley.ApplicationRole) error {
		role.Signing = role.Signing.Renewed(secret, r.applications.now())
		return nil
	})
}

func (r *Receivers) change(ctx context.Context, as Administrator, of parley.Receiver, change func(*parley.ApplicationRole) error) error {
	if as.over(of.Tenant) != nil {
		return errNoReceiver
	}
	c := r.applications
	err := c.records.Update(ctx, func(tx parley.Tx) error {
		a, err := c.changeable(ctx, tx, of.Tenant, of.Application)
		if parley.KindOf(err) == parley.NotFound {
			return errNoReceiver
		}
		if err != nil {
			return err
		}
		i := slices.IndexFunc(a.Roles, func(role parley.ApplicationRole) bool { return role.Name == of.Role })
		if i < 0 {
			return errNoReceiver
		}
		if err := change(&a.Roles[i]); err != nil {
			return err
		}
		var refers []parley.Reference
		for _, named := range c.refers(&a) {
			refers = append(refers, named.Reference)
		}
		return c.objects(tx).Replace(ctx, &a, refers) // modified stays: what the published API shows did not change
	})
	if err != nil {
		return fmt.Errorf("change role %s of client application %s: %w", of.Role, of.Application, err)
	}
	c.hub.ConfigChanged(ctx, of.Tenant)
	return nil
}

func formDelivery(d *parley.DeliverySettings) error {
	var p problems
	if len(d.Schedule) > parley.MaxScheduled {
		p.add(parley.BadValue, "scheduleSeconds", "at most %d waits", parley.MaxScheduled)
	}
	for i, wait := range d.Schedule {
		if wait < 0 || wait > parley.MaxScheduledWait {
			p.add(parley.BadValue, fmt.Sprintf("scheduleSeconds[%d]", i), "from 0 to %v", parley.MaxScheduledWait.Seconds())
		}
	}
	if d.AtOnce < 0 || d.AtOnce > parley.MaxAtOnce {
		p.add(parley.BadValue, "concurrency", "from 0 to %d", parley.MaxAtOnce)
	}
	if d.PerSecond < 0 {
		p.add(parley.BadValue, "ratePerSecond", "must not be negative")
	}
	return p.err()
}

// signingSecretBytes is within the 24 to 64 bytes that Standard Webhooks wants.
const signingSecretBytes = 32

func newSigningSecret() string {
	b := make([]byte, signingSecretBytes)
	_, _ = rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}
