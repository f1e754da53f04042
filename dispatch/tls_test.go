package dispatch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/egress"
	"parley/ident"
	"parley/store/storetest"
)

// An authority issues certificates for a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t}
	a.cert, a.key, a.pem, _ = a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue makes a certificate, signed by the authority, or by itself while there is none.
func (a *authority) issue(template *x509.Certificate) (cert *x509.Certificate, key *ecdsa.PrivateKey, certPEM, keyPEM string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// client is the identity of a client with that name, which trusts the authority.
func (a *authority) client(name string) *parley.TLSIdentity {
	_, _, cert, key := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return &parley.TLSIdentity{Certificate: cert, Key: key, Authorities: a.pem}
}

// serve is an HTTPS server named localhost that wants a certificate of the authority.
func (a *authority) serve(handler http.HandlerFunc) *httptest.Server {
	_, _, cert, key := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "receiver"}, DNSNames: []string{"localhost"}})
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		a.t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	a.t.Cleanup(s.Close)
	return s
}

// A receiver and a token URL that want a certificate get the one of the authentication, with oauth2, with basic, or alone;
// through a proxy as well. Receivers of others do not see it.
func TestClientCertificates(t *testing.T) {
	a := newAuthority(t)
	var mu sync.Mutex
	var seen []string // "who authorization"
	answer := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		who := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		seen = append(seen, strings.TrimSpace(who+" "+r.Header.Get("Authorization")))
		_, _ = io.WriteString(w, `{"access_token":"abc"}`)
	}
	callback, issuer := a.serve(answer), a.serve(answer)
	tunnels := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		tunnels++
		mu.Unlock()
		there, err := net.Dial("tcp", r.Host)
		if err != nil || !strings.HasPrefix(r.Host, "127.0.0.1:") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here); there.Close() }()
		_, _ = io.Copy(here, there)
		here.Close()
	}))
	t.Cleanup(proxy.Close)
	through, err := egress.ParseProxy(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	stranger := newAuthority(t)
	now := time.Now()
	recipe := &parley.TokenRecipe{URL: issuer.URL, Method: http.MethodPost, TokenPath: "$.access_token"}
	for name, test := range map[string]struct {
		auth    parley.Authentication
		seen    string // by token URL and callback, in order
		problem string
		proxy   bool
	}{
		"with oauth2":           {auth: parley.Authentication{OAuth2: recipe, TLS: a.client("one")}, seen: "one|one Bearer abc"},
		"with basic":            {auth: parley.Authentication{Basic: &parley.BasicAuth{Username: "u", Password: "p"}, TLS: a.client("two")}, seen: "two Basic dTpw"},
		"alone":                 {auth: parley.Authentication{TLS: a.client("three")}, seen: "three"},
		"through a proxy":       {auth: parley.Authentication{OAuth2: recipe, TLS: a.client("four")}, seen: "four|four Bearer abc", proxy: true},
		"no certificate":        {auth: parley.Authentication{TLS: &parley.TLSIdentity{Authorities: a.pem}}, problem: "TLS was refused: tls: certificate required"},
		"none for the token":    {auth: parley.Authentication{OAuth2: recipe, TLS: &parley.TLSIdentity{Authorities: a.pem}}, problem: "fetch access token: TLS was refused: tls: certificate required"},
		"unknown authority":     {auth: parley.Authentication{Basic: &parley.BasicAuth{Username: "u", Password: "p"}}, problem: "the certificate it shows is not trusted"},
		"a stranger's":          {auth: parley.Authentication{TLS: &parley.TLSIdentity{Certificate: stranger.client("five").Certificate, Authorities: a.pem}}, problem: "cannot be used together"},
		"of a stranger's issue": {auth: parley.Authentication{TLS: foreign(stranger, a)}, problem: "TLS was refused: tls: unknown certificate authority"},
	} {
		t.Run(name, func(t *testing.T) {
			seen, tunnels = nil, 0
			var via *url.URL
			if test.proxy {
				via = through
			}
			d := New(Config{Store: storetest.Open(t), Allow: loopback, Proxy: via, Logger: slog.New(slog.DiscardHandler)})
			defer d.sender.clients.close()
			test.auth.ID, test.auth.Base = ident.New[parley.Authentication](), parley.Base{Tenant: parley.DefaultTenant, Modified: now}
			to := target{role: parley.ApplicationRole{Callback: callback.URL}, authentication: &test.auth}
			res := d.sender.attempt(t.Context(), to, request{id: "x", body: []byte(`{}`)}, func() bool { return true })
			mu.Lock()
			defer mu.Unlock()
			if test.problem == "" && (res.outcome != Delivered || strings.Join(seen, "|") != test.seen) {
				t.Errorf("result %+v, servers saw %q; want %q", res, seen, test.seen)
			}
			if test.problem != "" && (res.outcome != Retry || !strings.Contains(res.problem, test.problem) || len(seen) != 0) {
				t.Errorf("result %+v, servers saw %q; want the problem %q", res, seen, test.problem)
			}
			if used := tunnels > 0; used != test.proxy {
				t.Errorf("%d tunnels, a proxy is set: %v", tunnels, test.proxy)
			}
		})
	}
}

// foreign is a client of one authority that trusts another.
func foreign(of, trusts *authority) *parley.TLSIdentity {
	identity := of.client("six")
	identity.Authorities = trusts.pem
	return identity
}

// A PUT of the authentication takes effect on the next attempt, and connections that showed the old certificate are not used
// again.
func TestReplacedCertificateIsShown(t *testing.T) {
	a := newAuthority(t)
	var seen []string
	callback := a.serve(func(_ http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.TLS.PeerCertificates[0].Subject.CommonName)
	})
	via := newClients(&egress.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer via.close()
	now := time.Now()
	for i, name := range []string{"old", "old", "new"} {
		auth := parley.Authentication{TLS: a.client(name), Base: parley.Base{Modified: now}}
		if i == 2 {
			auth.Modified = now.Add(time.Millisecond)
		}
		client, err := via.of(&auth)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Get(callback.URL)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if got := strings.Join(seen, " "); got != "old old new" {
		t.Errorf("the receiver saw %s", got)
	}
}
