package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// A ProxyError says why the proxy of the operator made no connection. Its text may be shown: it holds neither the proxy's
// address nor its credentials.
type ProxyError struct {
	Problem string
	cause   error
}

func (e *ProxyError) Error() string { return "the outgoing proxy " + e.Problem }
func (e *ProxyError) Unwrap() error { return e.cause }

// ParseProxy reads the value of --callback-proxy: http, https or socks5, with a user and password if the proxy wants them.
// Its errors do not repeat the value.
func ParseProxy(value string) (*url.URL, error) {
	if value == "" {
		return nil, nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("give scheme, host and port alone, such as http://proxy.example:3128")
	}
	port, ok := map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme]
	if !ok {
		return nil, errors.New("the scheme is http, https or socks5")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

// tunnel connects to an address through the proxy. The proxy itself is the operator's choice and may be private: the guard
// does not judge it.
func (g *Guard) tunnel(ctx context.Context, address string) (net.Conn, error) {
	if g.Proxy.Scheme == "socks5" {
		return g.socks(ctx, address)
	}
	conn, err := (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext(ctx, "tcp", g.Proxy.Host)
	if err != nil {
		return nil, &ProxyError{Problem: "cannot be reached", cause: err}
	}
	if g.Proxy.Scheme == "https" {
		secured := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: g.Proxy.Hostname(), RootCAs: g.proxyRoots})
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, &ProxyError{Problem: "makes no TLS connection with a certificate that is trusted", cause: err}
		}
		conn = secured
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // cuts short what waits
	conn, err = g.connect(conn, address)
	if !stop() && err == nil {
		conn.Close()
		err = ctx.Err()
	}
	return conn, err
}

// connect asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6), for plain http as well: only so is the address ours.
func (g *Guard) connect(conn net.Conn, address string) (net.Conn, error) {
	ask := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if u := g.Proxy.User; u != nil {
		password, _ := u.Password()
		ask.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := ask.Write(conn); err != nil {
		conn.Close()
		return nil, &ProxyError{Problem: "broke off", cause: err}
	}
	answers := bufio.NewReader(conn)
	answer, err := http.ReadResponse(answers, ask)
	if err != nil {
		conn.Close()
		return nil, &ProxyError{Problem: "gave no answer", cause: err}
	}
	answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		conn.Close()
		return nil, &ProxyError{Problem: fmt.Sprintf("answered %d", answer.StatusCode)}
	}
	if answers.Buffered() > 0 { // a server that speaks first, as those of mail do
		return &tunnelled{Conn: conn, read: answers}, nil
	}
	return conn, nil
}

// tunnelled is a connection whose first bytes were read together with the proxy's answer.
type tunnelled struct {
	net.Conn
	read *bufio.Reader
}

func (t *tunnelled) Read(b []byte) (int, error) { return t.read.Read(b) }

// socks asks a SOCKS5 proxy (RFC 1928).
func (g *Guard) socks(ctx context.Context, address string) (net.Conn, error) {
	var login *proxy.Auth
	if u := g.Proxy.User; u != nil {
		password, _ := u.Password()
		login = &proxy.Auth{User: u.Username(), Password: password}
	}
	dialer, err := proxy.SOCKS5("tcp", g.Proxy.Host, login, &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second})
	if err != nil {
		return nil, &ProxyError{Problem: "cannot be used", cause: err}
	}
	conn, err := dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, &ProxyError{Problem: "makes no connection", cause: err}
	}
	return conn, nil
}
