package dispatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"parley"
	"parley/egress"
)

// dns is a resolver whose answers the test makes, for name servers that mean harm. It speaks the real protocol.
func dns(answer func(name string) []string) *net.Resolver {
	serve := func(conn net.Conn) {
		defer conn.Close()
		for {
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, query); err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
				return
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			for _, text := range answer(strings.TrimSuffix(q.Name.String(), ".")) {
				a := netip.MustParseAddr(text)
				header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
				switch {
				case a.Is4() && q.Type == dnsmessage.TypeA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
				case a.Is6() && q.Type == dnsmessage.TypeAAAA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
				}
			}
			packed, err := m.Pack()
			if err != nil {
				return
			}
			if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
				return
			}
		}
	}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go serve(theirs)
		return ours, nil
	}}
}

// A doorbell is a server on every address of this machine that counts connections, not only requests.
type doorbell struct {
	port string
	rung atomic.Int32
}

func newDoorbell(t *testing.T, address string) *doorbell {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	b := &doorbell{port: strconv.Itoa(l.Addr().(*net.TCPAddr).Port)}
	server := &httptest.Server{Listener: l, Config: &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
	}), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			b.rung.Add(1)
		}
	}}}
	server.Start()
	t.Cleanup(server.Close)
	return b
}

// tries makes a callback and a token call with a URL through the real client; what became of each.
func tries(ctx context.Context, client *http.Client, url string) map[string]error {
	via := &clients{common: client}
	_, token := newTokens(via, nil, func(string) {}).fetch(ctx, &parley.Authentication{OAuth2: &parley.TokenRecipe{URL: url, Method: http.MethodPost, TokenPath: "$.t"}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	if err == nil {
		var res *http.Response
		if res, err = client.Do(req); err == nil {
			res.Body.Close()
		}
	}
	return map[string]error{"callback": err, "token call": token}
}

// However an address is spelled, nothing connects to it: not to one of this machine, whose every address is listened on, nor
// does anything set out to others. Names all lead here, by a resolver that knows every name.
func TestNoSpellingOfAnAddressGetsThrough(t *testing.T) {
	text, err := os.ReadFile("../egress/testdata/urls.txt")
	if err != nil {
		t.Fatal(err)
	}
	bell := newDoorbell(t, ":0")
	lines := strings.Split(string(text), "\n")
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !(&egress.Guard{}).Permits(p.Addr()) && !p.Addr().IsLinkLocalUnicast() {
			lines = append(lines, "here http://"+net.JoinHostPort(p.Addr().String(), "PORT")+"/")
		}
	}
	everyName := dns(func(string) []string { return []string{"127.0.0.1", "::1"} })
	client := newClient(&egress.Guard{Resolver: everyName}, nil, callbackBuffer)
	open := newClient(&egress.Guard{Resolver: everyName, Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}, nil, callbackBuffer)
	spellings, noticed := 0, 0
	for _, line := range lines {
		kind, url, ok := strings.Cut(line, " ")
		if !ok || kind == "#" {
			continue
		}
		spellings++
		url = strings.ReplaceAll(url, "PORT", bell.port)
		for what, err := range tries(t.Context(), client, url) {
			var dnsError *net.DNSError
			var refusal *tokenError
			known := errors.Is(err, egress.ErrRefused) || errors.As(err, &dnsError) || errors.As(err, &refusal) &&
				(refusal.problem == egress.ErrRefused.Error() || strings.Contains(refusal.problem, "resolved") || kind == "bad")
			if err == nil || !known && kind != "bad" {
				t.Errorf("%s to %s: %v, want it refused", what, url, err)
			}
		}
		if n := bell.rung.Swap(0); n != 0 {
			t.Errorf("%s: %d connections", url, n)
		}
		if kind == "here" || kind == "name" { // would it have been noticed?
			tries(t.Context(), open, url)
			if bell.rung.Swap(0) > 0 {
				noticed++
			}
		}
	}
	if spellings < 60 || noticed < 30 {
		t.Errorf("%d spellings, of which %d connect without the guard; want 60 and 30", spellings, noticed)
	}
}

// A name that leads to a permitted address first and to a private one later, or to both at once, gains nothing: every
// connect is judged by what it was resolved to.
func TestNamesAreJudgedOnEveryConnect(t *testing.T) {
	inside := newDoorbell(t, "127.0.0.1:0")
	outside := newDoorbell(t, "127.0.0.2:"+inside.port) // stands for a public address
	guard := &egress.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}
	var answers []string
	guard.Resolver = dns(func(string) []string { return answers })
	for _, step := range []struct {
		resolved []string
		reached  bool
	}{
		{[]string{"127.0.0.2"}, true}, {[]string{"127.0.0.1"}, false}, {[]string{"::ffff:127.0.0.1"}, false}, {[]string{"127.0.0.1", "127.0.0.2"}, true},
		{[]string{"127.0.0.2", "127.0.0.1"}, true}, {[]string{"127.0.0.1", "::1", "10.0.0.1"}, false},
	} {
		answers = step.resolved
		for what, err := range tries(t.Context(), newClient(guard, nil, callbackBuffer), "http://rebind.example:"+inside.port+"/") {
			if refused := err != nil && strings.Contains(err.Error(), egress.ErrRefused.Error()); refused == step.reached {
				t.Errorf("%s while the name is %v: %v", what, step.resolved, err)
			}
		}
		if in, out := inside.rung.Swap(0), outside.rung.Swap(0); in != 0 || out > 0 != step.reached {
			t.Errorf("the name is %v: %d connections to the private address, %d to the permitted one", step.resolved, in, out)
		}
	}
}

// Neither a receiver nor a token URL can send the hub elsewhere, whatever the redirect.
func TestRedirectsLeadNowhere(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		second := newDoorbell(t, "127.0.0.1:0")
		first := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) {
			return status, map[string]string{"Location": "http://127.0.0.1:" + second.port + "/"}, ""
		})
		client := newClient(&egress.Guard{Allow: loopback}, nil, callbackBuffer)
		payload := `{"messages":{"message":[{}]}}`
		res, err := client.Post(first.URL, "application/json", strings.NewReader(payload))
		if err != nil || res.StatusCode != status {
			t.Errorf("callback: %v, %v; want the redirect itself", res, err)
		} else {
			res.Body.Close()
		}
		_, err = newTokens(&clients{common: client}, nil, func(string) {}).fetch(t.Context(),
			&parley.Authentication{OAuth2: &parley.TokenRecipe{URL: first.URL, Method: http.MethodPost, Payload: payload, TokenPath: "$.t"}})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint("answered ", status)) {
			t.Errorf("token call: %v; want it to fail with the redirect", err)
		}
		if second.rung.Load() != 0 || len(first.got()) != 2 {
			t.Errorf("%d was followed", status)
		}
	}
}
