package notice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/textproto"
	"net/url"
	"os"
	"strconv"

	gomail "github.com/wneessen/go-mail"
)

// SMTP says how mail goes out.
type SMTP struct {
	host      string
	port      int
	user      string
	password  string
	from      string
	encrypted bool // TLS from the first byte; otherwise STARTTLS
	plain     bool // neither: for a server on this machine
	roots     *x509.CertPool
}

// ParseSMTP reads the value of --smtp: smtp://user:password@host:587?from=parley@example.org, where STARTTLS is required, or
// smtps:// for TLS from the first byte. With ?tls=off neither is used, on loopback only and without a password. The errors
// repeat nothing of the URL.
func ParseSMTP(text string) (*SMTP, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("smtp: give smtp://user:password@host:587?from=address, or smtps://; what is special in a password is percent-encoded")
	}
	s := &SMTP{host: u.Hostname(), encrypted: u.Scheme == "smtps", user: u.User.Username(), port: 587}
	s.password, _ = u.User.Password()
	if s.encrypted {
		s.port = 465
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, errors.New("smtp: the port is a number from 1 to 65535")
		}
	}
	for name := range u.Query() {
		if name != "from" && name != "tls" {
			return nil, errors.New("smtp: the URL takes from and tls only")
		}
	}
	from, err := mail.ParseAddress(u.Query().Get("from"))
	if err != nil {
		return nil, errors.New("smtp: say whom mail is from, such as ?from=parley@example.org")
	}
	s.from = from.String()
	switch u.Query().Get("tls") {
	case "":
	case "off":
		if a, err := netip.ParseAddr(s.host); s.encrypted || s.user != "" || s.host != "localhost" && (err != nil || !a.IsLoopback()) {
			return nil, errors.New("smtp: tls=off is for smtp:// without a password to a server on this machine: others could read the mail")
		}
		s.plain = true
	default:
		return nil, errors.New("smtp: tls is off or left out")
	}
	return s, nil
}

// mailer makes a connection's settings anew: go-mail keeps state in them. The connection ends with ctx, of which go-mail thinks only as long
// as it connects.
func (n *Notifier) mailer(ctx context.Context) (*gomail.Client, error) {
	s := n.config.Mail
	settings := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
	policy := gomail.TLSMandatory
	if s.plain || s.encrypted {
		policy = gomail.NoTLS
	}
	options := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(tryTimeout), gomail.WithTLSConfig(settings), gomail.WithTLSPolicy(policy)}
	if s.user != "" {
		auth := gomail.SMTPAuthAutoDiscover
		if s.encrypted { // go-mail does not see the TLS of our dialer, and would settle for less than PLAIN
			auth = gomail.SMTPAuthPlain
		}
		options = append(options, gomail.WithSMTPAuth(auth), gomail.WithUsername(s.user), gomail.WithPassword(s.password))
	}
	return gomail.NewClient(s.host, append(options, gomail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := n.config.Dial(dialing, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { conn.Close() }) // it is closed by then, if all went well
		if !s.encrypted {
			return conn, nil
		}
		encrypted := tls.Client(conn, settings)
		if err := encrypted.HandshakeContext(dialing); err != nil {
			conn.Close()
			return nil, err
		}
		return encrypted, nil
	}))...)
}

// mail tries to send a notice to its address.
func (n *Notifier) mail(ctx context.Context, j job) (again bool, err error) {
	m := gomail.NewMsg()
	if err := errors.Join(m.From(n.config.Mail.from), m.To(j.Email)); err != nil {
		return false, errors.New("the address is none that mail can be sent to")
	}
	subject, text := n.text(j)
	m.Subject(subject)
	m.SetBodyString(gomail.TypeTextPlain, text)
	m.SetMessageIDWithValue(j.id + "@" + n.config.Mail.host) // the same on every try, so that a reader sees a repeat as one
	m.SetDateWithValue(j.At)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	client, err := n.mailer(ctx)
	if err != nil {
		return false, fmt.Errorf("the mail client cannot be set up (%T)", err)
	}
	err = client.DialAndSendWithContext(ctx, m)
	if err == nil || m.IsDelivered() { // an error in saying goodbye is nobody's loss
		return false, nil
	}
	if ctx.Err() != nil {
		return true, errLate
	}
	return temporary(err), plain(err)
}

var errLate = errors.New("no answer in time")

// temporary says whether another try may help: everything but what the server refuses for good.
func temporary(err error) bool {
	if e, ok := errors.AsType[*gomail.SendError](err); ok {
		return e.IsTemp() || e.ErrorCode() < 500
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Code < 500
	}
	return true
}

// plain says why mail failed without a word of the server's: it may repeat credentials and addresses.
func plain(err error) error {
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errLate
	case errors.As(err, &certificate):
		return errors.New("the certificate of the mail server is not good")
	}
	if e, ok := errors.AsType[*gomail.SendError](err); ok {
		return fmt.Errorf("the mail server refused it: %s (%d)", e.Reason, e.ErrorCode())
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("the mail server answered %d", e.Code)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return errors.New("no connection to the mail server: it is not there, or its address is not allowed (see --callback-allow)")
	}
	return fmt.Errorf("the mail server does not do what is asked of it, such as STARTTLS or authentication (%T)", errors.Unwrap(err))
}
