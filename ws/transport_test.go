package ws_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/hub"
	"parley/ws"
)

func statusOf(err error) websocket.StatusCode { return websocket.CloseStatus(err) }

// Frames may come in any pieces; binary ones are none of the protocol.
func TestPiecesOfFrames(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	w, err := anna.conn.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range strings.SplitAfter("{\"id\":\"p1\",\"ping\":{}}\n{\"id\":\"p2\",\"ping\":{\"x\":\"é\"}}", "") {
		for i := range len(piece) { // single bytes, in the middle of characters too
			if _, err := w.Write([]byte(piece[i : i+1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"p1"`, `"p2"`} {
		if o, err := anna.next(); err != nil || string(o["id"]) != want || o["ok"] == nil {
			t.Fatalf("a frame in pieces is answered %v, %v", o, err)
		}
	}
	if err := anna.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"id":"1","ping":{}}`)); err != nil {
		t.Fatal(err)
	}
	if code := anna.closed(); code != 4400 {
		t.Errorf("a binary frame ends with %d, want 4400", code)
	}
}

// raw upgrades a connection by hand, so that a test says what is on it.
func (s *site) raw(header string) (net.Conn, *bufio.Reader, *http.Response) {
	s.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", s.http.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /ws/v1 HTTP/1.1\r\nHost: hub.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", header)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	return conn, r, res
}

// frame is a frame of a client, masked with zeros; at most 125 bytes.
func frame(first byte, payload string) []byte {
	return append([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

const (
	textFrame = 0x81
	pingFrame = 0x89
	deflated  = 0x40 // RSV1
)

// A flood of pings is answered by pongs, and by nothing else.
func TestPingsOfTheProtocolBelow(t *testing.T) {
	s := newSite(t, nil)
	conn, r, _ := s.raw("Sec-WebSocket-Protocol: parley.v1.json\r\n")
	const n = 3000
	go func() {
		_, _ = conn.Write(bytes.Repeat(frame(pingFrame, "x"), n)) // if it fails, reading does too
		_, _ = conn.Write(frame(textFrame, `{"id":"1","connect":{"token":"anna"}}`))
	}()
	for i := range n {
		if pong := [3]byte{}; true {
			if _, err := io.ReadFull(r, pong[:]); err != nil || pong != [3]byte{0x8a, 1, 'x'} {
				t.Fatalf("ping %d is answered %x, %v", i, pong, err)
			}
		}
	}
	if head, err := r.Peek(1); err != nil || head[0] != textFrame {
		t.Errorf("after the pings comes %x, %v", head, err)
	}
}

// Compression is offered by browsers, and not taken: no frame grows.
func TestCompressionIsNotAccepted(t *testing.T) {
	s := newSite(t, nil)
	conn, r, res := s.raw("Sec-WebSocket-Protocol: parley.v1.json\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
	if got := res.Header.Get("Sec-WebSocket-Extensions"); res.StatusCode != http.StatusSwitchingProtocols || got != "" {
		t.Fatalf("upgrade = %d with extensions %q", res.StatusCode, got)
	}
	if _, err := conn.Write(frame(textFrame|deflated, "x")); err != nil {
		t.Fatal(err)
	}
	head := [4]byte{}
	if _, err := io.ReadFull(r, head[:]); err == nil && (head[0] != 0x88 || int(head[2])<<8|int(head[3]) != 1002) {
		t.Errorf("a compressed frame is answered %x, want a close with 1002", head)
	}
}

// Sessions are for the pages of the hub itself and for those that the account lists, whatever an origin looks like.
func TestOrigins(t *testing.T) {
	s := newSite(t, nil)
	for origin, wants := range map[string]struct{ customer, agent string }{
		"":                                          {"ok", "ok"}, // no browser
		"https://shop.example.org":                  {"ok", "1008"},
		"HTTPS://Shop.Example.ORG":                  {"ok", "1008"},
		"http://shop.example.org":                   {"1008", "1008"},
		"https://shop.example.org:8443":             {"1008", "1008"},
		"https://shop.example.org/":                 {"1008", "1008"},
		"https://shop.example.org.evil.com":         {"1008", "1008"},
		"https://evil.com/https://shop.example.org": {"1008", "1008"},
		"https://shop.example.org https://evil.com": {"1008", "1008"},
		"null":     {"1008", "1008"},
		"*":        {"1008", "1008"},
		"file://":  {"1008", "1008"},
		"://":      {"1008", "1008"},
		s.http.URL: {"ok", "ok"}, // our own
	} {
		for token, want := range map[string]string{"anna": wants.customer, "dana": wants.agent} {
			header := http.Header{}
			if origin != "" {
				header.Set("Origin", origin)
			}
			c := s.dial(header)
			if got := c.hears(`{"id":"1","connect":{"token":"` + token + `"}}`); got != want {
				t.Errorf("connect of %s from %q = %s, want %s", token, origin, got, want)
			}
			c.conn.CloseNow()
		}
	}
}

// A client that begins to read again after it was too slow is told so, and comes back.
func TestSlowClientIsToldWhy(t *testing.T) {
	meter := prometheus.NewRegistry()
	s := newSite(t, func(c *ws.Config) { c.QueueLen, c.Meter = 16, meter })
	anna, _ := s.connect("anna")
	id, err := parley.ParseID[parley.Conversation](anna.ask("open", map[string]any{"message": text("m1")})["conversation"].(string))
	if err != nil {
		t.Fatal(err)
	}
	slow := func() float64 {
		families, err := meter.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "parley_sessions_slow_total" {
				return f.GetMetric()[0].GetCounter().GetValue()
			}
		}
		return 0
	}
	for n := 0; slow() == 0; n++ {
		if n > 2000 {
			t.Fatal("60 MB are more than a client can be behind")
		}
		if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Drafts: []parley.Draft{
			{Conversation: id, Type: parley.TypeText, Sender: parley.CustomAgent, Body: parley.Body{Content: &parley.Content{Text: strings.Repeat("x", 30_000)}}}}}); err != nil {
			t.Fatal(err)
		}
	}
	if code := anna.closed(); code != 4408 {
		t.Errorf("the session ended with %d, want 4408", code)
	}
}

// What is posted beside a stream of events is one frame, in time, whatever its type says; anything else is refused and held by nobody.
func TestHostilePosts(t *testing.T) {
	_, base := sseSite(t, func(c *ws.Config) { c.MaxFrame = 1000 })
	const connect = `{"id":"1","connect":{"token":"anna"}}`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 100_000)) // into memory
	_ = z.Close()
	endless, stop := io.Pipe()
	defer stop.Close()
	go func() {
		for err := error(nil); err == nil; {
			_, err = stop.Write([]byte("          "))
		}
	}()
	for _, test := range []struct {
		what, method, kind, encoding, last string
		body                               io.Reader
		status                             int
		ends                               string // the stream's close code
	}{
		{"a form", "POST", "application/x-www-form-urlencoded", "", "", strings.NewReader(connect), 200, ""},
		{"a Last-Event-ID that is anything", "POST", "text/plain", "", "\x80-1e400,17", strings.NewReader(connect), 200, ""},
		{"nothing", "POST", "text/plain", "", "", strings.NewReader(""), 200, "4400"},
		{"something else than connect", "POST", "text/plain", "", "", strings.NewReader(`{"id":"1","ping":{}}`), 200, "4400"},
		{"a small body that would unpack to more than a frame has", "POST", "text/plain", "gzip", "", &packed, 200, "4400"},
		{"a body without end", "POST", "text/plain", "", "", endless, 413, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		req, err := http.NewRequestWithContext(ctx, test.method, base+"/sse", test.body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", test.kind)
		if test.encoding != "" {
			req.Header.Set("Content-Encoding", test.encoding)
		}
		if test.last != "" {
			req.Header.Set("Last-Event-ID", test.last)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			cancel()
			continue
		}
		if res.StatusCode != test.status {
			t.Errorf("%s = %d, want %d", test.what, res.StatusCode, test.status)
		}
		if test.status == http.StatusOK {
			stream := &stream{t: t, scan: bufio.NewScanner(res.Body)}
			name, data := stream.event() // session
			for name != "" && name != "close" && !strings.Contains(data, `"ok"`) {
				name, data = stream.event()
			}
			var end struct{ Code int }
			_ = json.Unmarshal([]byte(data), &end) // 0 for what is no end
			if got := fmt.Sprint(end.Code); got != test.ends && (test.ends != "" || name == "close") {
				t.Errorf("%s: %s %s, want %s", test.what, name, data, test.ends)
			}
		}
		res.Body.Close()
		cancel()
	}
}

// A handshake that is none is told so as everything else is.
func TestHandshakesThatAreNone(t *testing.T) {
	s := newSite(t, nil)
	for _, test := range []struct {
		what, method, version, key string
		status                     int
		code                       string
	}{
		{"another method", http.MethodPost, "13", "dGhlIHNhbXBsZSBub25jZQ==", 405, "405-001"},
		{"an old version", http.MethodGet, "8", "dGhlIHNhbXBsZSBub25jZQ==", 400, "400-152"},
		{"no key", http.MethodGet, "13", "", 400, "400-152"},
		{"a short key", http.MethodGet, "13", "eA==", 400, "400-152"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, s.http.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": test.version,
			"Sec-WebSocket-Key": test.key, "Sec-WebSocket-Protocol": ws.Subprotocol} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Code, DeveloperMessage string }
		err = json.NewDecoder(res.Body).Decode(&body)
		res.Body.Close()
		if err != nil || res.StatusCode != test.status || body.Code != test.code || body.DeveloperMessage == "" || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s = %d %s %+v, %v; want %d and %s", test.what, res.StatusCode, res.Header.Get("Content-Type"), body, err, test.status, test.code)
		}
	}
}
