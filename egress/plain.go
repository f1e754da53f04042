package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
)

// Plain says why a request failed, in words that hold no URL, address or secret.
func Plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	var dns *net.DNSError
	switch {
	case errors.Is(err, ErrRefused):
		return ErrRefused
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case errors.Is(err, context.Canceled):
		return errors.New("cancelled, since the hub stops")
	case errors.As(err, &dns):
		return errors.New("the name cannot be resolved")
	}
	if e, ok := errors.AsType[*ProxyError](err); ok {
		return e
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("the certificate it shows is not trusted, or not for this name")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		switch op.Op {
		case "dial":
			return errors.New("no connection")
		case "remote error": // an alert of TLS; crypto/tls has the texts
			return fmt.Errorf("TLS was refused: %w", op.Err)
		}
		return errors.New("the connection broke")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed without an answer")
	}
	return fmt.Errorf("the request failed (%T)", err) // the type only: the text of a stranger's error may hold anything
}
