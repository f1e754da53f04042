package egress

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// connectTimeout leaves most of an attempt's five seconds to the receiver.
const connectTimeout = 3 * time.Second

// DialContext connects to host:port like [net.Dialer.DialContext], but only to an address that the guard permits, through
// the proxy if there is one. [ErrRefused] if the host has no such address. It is meant for whoever reaches out for
// strangers: HTTP transports, and mail.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if g.Proxy != nil {
		return g.dialProxied(ctx, network, address)
	}
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, Resolver: g.Resolver, ControlContext: g.control}
	return dialer.DialContext(ctx, network, address)
}

// control is called by the dialer after DNS, before connect, with the address that it is about to connect to.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !g.Permits(at.Addr()) {
		return ErrRefused
	}
	return nil
}

// dialProxied resolves here and asks the proxy for a permitted address, so that the proxy has nothing to resolve.
func (g *Guard) dialProxied(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	found := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		found = append(found, a)
	} else if found, err = g.resolver().LookupNetIP(ctx, "ip", host); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	refusal := error(&net.OpError{Op: "dial", Net: network, Err: ErrRefused})
	for _, a := range found {
		if !g.Permits(a) {
			continue
		}
		conn, err := g.tunnel(ctx, net.JoinHostPort(a.Unmap().WithZone("").String(), port))
		if err == nil {
			return conn, nil
		}
		refusal = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, refusal
}

func (g *Guard) resolver() *net.Resolver {
	if g.Resolver != nil {
		return g.Resolver
	}
	return net.DefaultResolver
}
