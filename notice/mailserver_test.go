package notice

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

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

func (nothing) Println(...any) {}

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

func (*mailSession) Reset() {}

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
