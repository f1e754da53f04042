package egress

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A proxyServer is an outgoing proxy: HTTP, with or without TLS, or SOCKS5. It records what it is asked for.
type proxyServer struct {
	url     *url.URL
	status  int // that HTTP answers; 0 = the tunnel
	greeted bool
	roots   *x509.CertPool
	mu      sync.Mutex
	asked   []string // address, with the credentials of HTTP before it
}

func (p *proxyServer) ask(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
}

func (p *proxyServer) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// ServeHTTP is the HTTP proxy.
func (p *proxyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.ask(r.Header.Get("Proxy-Authorization") + " " + r.Method + " " + r.Host)
	if p.status != 0 {
		w.WriteHeader(p.status)
		return
	}
	there, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	answer := []byte("HTTP/1.1 200 Connection established\r\n\r\n")
	if p.greeted { // what the server says first comes in one piece with the answer
		greeting := make([]byte, 64)
		n, _ := there.Read(greeting)
		answer = append(answer, greeting[:n]...)
	}
	_, _ = here.Write(answer)
	pass(there, here, buffered.Reader)
}

// pass copies both ways until one ends.
func pass(there, here net.Conn, from io.Reader) {
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(there, from); there.(*net.TCPConn).CloseWrite() })
	_, _ = io.Copy(here, there)
	here.Close()
	wg.Wait()
}

func newProxy(t *testing.T, scheme string) *proxyServer {
	t.Helper()
	p := &proxyServer{}
	var at string
	switch scheme {
	case "http":
		s := httptest.NewServer(p)
		t.Cleanup(s.Close)
		at = s.Listener.Addr().String()
	case "https":
		s := httptest.NewUnstartedServer(p)
		s.StartTLS()
		t.Cleanup(s.Close)
		at = s.Listener.Addr().String()
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		p.roots = roots
	case "socks5":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		at = l.Addr().String()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go p.socks(conn)
			}
		}()
	}
	var err error
	if p.url, err = ParseProxy(scheme + "://hub:planted@" + at); err != nil {
		t.Fatal(err)
	}
	return p
}

// socks is a SOCKS5 server (RFC 1928, RFC 1929) that takes IPv4 addresses only: a name would be a fault of ours.
func (p *proxyServer) socks(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	text := func() []byte {
		n, _ := r.ReadByte()
		b := make([]byte, n)
		_, _ = io.ReadFull(r, b)
		return b
	}
	_, _ = r.ReadByte()
	text() // methods
	_, _ = conn.Write([]byte{5, 2})
	_, _ = r.ReadByte()
	user, password := text(), text()
	_, _ = conn.Write([]byte{1, 0})
	var head [4]byte
	_, _ = io.ReadFull(r, head[:])
	if head[3] != 1 {
		p.ask("a name")
		return
	}
	var to [6]byte
	_, _ = io.ReadFull(r, to[:])
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte(to[:4])), uint16(to[4])<<8|uint16(to[5]))
	p.ask("Basic " + base64.StdEncoding.EncodeToString([]byte(string(user)+":"+string(password))) + " CONNECT " + at.String())
	there, err := net.Dial("tcp", at.String())
	if err != nil {
		_, _ = conn.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	defer there.Close()
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	pass(there, conn, r)
}

// Through a proxy the guard's verdict holds as without one: the proxy is asked for an address that was judged here, and
// for no other; never for a name.
func TestProxyIsAskedForJudgedAddresses(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello "+r.Host) }))
	t.Cleanup(receiver.Close)
	_, port, _ := net.SplitHostPort(receiver.Listener.Addr().String())
	for _, scheme := range []string{"http", "https", "socks5"} {
		t.Run(scheme, func(t *testing.T) {
			p := newProxy(t, scheme)
			guard := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Proxy: p.url, proxyRoots: p.roots}
			client := &http.Client{Transport: &http.Transport{DialContext: guard.DialContext, DisableKeepAlives: true}}
			res, err := client.Get("http://localhost:" + port + "/") // a name that the system's own table has
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			want := "Basic aHViOnBsYW50ZWQ= CONNECT 127.0.0.1:" + port
			if seen := p.seen(); string(body) != "hello localhost:"+port || !slices.Equal(seen, []string{want}) {
				t.Errorf("got %q; the proxy was asked for %q, want %q", body, seen, want)
			}
			for _, closed := range []string{"http://localhost:" + port + "/", "http://127.0.0.1:" + port + "/", "http://[::ffff:127.0.0.1]:" + port + "/"} {
				client := &http.Client{Transport: &http.Transport{DialContext: (&Guard{Proxy: p.url}).DialContext}}
				if _, err := client.Get(closed); !errors.Is(err, ErrRefused) {
					t.Errorf("%s without leave = %v, want the guard's refusal", closed, err)
				}
			}
			if seen := p.seen(); len(seen) != 1 {
				t.Errorf("the proxy was asked for %v, though the guard refuses", seen[1:])
			}
		})
	}
}

// A server that speaks first, as those of mail do, is heard through a tunnel.
func TestTunnelLosesNoGreeting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "220 mail.example\r\n")
		line, _ := bufio.NewReader(conn).ReadString('\n')
		_, _ = io.WriteString(conn, "250 "+line)
	}()
	p := newProxy(t, "http")
	p.greeted = true
	guard := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Proxy: p.url}
	conn, err := guard.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "EHLO hub\r\n")
	if said, err := io.ReadAll(conn); err != nil || string(said) != "220 mail.example\r\n250 EHLO hub\r\n" {
		t.Errorf("the server said %q, %v", said, err)
	}
}

// What a proxy does wrong is told without where it is and how the hub proves itself to it.
func TestProxyErrorsExplainThemselves(t *testing.T) {
	refusing := newProxy(t, "http")
	refusing.status = http.StatusProxyAuthRequired
	gone := newProxy(t, "http")
	gone.url.Host = "127.0.0.1:1"
	noSocks := newProxy(t, "socks5")
	noSocks.url.Host = "127.0.0.1:1"
	for want, p := range map[string]*proxyServer{"answered 407": refusing, "cannot be reached": gone, "makes no connection": noSocks} {
		guard := &Guard{Proxy: p.url}
		_, err := guard.DialContext(t.Context(), "tcp", "93.184.216.34:443")
		var problem *ProxyError
		if !errors.As(err, &problem) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted") || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("error %v, want %q without address and password", err, want)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := silent.Accept()
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			cancel()
		}
	}()
	at, _ := ParseProxy("http://" + silent.Addr().String())
	if _, err := (&Guard{Proxy: at}).DialContext(ctx, "tcp", "93.184.216.34:443"); err == nil {
		t.Error("a proxy that says nothing connects")
	}
}

func TestParseProxy(t *testing.T) {
	for value, want := range map[string]string{
		"http://proxy.example": "proxy.example:80", "https://u:p@proxy.example/": "proxy.example:443", "socks5://[::1]": "[::1]:1080", "http://proxy.example:3128": "proxy.example:3128",
		"ftp://planted@x": "", "proxy.example:3128": "", "http://u:planted@": "", "http://x/planted": "", "http://x?planted": "",
	} {
		u, err := ParseProxy(value)
		if want == "" && (err == nil || strings.Contains(err.Error(), "planted")) || want != "" && (err != nil || u.Host != want) {
			t.Errorf("ParseProxy(%q) = %v, %v; want %q", value, u, err, want)
		}
	}
}
