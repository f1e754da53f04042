package dispatch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// A Guard decides which addresses may be reached. It is asked with the resolved address at connect time, so a name that
// resolves differently the second time gains nothing.
type Guard struct {
	Allow []netip.Prefix // private addresses that may be reached all the same
}

// errEgress is what a refused connection fails with. It names no address: errors of attempts are shown.
var errEgress = errors.New("the address is not allowed: it is loopback, private, link-local or otherwise not public (see --callback-allow)")

// refused ranges that netip has no name for.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),     // this network (RFC 1122)
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT (RFC 6598)
	netip.MustParsePrefix("192.0.0.0/24"),  // protocol assignments (RFC 6890)
	netip.MustParsePrefix("192.0.2.0/24"),  // documentation (RFC 5737), this and the next two
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks (RFC 2544)
	netip.MustParsePrefix("240.0.0.0/4"),   // reserved, and broadcast
	netip.MustParsePrefix("2001:db8::/32"), // documentation (RFC 3849)
	netip.MustParsePrefix("100::/64"),      // discard (RFC 6666)
	netip.MustParsePrefix("fec0::/10"),     // site-local, deprecated
}

// Ranges of IPv6 that carry an IPv4 address, and where in the 16 bytes it stands.
var embedded = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2}, // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), 12},    // IPv4-compatible, deprecated
}

// Permits says whether an address may be reached.
func (g *Guard) Permits(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range g.Allow {
		if p.Contains(a) {
			return true
		}
	}
	if !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() ||
		a.IsInterfaceLocalMulticast() || a.IsLinkLocalMulticast() {
		return false
	}
	for _, p := range refused {
		if p.Contains(a) {
			return false
		}
	}
	for _, e := range embedded {
		if a.Is6() && e.prefix.Contains(a) {
			bytes := a.As16()
			return g.Permits(netip.AddrFrom4([4]byte(bytes[e.at : e.at+4])))
		}
	}
	return true
}

// control is called by the dialer after DNS, before connect.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !g.Permits(at.Addr()) {
		return errEgress
	}
	return nil
}

// Client makes an HTTP client that goes only where the guard permits, follows no redirect and verifies certificates. It
// has no time limit of its own: requests carry theirs.
func (g *Guard) Client() *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, ControlContext: g.control}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: connectTimeout, MaxIdleConns: 1024, MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second,
			MaxResponseHeaderBytes: 32 << 10, DisableCompression: true,
		},
	}
}

// connectTimeout leaves most of an attempt's five seconds to the receiver.
const connectTimeout = 3 * time.Second

// ParseAllow reads the value of --callback-allow: CIDRs or addresses, separated by commas.
func ParseAllow(list []string) ([]netip.Prefix, error) {
	var allow []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, errAddr := netip.ParseAddr(s)
			if errAddr != nil {
				return nil, fmt.Errorf("callback-allow: %q is no CIDR such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		allow = append(allow, p.Masked())
	}
	return allow, nil
}
