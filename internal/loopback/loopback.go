// Package loopback finds addresses for servers of tests, of the benchmark and of the crash campaign.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// FreeAddress is a loopback address on which nobody listens now, below the range that the kernel hands out, so that no
// other socket takes the port before, or between two lives of, the server it is for. Safe for concurrent use; two
// callers may be given the same address.
func FreeAddress(ctx context.Context) (string, error) {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 18000+rand.N(12000))
		if l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port between 18000 and 30000")
}
