package directory_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"parley"
	"parley/directory"
	"parley/store/storetest"
)

// pair is a self-signed certificate and its key.
func pair(t *testing.T, authority bool) (certificate, private string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: authority, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
}

// A TLS identity that no attempt could use is refused when it is configured, with the member to blame and without the key.
func TestFormOfTLSIdentity(t *testing.T) {
	certificate, key := pair(t, false)
	_, otherKey := pair(t, false)
	authority, authorityKey := pair(t, true)
	d := open(t, directory.Config{})
	create := func(a parley.Authentication) error {
		a.Base = named(rand.Text())
		_, err := d.Authentications.Create(t.Context(), parley.DefaultTenant, a)
		return err
	}
	basic := &parley.BasicAuth{Username: "u", Password: "p"}
	recipe := &parley.TokenRecipe{URL: "https://id.example/", TokenPath: "$.t"}
	good := parley.TLSIdentity{Certificate: certificate + authority, Key: key, Authorities: "# ours\n" + authority}
	for name, a := range map[string]parley.Authentication{
		"alone": {TLS: &good}, "with basic": {TLS: &good, Basic: basic}, "with oauth2": {TLS: &good, OAuth2: recipe},
		"authorities alone": {TLS: &parley.TLSIdentity{Authorities: authority}}, "no authorities": {TLS: &parley.TLSIdentity{Certificate: certificate, Key: key}},
	} {
		if err := create(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantError(t, "basic and oauth2", create(parley.Authentication{TLS: &good, Basic: basic, OAuth2: recipe}), parley.Invalid, parley.BadValue, "type")
	broken := strings.Replace(authorityKey, "\n", "\n!", 1)
	for name, test := range map[string]struct {
		tls   parley.TLSIdentity
		field string
	}{
		"nothing":                {parley.TLSIdentity{}, "tls"},
		"no key":                 {parley.TLSIdentity{Certificate: certificate}, "tls.privateKey"},
		"no certificate":         {parley.TLSIdentity{Key: key}, "tls.certificate"},
		"another's key":          {parley.TLSIdentity{Certificate: certificate, Key: otherKey}, "tls.privateKey"},
		"no PEM":                 {parley.TLSIdentity{Certificate: "x", Key: key}, "tls.certificate"},
		"key as certificate":     {parley.TLSIdentity{Certificate: key, Key: key}, "tls.certificate"},
		"key beside certificate": {parley.TLSIdentity{Certificate: certificate + key, Key: key}, "tls.certificate"},
		"broken key in it":       {parley.TLSIdentity{Certificate: broken + certificate, Key: key}, "tls.certificate"},
		"no key in PEM":          {parley.TLSIdentity{Certificate: certificate, Key: "planted"}, "tls.privateKey"},
		"key as authority":       {parley.TLSIdentity{Authorities: authorityKey}, "tls.certificateAuthorities"},
		"no authority":           {parley.TLSIdentity{Authorities: certificate}, "tls.certificateAuthorities"},
		"garbled authority":      {parley.TLSIdentity{Authorities: strings.Replace(authority, "MI", "MA", 1)}, "tls.certificateAuthorities"},
	} {
		err := create(parley.Authentication{TLS: &test.tls})
		wantError(t, name, err, parley.Invalid, parley.BadValue, test.field)
		if err != nil && (strings.Contains(err.Error(), "planted") || strings.Contains(err.Error(), strings.Split(key, "\n")[1])) {
			t.Errorf("%s: the error holds the key: %v", name, err)
		}
	}
}

// The key is masked like other secrets, a mask that comes back keeps it, and nobody reads or writes the token that was
// fetched.
func TestClientKeyIsMaskedAndKept(t *testing.T) {
	ctx, records := t.Context(), storetest.Open(t)
	hub := &listener{}
	masked, plain := directory.New(directory.Config{}, records, hub), directory.New(directory.Config{ShowSecrets: true}, records, hub)
	certificate, key := pair(t, false)
	recipe := &parley.TokenRecipe{URL: "https://id.example/", TokenPath: "$.t"}
	id, err := masked.Authentications.Create(ctx, parley.DefaultTenant, parley.Authentication{Base: named("x"), OAuth2: recipe, TLS: &parley.TLSIdentity{Certificate: certificate, Key: key}, Token: "smuggled"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		shown, err := masked.Authentications.Find(ctx, parley.DefaultTenant, id)
		if err != nil || shown.TLS.Key != directory.Mask || shown.TLS.Certificate != certificate || shown.Token != "" {
			t.Errorf("%s: read as %+v, %v", what, shown, err)
		}
		kept, err := plain.Authentications.Find(ctx, parley.DefaultTenant, id)
		if err != nil || kept.TLS.Key != key || kept.Token != "" {
			t.Errorf("%s: kept as %+v, %v", what, kept, err)
		}
	}
	check("created")
	if err := records.Update(ctx, func(tx parley.Tx) error {
		a, err := tx.Authentications().Find(ctx, parley.DefaultTenant, id)
		if err != nil {
			return err
		}
		a.Token = "Bearer planted"
		return tx.Authentications().Replace(ctx, &a, nil)
	}); err != nil {
		t.Fatal(err)
	}
	if shown, err := masked.Authentications.Find(ctx, parley.DefaultTenant, id); err != nil || shown.Token != "" {
		t.Errorf("the token is read as %q, %v", shown.Token, err)
	}
	err = masked.Authentications.Replace(ctx, parley.DefaultTenant, id, parley.Authentication{Base: named("x"), OAuth2: recipe, TLS: &parley.TLSIdentity{Certificate: certificate, Key: directory.Mask}})
	if err != nil {
		t.Fatal(err)
	}
	check("the mask came back, and the token is dropped")
	if err := masked.Authentications.Replace(ctx, parley.DefaultTenant, id, parley.Authentication{Base: named("x"), OAuth2: recipe}); err != nil {
		t.Fatal(err)
	}
	err = masked.Authentications.Replace(ctx, parley.DefaultTenant, id, parley.Authentication{Base: named("x"), TLS: &parley.TLSIdentity{Certificate: certificate, Key: directory.Mask}})
	wantError(t, "mask of nothing", err, parley.Invalid, parley.BadValue, "tls.privateKey")
}
