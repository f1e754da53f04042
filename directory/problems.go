package directory

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"parley"
	"parley/egress"
)

// problems collects what is wrong; the first is the error, the others its details.
type problems []problem

type problem struct {
	reason     parley.Reason
	field, msg string
}

func (p *problems) add(reason parley.Reason, field, format string, args ...any) {
	*p = append(*p, problem{reason, field, fmt.Sprintf(format, args...)})
}

// err is nil if nothing is wrong.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	e := &parley.Error{Kind: parley.Invalid, Reason: p[0].reason, Field: p[0].field, Msg: p[0].msg}
	for _, more := range p[1:] {
		e.Details = append(e.Details, parley.Detail{Key: more.field, Value: more.msg})
	}
	return e
}

// tokenPath is the part of JSONPath that a token recipe may use: $, .name, ['name'] and [n] (reference section 2).
var tokenPath = regexp.MustCompile(`^\$(\.[A-Za-z_][A-Za-z0-9_-]*|\['[^'\\]+'\]|\["[^"\\]+"\]|\[[0-9]{1,6}\])*$`)

// webAddress says what is wrong with a URL that must be absolute, https unless plain is true or the host is this machine
// (reference section 3), and whose host must not be written as an address that the guard refuses; "" if nothing is.
func webAddress(address string, plain bool, guard *egress.Guard) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return "must be an absolute http or https URL"
	case !connectable(u.Port()):
		return "must have a port from 1 to 65535, or none"
	case u.User != nil:
		return "must not hold a user name: that is what authentications are for"
	case u.Scheme == "http" && !plain && !loopback(u.Hostname()):
		return "must be https: plain http is allowed to this machine only"
	case guard.Refuses(u.Hostname()):
		return "must not be a loopback, private or otherwise not public address, unless --callback-allow lists it"
	}
	return ""
}

func connectable(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") { // RFC 6761 section 6.3
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
