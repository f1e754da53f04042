package directory

import (
	"context"
	"fmt"
	"net/textproto"
	"slices"

	"parley"
	"parley/egress"
)

func applications(s shared) *Collection[parley.ClientApplication] {
	return &Collection[parley.ClientApplication]{
		shared: s, kind: parley.KindApplication,
		objects: parley.Tx.Applications,
		id:      func(a *parley.ClientApplication) *parley.ApplicationID { return &a.ID },
		base:    func(a *parley.ClientApplication) *parley.Base { return &a.Base },
		form: func(a, old *parley.ClientApplication) error {
			keepDelivery(a, old)
			return formApplication(a, s.cfg.PlainHTTP, s.guard())
		},
		refers: func(a *parley.ClientApplication) (refers []reference) {
			for i, r := range a.Roles {
				if !r.Authentication.IsZero() {
					refers = append(refers, reference{parley.Reference{Kind: parley.KindAuthentication, ID: r.Authentication}, fmt.Sprintf("roles[%d].authentication.id", i)})
				}
			}
			return refers
		},
		suits: func(context.Context, parley.Tx, *parley.ClientApplication, *parley.ClientApplication) error {
			return nil
		},
		builtIn: func(a *parley.ClientApplication) bool { return a.BuiltIn },
	}
}

// keepDelivery gives an application what the published API does not know: how its bot is asked, and to the roles the settings and secrets of the roles of that name in
// what is replaced, a new secret to the others.
func keepDelivery(a, old *parley.ClientApplication) {
	a.Roles = slices.Clone(a.Roles) // the caller's are not ours to change
	if old != nil {
		a.Bot, a.Hook = old.Bot, old.Hook
	}
	for i := range a.Roles {
		r := &a.Roles[i]
		r.Signing, r.Delivery = parley.Signing{}, parley.DeliverySettings{}
		if old != nil {
			if before, ok := old.Role(r.Name); ok {
				r.Signing, r.Delivery = before.Signing, before.Delivery
			}
		}
		if r.Signing.Secret == "" {
			r.Signing.Secret = newSigningSecret()
		}
	}
}

// ownHeaders are set by the hub, or by HTTP itself, on every callback; a role's headers may not replace them (reference section 3).
var ownHeaders = []string{"Content-Type", "Content-Length", "Host", "Authorization", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature",
	"Traceparent", "Tracestate", "Transfer-Encoding", "Trailer"}

func formApplication(a *parley.ClientApplication, plain bool, guard *egress.Guard) error {
	var p problems
	a.BuiltIn = false // only the hub itself makes those
	seen := map[parley.Role]bool{}
	for i, r := range a.Roles {
		if seen[r.Name] {
			p.add(parley.BadValue, fmt.Sprintf("roles[%d].name", i), "the role %s is there twice", r.Name)
		}
		seen[r.Name] = true
		if wrong := webAddress(r.Callback, plain, guard); wrong != "" && r.Callback != parley.SessionCallback && (r.Callback != parley.BotCallback || a.Bot == nil) {
			p.add(parley.BadValue, fmt.Sprintf("roles[%d].callback", i), "%s", wrong)
		}
		formHeaders(&p, fmt.Sprintf("roles[%d].headers", i), r.Headers)
		for j, h := range r.Headers {
			for _, own := range ownHeaders {
				if textproto.CanonicalMIMEHeaderKey(h.Name) == own {
					p.add(parley.BadValue, fmt.Sprintf("roles[%d].headers[%d].name", i, j), "%s is set by the hub", own)
				}
			}
		}
	}
	return p.err()
}
