package live

import (
	"time"

	"github.com/alicebob/miniredis/v2"
)

// miniTick is how often miniredis is told that time passed: it expires nothing by itself.
const miniTick = 100 * time.Millisecond

// startMini runs miniredis on a free loopback port.
func startMini() (address string, stop func() error, err error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return "", nil, err
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(miniTick)
		defer tick.Stop()
		last := time.Now()
		for {
			select {
			case now := <-tick.C:
				m.FastForward(now.Sub(last))
				last = now
			case <-done:
				return
			}
		}
	}()
	return m.Addr(), func() error {
		close(done)
		<-gone
		m.Close()
		return nil
	}, nil
}
