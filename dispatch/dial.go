package dispatch

import (
	"context"
	"net"
	"time"
)

// DialContext connects only to what the guard permits, for protocols other than HTTP.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, ControlContext: g.control}
	return dialer.DialContext(ctx, network, address)
}
