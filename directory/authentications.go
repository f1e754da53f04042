package directory

import (
	"context"

	"parley"
)

// Mask stands in place of a secret that is not shown. A replacement that carries it keeps the stored secret (reference 2).
const Mask = "********"

func authentications(s shared) *Collection[parley.Authentication] {
	return &Collection[parley.Authentication]{
		shared: s, kind: parley.KindAuthentication,
		objects: parley.Tx.Authentications,
		id:      func(a *parley.Authentication) *parley.AuthenticationID { return &a.ID },
		base:    func(a *parley.Authentication) *parley.Base { return &a.Base },
		form:    formAuthentication,
		refers:  func(*parley.Authentication) []reference { return nil },
		suits:   func(context.Context, parley.Tx, *parley.Authentication, *parley.Authentication) error { return nil },
		mask: func(a *parley.Authentication) {
			if a.Basic != nil {
				a.Basic.Password = Mask
			}
			if a.OAuth2 != nil && a.OAuth2.Payload != "" {
				a.OAuth2.Payload = Mask
			}
		},
	}
}

func formAuthentication(a, old *parley.Authentication) error {
	var p problems
	if (a.OAuth2 == nil) == (a.Basic == nil) {
		p.add(parley.BadValue, "type", "exactly one of oauth2 and basicAuth must be there")
		return p.err()
	}
	if b := a.Basic; b != nil && b.Password == Mask && old != nil {
		kept := *b // the caller's object is not ours to change
		if a.Basic = &kept; old.Basic == nil {
			p.add(parley.BadValue, "basicAuth.password", "the mask stands for a stored password, and none is stored")
		} else {
			kept.Password = old.Basic.Password
		}
	}
	if o := a.OAuth2; o != nil {
		kept := *o
		a.OAuth2 = &kept
		if kept.Payload == Mask && old != nil {
			if old.OAuth2 == nil {
				p.add(parley.BadValue, "oauth2.payload", "the mask stands for a stored payload, and none is stored")
			} else {
				kept.Payload = old.OAuth2.Payload
			}
		}
		if kept.Method == "" {
			kept.Method = "POST"
		}
		if wrong := webAddress(kept.URL, true); wrong != "" {
			p.add(parley.BadValue, "oauth2.tokenRequestUrl", "%s", wrong)
		}
		if !tokenPath.MatchString(kept.TokenPath) {
			p.add(parley.BadValue, "oauth2.accessTokenPath", "must be a JSONPath of $, .name, ['name'] and [n]")
		}
	}
	return p.err()
}
