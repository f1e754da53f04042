package directory

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"parley"
	"parley/egress"
)

// Mask stands in place of a secret that is not shown. A replacement that carries it keeps the stored secret (reference 2).
const Mask = "********"

func authentications(s shared) *Collection[parley.Authentication] {
	return &Collection[parley.Authentication]{
		shared: s, kind: parley.KindAuthentication,
		objects: parley.Tx.Authentications,
		id:      func(a *parley.Authentication) *parley.AuthenticationID { return &a.ID },
		base:    func(a *parley.Authentication) *parley.Base { return &a.Base },
		form:    func(a, old *parley.Authentication) error { return formAuthentication(a, old, s.guard()) },
		refers:  func(*parley.Authentication) []reference { return nil },
		suits:   func(context.Context, parley.Tx, *parley.Authentication, *parley.Authentication) error { return nil },
		mask: func(a *parley.Authentication) {
			if a.Basic != nil {
				a.Basic.Password = Mask
			}
			if a.OAuth2 != nil && a.OAuth2.Payload != "" {
				a.OAuth2.Payload = Mask
			}
			if a.TLS != nil && a.TLS.Key != "" {
				a.TLS.Key = Mask
			}
			a.Token = ""
		},
	}
}

func formAuthentication(a, old *parley.Authentication, guard *egress.Guard) error {
	var p problems
	if a.OAuth2 != nil && a.Basic != nil || a.OAuth2 == nil && a.Basic == nil && a.TLS == nil {
		p.add(parley.BadValue, "type", "exactly one of oauth2 and basicAuth must be there, or tls alone")
		return p.err()
	}
	a.Token = "" // a token belongs to the recipe that made it (reference section 2: PUT drops it)
	if a.TLS != nil {
		formTLS(a, old, &p)
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
		if wrong := webAddress(kept.URL, true, guard); wrong != "" {
			p.add(parley.BadValue, "oauth2.tokenRequestUrl", "%s", wrong)
		}
		formHeaders(&p, "oauth2.headers", kept.Headers)
		if !tokenPath.MatchString(kept.TokenPath) {
			p.add(parley.BadValue, "oauth2.accessTokenPath", "must be a JSONPath of $, .name, ['name'] and [n]")
		}
	}
	return p.err()
}

// formTLS checks that a TLS identity can be used: what is wrong with it would else show in every attempt.
func formTLS(a, old *parley.Authentication, p *problems) {
	kept := *a.TLS
	a.TLS = &kept
	if kept.Key == Mask && old != nil {
		if old.TLS == nil || old.TLS.Key == "" {
			p.add(parley.BadValue, "tls.privateKey", "the mask stands for a stored key, and none is stored")
			return
		}
		kept.Key = old.TLS.Key
	}
	switch {
	case kept.Certificate == "" && kept.Key == "" && kept.Authorities == "":
		p.add(parley.BadValue, "tls", "needs a certificate with its privateKey, or certificateAuthorities")
	case kept.Certificate == "" && kept.Key != "":
		p.add(parley.BadValue, "tls.certificate", "is missing, but privateKey is there")
	case kept.Certificate != "" && kept.Key == "":
		p.add(parley.BadValue, "tls.privateKey", "is missing, but certificate is there")
	case kept.Certificate != "":
		if _, wrong := certificates(kept.Certificate); wrong != "" {
			p.add(parley.BadValue, "tls.certificate", "%s", wrong)
		} else if _, err := tls.X509KeyPair([]byte(kept.Certificate), []byte(kept.Key)); err != nil {
			// The text of the error is left out: the key is a secret, and it may be a masked one.
			p.add(parley.BadValue, "tls.privateKey", "is no unencrypted PEM key (PKCS #8, PKCS #1 or SEC 1) of the first certificate")
		}
	}
	if kept.Authorities != "" {
		all, wrong := certificates(kept.Authorities)
		for _, c := range all {
			if wrong == "" && !c.IsCA {
				wrong = "holds a certificate that is not of an authority"
			}
		}
		if wrong != "" {
			p.add(parley.BadValue, "tls.certificateAuthorities", "%s", wrong)
		}
	}
}

// certificates reads a PEM text that holds certificates and nothing else; wrong is "" if it does. A key that was put there
// by mistake would be shown by reads.
func certificates(text string) (all []*x509.Certificate, wrong string) {
	rest := []byte(text)
	for len(bytes.TrimSpace(rest)) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, "is no PEM, or has more than PEM in it"
		}
		if block.Type != "CERTIFICATE" {
			return nil, "holds a PEM block that is no CERTIFICATE"
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, "holds a certificate that cannot be read"
		}
		all = append(all, c)
	}
	if strings.Count(text, "-----BEGIN") != len(all) { // the decoder passes over what is broken
		return nil, "holds a PEM block that cannot be read"
	}
	return all, ""
}
