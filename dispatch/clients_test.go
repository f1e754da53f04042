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

	"parley"

	"parley/egress"
	"parley/ident"
	"parley/store/storetest"
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

// Who tries again connects anew, for what failed may have been a connection that died without a word; what is sent next goes over the one that was
// kept.
func TestRetriesConnectAnew(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	from := make(chan string, 10)
	r := newReceiver(t, func(n int, req *http.Request) (int, map[string]string, string) {
		from <- req.RemoteAddr
		if n == 2 {
			return http.StatusServiceUnavailable, nil, ""
		}
		return http.StatusOK, nil, ""
	})
	application(t, s, app, r.URL, nil)
	d := start(t, s, nil)
	_, wake := says(t, s, 3, app)
	d.Wake(parley.Committed{Wake: wake})
	var came []string
	for range 4 {
		came = append(came, <-from)
	}
	if came[1] != came[0] || came[2] == came[0] || came[3] != came[0] {
		t.Errorf("a message, one that fails, its repeat and the next came from %v; want another connection for the repeat alone", came)
	}
}
