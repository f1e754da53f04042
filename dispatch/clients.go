package dispatch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"sync"
	"time"

	"parley"
	"parley/egress"
)

// clients are the HTTP clients that reach receivers and token URLs: one for all who have no TLS identity, and one for each
// authentication that has, since a connection shows its certificate to everyone it is used for. Safe for concurrent use.
type clients struct {
	guard  *egress.Guard
	common *http.Client
	mu     sync.Mutex
	own    map[ownerOf]ownClient
}

type ownerOf struct {
	tenant parley.TenantID
	id     parley.AuthenticationID
}

type ownClient struct {
	*http.Client
	modified time.Time // of the authentication: a PUT makes a new client
}

func newClients(guard *egress.Guard) *clients {
	return &clients{guard: guard, common: newClient(guard, nil, callbackBuffer), own: map[ownerOf]ownClient{}}
}

// NewClient makes a client for others who reach what strangers name: only where the guard permits, and without redirects.
func NewClient(guard *egress.Guard) *http.Client { return newClient(guard, nil, turnBuffer) }

const (
	// callbackBuffer is what of a request is written at once, in bytes: most callbacks and their headers. Of less each took two
	// packets, and a twentieth more of the processor (parley bench callbacks, 2026-11-28).
	callbackBuffer = 4 << 10
	// turnBuffer is the same of requests that bots may let wait by the thousands, each of which keeps its buffer.
	turnBuffer = 1 << 10
	// maxIdleAtHost is how many connections to one receiver are kept: as many as it may be given attempts at the same time.
	maxIdleAtHost = 256
)

// newClient makes an HTTP client that goes only where the guard permits, follows no redirect and verifies certificates. It
// has no time limit of its own: requests carry theirs. Proxies named by the environment are not used: one that resolves
// names itself would go around the guard. writes is the size of the buffer for a request.
func newClient(guard *egress.Guard, identity *tls.Config, writes int) *http.Client {
	if identity == nil {
		identity = &tls.Config{}
	}
	identity.MinVersion = tls.VersionTLS12
	kept := &http.Transport{
		DialContext: guard.DialContext, TLSClientConfig: identity, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: handshakeTimeout, MaxIdleConns: 1024, MaxIdleConnsPerHost: maxIdleAtHost, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 32 << 10, DisableCompression: true,
		ReadBufferSize: 1 << 10, WriteBufferSize: writes, // answers are small
	}
	each := kept.Clone()
	each.DisableKeepAlives = true
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &connections{kept, each},
	}
}

// connections go out over those that are kept, or, if the context says so, over new ones that are not kept: whoever tries again does not know
// whether it was the receiver that failed, or a connection that had died without a word. Of those as many may be kept as receivers had lanes,
// and each would cost a delivery an attempt of its schedule.
type connections struct{ kept, each *http.Transport }

type connectAnew struct{}

// anew is a context whose requests connect anew.
func anew(ctx context.Context) context.Context { return context.WithValue(ctx, connectAnew{}, true) }

// RoundTrip implements [http.RoundTripper].
func (c *connections) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Value(connectAnew{}) != nil {
		return c.each.RoundTrip(r)
	}
	return c.kept.RoundTrip(r)
}

// CloseIdleConnections does what [http.Client.CloseIdleConnections] is to do.
func (c *connections) CloseIdleConnections() { c.kept.CloseIdleConnections() }

// handshakeTimeout leaves some of an attempt's five seconds to the receiver.
const handshakeTimeout = 3 * time.Second

// of is the client for an authentication, nil = none.
func (c *clients) of(a *parley.Authentication) (*http.Client, error) {
	if a == nil || a.TLS == nil {
		return c.common, nil
	}
	key := ownerOf{a.Tenant, a.ID}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.own[key]
	if ok && known.modified.Equal(a.Modified) {
		return known.Client, nil
	}
	identity, err := identify(a.TLS)
	if err != nil {
		return nil, err
	}
	if ok {
		known.CloseIdleConnections()
	}
	made := newClient(c.guard, identity, callbackBuffer)
	c.own[key] = ownClient{made, a.Modified}
	return made, nil
}

// identify reads what the directory has checked. Its errors hold nothing of the key.
func identify(t *parley.TLSIdentity) (*tls.Config, error) {
	identity := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key))
		if err != nil {
			return nil, errors.New("the client certificate of the authentication and its key cannot be used together")
		}
		identity.Certificates = []tls.Certificate{pair}
	}
	if t.Authorities != "" {
		// Beside the system's: a token URL is often public where the callback is not.
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM([]byte(t.Authorities)) {
			return nil, errors.New("the certificate authorities of the authentication cannot be read")
		}
		identity.RootCAs = roots
	}
	return identity, nil
}

// close lets go of idle connections.
func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.common.CloseIdleConnections()
	for _, own := range c.own {
		own.CloseIdleConnections()
	}
}
