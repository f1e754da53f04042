package egress

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// A Guard decides which addresses may be reached, and reaches them. The zero Guard permits public addresses only. Its
// fields are not changed once it is used; it is then safe for concurrent use.
type Guard struct {
	Allow    []netip.Prefix // private addresses that may be reached all the same
	Resolver *net.Resolver  // nil = the system's
	Proxy    *url.URL       // connections are made through it, see [ParseProxy]; nil = directly

	proxyRoots *x509.CertPool // that an https proxy is checked against; nil = the system's. For tests
}

// ErrRefused is what a refused connection fails with. It names no address: errors of attempts are shown.
var ErrRefused = errors.New("the address is not allowed: it is loopback, private, link-local or otherwise not public (see --callback-allow)")

// refused ranges that netip has no name for.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),     // this network (RFC 1122)
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT (RFC 6598)
	netip.MustParsePrefix("192.0.0.0/24"),  // protocol assignments (RFC 6890)
	netip.MustParsePrefix("192.0.2.0/24"),  // documentation (RFC 5737), this and the next two
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarks (RFC 2544)
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved, and broadcast
	netip.MustParsePrefix("2001:db8::/32"),  // documentation (RFC 3849)
	netip.MustParsePrefix("100::/64"),       // discard (RFC 6666)
	netip.MustParsePrefix("fec0::/10"),      // site-local, deprecated
	netip.MustParsePrefix("192.88.99.0/24"), // relays of 6to4 (RFC 7526), deprecated
	netip.MustParsePrefix("2001::/23"),      // protocol assignments (RFC 2928): Teredo, benchmarks, ORCHID
	netip.MustParsePrefix("3fff::/20"),      // documentation (RFC 9637)
	netip.MustParsePrefix("5f00::/16"),      // segment routing (RFC 9602)
	netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64 of a network of its own (RFC 8215): where the IPv4 address stands is its secret
}

// Ranges of IPv6 that carry an IPv4 address, and where in the 16 bytes it stands.
var embedded = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible, deprecated
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated (RFC 2765), deprecated
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

// Refuses says whether the host of a URL is written as an address that may not be reached. Names are not refused: what they
// resolve to is judged on every connect.
func (g *Guard) Refuses(host string) bool {
	a, ok := literal(host)
	return ok && !g.Permits(a)
}

// literal reads a host as generously as any resolver might: with full-width digits and dots, which IDNA maps to plain ones,
// a dot at the end, and the forms of inet_aton: 127.1, 2130706433, 0x7f.0.0.1, 0177.0.0.1.
func literal(host string) (netip.Addr, bool) {
	if mapped, err := idna.Lookup.ToASCII(host); err == nil {
		host = mapped
	}
	host = strings.TrimSuffix(host, ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return a, true
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var all uint64
	for i, part := range parts {
		bits := 8 // a part is a byte, but the last fills what is left
		if i == len(parts)-1 {
			bits = 8 * (4 - i)
		}
		base, digits := 10, part
		switch {
		case strings.HasPrefix(strings.ToLower(part), "0x"):
			base, digits = 16, part[2:]
		case len(part) > 1 && part[0] == '0':
			base, digits = 8, part[1:]
		}
		n, err := strconv.ParseUint(digits, base, bits)
		if err != nil && base == 8 { // 010 is 8 to one resolver and 10 to another; 08 can only be the latter
			n, err = strconv.ParseUint(digits, 10, bits)
		}
		if err != nil {
			return netip.Addr{}, false
		}
		all = all<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(all >> 24), byte(all >> 16), byte(all >> 8), byte(all)}), true
}

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
