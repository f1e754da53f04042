package dispatch

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"parley/egress"
)

// A receiver that may be given as many attempts at the same time as there can be is not dialled anew for each: every connection is kept.
func TestConnectionsAreKept(t *testing.T) {
	var dialled atomic.Int64
	arrived, answer := make(chan struct{}), make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialled.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	client := newClients(&egress.Guard{Allow: loopback}).common
	defer client.CloseIdleConnections()
	for range 3 {
		var wg sync.WaitGroup
		for range maxIdleAtHost {
			wg.Go(func() {
				req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, s.URL, http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					t.Error(err)
				}
			})
		}
		for range maxIdleAtHost {
			<-arrived
		}
		for range maxIdleAtHost {
			answer <- struct{}{}
		}
		wg.Wait()
	}
	if n := dialled.Load(); n != maxIdleAtHost {
		t.Errorf("%d connections were made for three times %d requests", n, maxIdleAtHost)
	}
}
