package notice

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"parley"
	"parley/dispatch"
	"parley/egress"
	"parley/ident"
)

const (
	user     = "planted-user"
	password = "planted/pass word"
	secret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A mailServer is a real SMTP server that keeps what it got.
type mailServer struct {
	address string
	roots   *x509.CertPool
	mail    chan string // whole messages, with the envelope's recipient before them

	mu     sync.Mutex
	refuse []error // answers to the next messages; nil = taken
	login  []string
	talked int // connections
}

// newMailServer starts a server. starttls and implicit say which TLS it has.
func newMailServer(t *testing.T, starttls, implicit bool) *mailServer {
	t.Helper()
	// The certificate of httptest is good for 127.0.0.1.
	web := httptest.NewTLSServer(http.NotFoundHandler())
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	settings := &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}
	web.Close()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailServer{address: l.Addr().String(), roots: roots, mail: make(chan string, 16)}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.talked++
		return &mailSession{server: m}, nil
	}))
	server.Domain, server.ErrorLog = "mail.test", nothing{}
	if starttls {
		server.TLSConfig = settings
	}
	server.AllowInsecureAuth = !starttls && !implicit // a server that would take credentials in the clear
	if implicit {
		l = tls.NewListener(l, settings)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return m
}

type nothing struct{}

func (nothing) Printf(string, ...any) {}
func (nothing) Println(...any)        {}

type mailSession struct {
	server *mailServer
	to     string
}

func (*mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, pass string) error {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.login = append(s.server.login, name+":"+pass)
		if name != user || pass != password {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mail <- s.to + "\n" + string(text)
	if len(s.server.refuse) > 0 {
		err, s.server.refuse = s.server.refuse[0], s.server.refuse[1:]
	}
	return err
}

func (*mailSession) Reset()        {}
func (*mailSession) Logout() error { return nil }

// receive is the next message; want false = none may come.
func (m *mailServer) receive(t *testing.T) (to string, message *mail.Message) {
	t.Helper()
	select {
	case text := <-m.mail:
		to, rest, _ := strings.Cut(text, "\n")
		message, err := mail.ReadMessage(strings.NewReader(rest))
		if err != nil {
			t.Fatal(err)
		}
		return to, message
	case <-time.After(20 * time.Second):
		t.Fatal("no mail came")
	}
	return "", nil
}

// A station is a notifier that runs until the test ends.
type station struct {
	*Notifier
	log   *lockedBuffer
	meter *prometheus.Registry
	end   func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newStation(t *testing.T, change func(*Config)) *station {
	t.Helper()
	s := &station{log: &lockedBuffer{}, meter: prometheus.NewRegistry()}
	c := Config{About: func(context.Context, parley.Receiver) (About, error) {
		return About{Application: "Desk\r\nBcc: everybody@example.org", Environment: "live"}, nil
	}, Hub: "https://hub.example", Logger: slog.New(slog.NewTextHandler(s.log, nil)), Meter: s.meter,
		Waits: []time.Duration{time.Millisecond, time.Millisecond}}
	change(&c)
	s.Notifier = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
		for _, planted := range []string{user, password, url.QueryEscape(password), secret, "ops@example.org"} {
			if strings.Contains(s.log.String(), planted) {
				t.Errorf("the log tells %q: %s", planted, s.log)
			}
		}
	})
	t.Cleanup(s.end)
	return s
}

// smtpTo is the setting for a server of a test.
func smtpTo(t *testing.T, scheme string, m *mailServer, credentials, more string) *SMTP {
	t.Helper()
	s, err := ParseSMTP(scheme + "://" + credentials + m.address + "?from=" + url.QueryEscape("Parley <parley@example.org>") + more)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = m.roots
	return s
}

var credentials = url.UserPassword(user, password).String() + "@"

var receiver = parley.Receiver{Key: 1, Tenant: parley.DefaultTenant, Application: parley.ConsoleApplication, Role: parley.CustomBot}

func given() dispatch.Notice {
	return dispatch.Notice{Receiver: receiver, Event: dispatch.DeliveryGivenUp, Reason: "the receiver answered 422", Delivery: ident.New[parley.Delivery](),
		Email: "ops@example.org", At: time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)}
}

// count is how many notices ended so.
func (s *station) count(way, outcome string) int {
	return count(s.meter, way, outcome)
}

func count(r *prometheus.Registry, way, outcome string) int {
	families, err := r.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if labels := m.GetLabel(); f.GetName() == "parley_notices_total" && labels[0].GetValue() == outcome && labels[1].GetValue() == way {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// The first notice that fails raises an alert only if none was shown before it.
func TestOutcomesAreShownFromTheStart(t *testing.T) {
	s := newStation(t, func(c *Config) { c.Mail = &SMTP{} })
	if n, err := testutil.GatherAndCount(s.meter, "parley_notices_total"); n != 9 || err != nil {
		t.Errorf("%d outcomes are shown, %v; want four a way, and those that have none", n, err)
	}
}

// Mail goes out with STARTTLS or TLS and a password, and says who, what, why, and what to do about it.
func TestMailSaysWhatToDo(t *testing.T) {
	for scheme, implicit := range map[string]bool{"smtp": false, "smtps": true} {
		t.Run(scheme, func(t *testing.T) {
			m := newMailServer(t, !implicit, implicit)
			s := newStation(t, func(c *Config) { c.Mail = smtpTo(t, scheme, m, credentials, "") })
			x := given()
			s.Notify(x)
			to, got := m.receive(t)
			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			if err != nil || to != "ops@example.org" || got.Header.Get("From") != `"Parley" <parley@example.org>` || !strings.HasPrefix(subject, "Parley: deliveries to Desk") ||
				got.Header.Get("Bcc") != "" || got.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("mail to %s with %q %v", to, subject, got.Header)
			}
			body := text(t, got)
			for _, want := range []string{"Desk", "custom_bot", "live", "422", x.Delivery.String(), "2026-11-26T02:00:00Z", "GET https://hub.example/admin/v1/deadletters\n",
				"POST https://hub.example/admin/v1/clientapplications/" + receiver.Application.String() + "/roles/custom_bot/enable\n"} {
				if !strings.Contains(body, want) {
					t.Errorf("the mail does not say %q:\n%s", want, body)
				}
			}
			if strings.Contains(body, "\nBcc:") {
				t.Errorf("a name wrote a line of the mail:\n%s", body)
			}
			x.Event, x.Reason, x.Delivery = dispatch.ReceiverDisabled, "the receiver answered 410", parley.DeliveryID{}
			s.Notify(x)
			_, got = m.receive(t)
			if body := text(t, got); !strings.Contains(body, "disabled") || !strings.Contains(body, "410") || !strings.Contains(body, "/enable\n") {
				t.Errorf("about a disabled role:\n%s", body)
			}
			s.end()
			if s.count("mail", "sent") != 2 || s.count("mail", "failed") != 0 {
				t.Errorf("counted %d sent, %d failed", s.count("mail", "sent"), s.count("mail", "failed"))
			}
		})
	}
}

// text is a mail's body, with its transfer encoding taken off.
func text(t *testing.T, m *mail.Message) string {
	t.Helper()
	r := m.Body
	if strings.EqualFold(m.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		r = quotedprintable.NewReader(m.Body)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(body), "\r\n", "\n")
}

// Neither mail nor credentials go out in the clear, or to a server that cannot prove who it is.
func TestMailIsNotSentInTheClear(t *testing.T) {
	for name, test := range map[string]struct {
		starttls, known bool
		credentials     string
	}{
		"a server without STARTTLS":               {false, true, credentials},
		"a server without STARTTLS or a password": {false, true, ""},
		"a stranger's certificate":                {true, false, credentials},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMailServer(t, test.starttls, false)
			s := newStation(t, func(c *Config) {
				c.Mail = smtpTo(t, "smtp", m, test.credentials, "")
				if !test.known {
					c.Mail.roots = x509.NewCertPool()
				}
			})
			s.Notify(given())
			await(t, func() bool { return s.count("mail", "failed") == 1 })
			s.end()
			m.mu.Lock()
			defer m.mu.Unlock()
			if len(m.mail) > 0 || len(m.login) > 0 || m.talked == 0 {
				t.Errorf("the server got %d mails and the logins %q over %d connections", len(m.mail), m.login, m.talked)
			}
		})
	}
}

// A server on this machine may be used without TLS.
func TestMailOnLoopback(t *testing.T) {
	m := newMailServer(t, false, false)
	s := newStation(t, func(c *Config) { c.Mail = smtpTo(t, "smtp", m, "", "&tls=off") })
	s.Notify(given())
	m.receive(t)
	s.end()
}

// What the server puts off is tried again, as the same mail; what it refuses for good is not.
func TestMailIsTriedAgain(t *testing.T) {
	m := newMailServer(t, true, false)
	s := newStation(t, func(c *Config) { c.Mail = smtpTo(t, "smtp", m, credentials, "") })
	m.refuse = []error{&smtp.SMTPError{Code: 451, Message: "later " + password}, nil, &smtp.SMTPError{Code: 554, Message: "no " + user}}
	s.Notify(given())
	_, first := m.receive(t)
	_, second := m.receive(t)
	if a, b := first.Header.Get("Message-Id"), second.Header.Get("Message-Id"); a == "" || a != b {
		t.Errorf("the same mail is %q, then %q", a, b)
	}
	await(t, func() bool { return s.count("mail", "sent") == 1 })
	s.Notify(given())
	m.receive(t)
	await(t, func() bool { return s.count("mail", "failed") == 1 })
	s.end()
	if len(m.mail) > 0 || !strings.Contains(s.log.String(), "tries=1") || !strings.Contains(s.log.String(), "554") {
		t.Errorf("after a refusal %d came; log: %s", len(m.mail), s.log)
	}
}

// A wrong password is said in the log, without it.
func TestWrongPassword(t *testing.T) {
	m := newMailServer(t, true, false)
	s := newStation(t, func(c *Config) {
		c.Mail = smtpTo(t, "smtp", m, url.UserPassword(user, "planted-wrong").String()+"@", "")
	})
	s.Notify(given())
	await(t, func() bool { return s.count("mail", "failed") == 1 })
	s.end()
	if strings.Contains(s.log.String(), "planted") || !strings.Contains(s.log.String(), "535") {
		t.Errorf("log: %s", s.log)
	}
}

// Connections are made as the operator allows.
func TestMailObeysTheGuard(t *testing.T) {
	m := newMailServer(t, true, false)
	s := newStation(t, func(c *Config) {
		c.Mail, c.Dial = smtpTo(t, "smtp", m, credentials, ""), (&egress.Guard{}).DialContext
	})
	s.Notify(given())
	await(t, func() bool { return s.count("mail", "failed") == 1 })
	s.end()
	if m.talked > 0 || !strings.Contains(s.log.String(), "--callback-allow") {
		t.Errorf("%d connections; log: %s", m.talked, s.log)
	}
}

// The operations URL hears the same, signed, until it answers; a refusal is final.
func TestOperationsURL(t *testing.T) {
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	type heard struct{ id, body, problem string }
	all := make(chan heard, 16)
	answers := []int{503, 204, 404}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = hook.Verify(body, r.Header)
		}
		status := http.StatusTeapot // more than was to come
		if len(answers) > 0 {
			status, answers = answers[0], answers[1:]
		}
		w.WriteHeader(status)
		all <- heard{r.Header.Get("Webhook-Id"), string(body), fmt.Sprint(err)}
	}))
	t.Cleanup(server.Close)
	s := newStation(t, func(c *Config) {
		c.About = func(context.Context, parley.Receiver) (About, error) {
			return About{"Desk", "live", Operations{server.URL, secret}}, nil
		}
	})
	x := given()
	s.Notify(x)
	next := func() heard {
		t.Helper()
		select {
		case h := <-all:
			return h
		case <-time.After(20 * time.Second):
			t.Fatal("the operations URL heard nothing")
		}
		return heard{}
	}
	first, second := next(), next()
	want := fmt.Sprintf(`{"type":"delivery.given_up","timestamp":"2026-11-26T02:00:00Z","data":{"environment":{"id":"%s","name":"live"},"application":{"id":"%s","name":"Desk"},`+
		`"role":"custom_bot","reason":"the receiver answered 422","delivery":"%s"}}`, x.Receiver.Tenant, x.Receiver.Application, x.Delivery)
	if first != second || first.id == "" || first.problem != "<nil>" || first.body != want {
		t.Errorf("heard %+v, then %+v; want %s", first, second, want)
	}
	await(t, func() bool { return s.count("operations", "sent") == 1 })
	s.Notify(x)
	if third := next(); third.id == first.id {
		t.Error("two notices have one id")
	}
	await(t, func() bool { return s.count("operations", "failed") == 1 })
	s.end()
	if len(answers) != 0 || len(all) > 0 || strings.Contains(s.log.String(), server.URL) {
		t.Errorf("log: %s", s.log)
	}
}

// The operations URL is a stranger's: it is reached only where callbacks may go, and leads nowhere else.
func TestOperationsURLObeysTheGuard(t *testing.T) {
	var elsewhere, asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	for _, guarded := range []bool{true, false} {
		s := newStation(t, func(c *Config) {
			c.About = func(context.Context, parley.Receiver) (About, error) {
				return About{Operations: Operations{server.URL, secret}}, nil
			}
			if guarded {
				c.Dial = (&egress.Guard{}).DialContext
			}
		})
		s.Notify(given())
		await(t, func() bool { return s.count("operations", "failed") == 1 })
		s.end()
		if n := asked.Load(); (n == 0) != guarded || elsewhere.Load() != 0 {
			t.Errorf("guarded %v: it was asked %d times, and %d times what it named; log: %s", guarded, n, elsewhere.Load(), s.log)
		}
	}
}

// An environment whose operations URL hangs waits for itself, however much it has to hear; others hear at once.
func TestOperationsURLThatHangs(t *testing.T) {
	release, good := make(chan struct{}), make(chan struct{}, 16)
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hanging.Close)
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { good <- struct{}{} }))
	t.Cleanup(well.Close)
	hangs := ident.New[parley.Tenant]()
	s := newStation(t, func(c *Config) {
		c.About = func(_ context.Context, r parley.Receiver) (About, error) {
			if r.Tenant == hangs {
				return About{Operations: Operations{hanging.URL, secret}}, nil
			}
			return About{Operations: Operations{well.URL, secret}}, nil
		}
	})
	defer s.end()
	defer close(release)
	x := given()
	x.Receiver.Tenant, x.At = hangs, time.Now()
	const many = 60
	for range many {
		s.Notify(x)
	}
	s.Notify(given())
	select {
	case <-good:
	case <-time.After(10 * time.Second): // less than a try that hangs takes
		t.Fatal("the other environment hears nothing")
	}
	if n := s.count("operations", "deferred"); n < many-ofOne-1 || n > many-ofOne {
		t.Errorf("%d were deferred, want all but one that hangs and %d that wait", n, ofOne)
	}
}

// A notice that finds no place in one way goes out in the other and stays owed in that one, for a day; then it is dropped.
func TestNoticesWithoutAPlaceStayOwed(t *testing.T) {
	m := newMailServer(t, true, false)
	release, hangs := make(chan struct{}), make(chan struct{}, 1)
	operations := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case hangs <- struct{}{}:
		default:
		}
		<-release
	}))
	t.Cleanup(operations.Close)
	s := newStation(t, func(c *Config) {
		c.Mail, c.Clock = smtpTo(t, "smtp", m, credentials, ""), func() time.Time { return given().At.Add(time.Minute) }
		c.About = func(context.Context, parley.Receiver) (About, error) {
			return About{Operations: Operations{URL: operations.URL, Secret: secret}}, nil
		}
	})
	defer s.end()
	defer close(release)
	fill := func(n int) {
		for range n {
			x := given()
			x.Email = ""
			s.Notify(x)
		}
	}
	fill(ofOne + 1)
	<-hangs
	fill(1) // should the last of them have come before the first hung
	for _, test := range []struct {
		old  time.Duration
		told []string
		want []string
	}{
		{0, nil, []string{"told by mail"}},
		{23 * time.Hour, nil, []string{"told by mail"}},
		{24 * time.Hour, nil, []string{"told by operations", "done"}},
		{0, []string{"operations"}, []string{"done"}},
		{24 * time.Hour, []string{"mail"}, []string{"told by operations", "done"}},
	} {
		x, got := given(), make(chan string, 9)
		x.At, x.Told = x.At.Add(-test.old), test.told
		x.ToldBy, x.Done = func(way string) { got <- "told by " + way }, func() { got <- "done" }
		s.Notify(x)
		if !slices.Contains(test.told, "mail") {
			m.receive(t)
		}
		for _, want := range test.want {
			if what := <-got; what != want {
				t.Errorf("%v old, told by %v: %s, want %s", test.old, test.told, what, want)
			}
		}
		if len(got) > 0 {
			t.Errorf("%v old, told by %v: then %s", test.old, test.told, <-got)
		}
	}
	if n := s.count("operations", "dropped"); n != 2 {
		t.Errorf("%d were dropped, want those that are a day old", n)
	}
}

// Nobody waits for notices: what does not fit is counted.
func TestNotifyNeverWaits(t *testing.T) {
	meter := prometheus.NewRegistry()
	n := New(Config{Logger: slog.New(slog.DiscardHandler), Meter: meter}) // nobody runs it
	for range waiting + 5 {
		n.Notify(given())
	}
	if got := count(meter, "any", "deferred"); got != 5 {
		t.Errorf("%d were deferred, want 5", got)
	}
}

// A notice is owed until all of its ways have come to an end: not by the first of two, nor if the hub stops before.
func TestNoticesAreOwedUntilAllWaysHaveEnded(t *testing.T) {
	m := newMailServer(t, true, false)
	answer := make(chan int)
	operations := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-answer) }))
	defer operations.Close()
	about := About{Operations: Operations{URL: operations.URL, Secret: secret}}
	s := newStation(t, func(c *Config) {
		c.Mail = smtpTo(t, "smtp", m, credentials, "")
		c.Waits = []time.Duration{time.Hour}
		c.About = func(context.Context, parley.Receiver) (About, error) { return about, nil }
	})
	done := make(chan string, 9)
	notify := func(name string) {
		x := given()
		x.Done = func() { done <- name }
		s.Notify(x)
		m.receive(t)
	}
	notify("good")
	if len(done) != 0 {
		t.Error("it is not owed any more before the operations URL has answered")
	}
	answer <- 204
	if got := <-done; got != "good" {
		t.Errorf("%s was done", got)
	}
	notify("refused")
	answer <- 400 // another try is of no use
	if got := <-done; got != "refused" {
		t.Errorf("%s was done", got)
	}
	notify("away")
	answer <- 503 // which is tried again in an hour
	s.end()
	if len(done) != 0 {
		t.Errorf("%s was done when the hub stopped, want it owed", <-done)
	}
}

// What waits when the hub stops is tried once more.
func TestStoppingSendsWhatWaits(t *testing.T) {
	m := newMailServer(t, true, false)
	n := New(Config{Mail: smtpTo(t, "smtp", m, credentials, ""), Logger: slog.New(slog.DiscardHandler),
		About: func(context.Context, parley.Receiver) (About, error) {
			return About{}, errors.New("the record is closed")
		}})
	n.Notify(given())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if len(m.mail) != 1 {
		t.Errorf("%d mails came, want the one that waited", len(m.mail))
	}
}

// A mail server that takes connections and says nothing does not keep the hub from stopping in its time, and the log says what is wrong with it.
func TestSilentMailServer(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // nobody accepts; the system does
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server, err := ParseSMTP("smtp://" + l.Addr().String() + "?from=parley@example.org&tls=off")
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	n := New(Config{Mail: server, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		About: func(context.Context, parley.Receiver) (About, error) { return About{}, nil }})
	n.Notify(given())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begin := time.Now()
	if err := n.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if took := time.Since(begin); took < lastTimeout || took > 2*lastTimeout || !strings.Contains(log.String(), "no answer in time") {
		t.Errorf("it stopped after %v; log: %s", took, &log)
	}
}

func TestParseSMTP(t *testing.T) {
	for text, want := range map[string]string{
		"smtp://u:planted@mail.example:2525?from=a@example.org": "",
		"smtps://mail.example?from=Parley+<a@example.org>":      "",
		"smtp://localhost?from=a@example.org&tls=off":           "",
		"smtp://[::1]:25?from=a@example.org&tls=off":            "",
		"mail.example:25": "smtp://",
		"http://planted@mail.example?from=a@example.org": "smtp://",
		"smtp://u:planted@mail.example":                  "from",
		"smtp://u:planted@mail.example?from=nobody":      "from",
		"smtp://mail.example?from=a@example.org&tls=off": "tls=off",
		"smtp://u:planted@localhost?from=a@b.c&tls=off":  "tls=off",
		"smtps://localhost?from=a@b.c&tls=off":           "tls=off",
		"smtp://mail.example?from=a@b.c&tls=maybe":       "tls",
		"smtp://mail.example?from=a@b.c&planted=1":       "from and tls",
		"smtp://mail.example:99999?from=a@b.c":           "port",
		"smtp://u:planted%zz@mail.example?from=a@b.c":    "percent",
	} {
		_, err := ParseSMTP(text)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted")) {
			t.Errorf("ParseSMTP(%q) = %v, want %q", text, err, want)
		}
	}
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); !done(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it does not come to that")
		}
	}
}
