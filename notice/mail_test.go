package notice

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"parley"
	"parley/dispatch"
	"parley/egress"
)

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
