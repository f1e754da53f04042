package ws

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who connects has five seconds to say so.
func TestConnectComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPiped(nil)
		begun := time.Now()
		_, p := s.open(t)
		<-p.closed
		if waited := time.Since(begun); p.code != closeProtocol.Code || waited != connectTimeout {
			t.Errorf("who says nothing is closed with %d %q after %v, want 4400 after 5 s", p.code, p.reason, waited)
		}
		s.Drain(t.Context())
	})
}

// A client that is silent is closed within a heartbeat of 45 seconds, with a code that says "come back"; one that answers heartbeats stays.
func TestSilentClientsAreClosed(t *testing.T) {
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newPiped(nil)
			_, p := s.connect(t)
			begun := time.Now()
			beats := 0
			for frame := p.frame(); frame != "" && beats < 30; frame = p.frame() {
				if want := `{"heartbeat":{"last":{}}}`; frame != want {
					t.Errorf("the server says %s, want %s", frame, want)
				}
				if beats++; time.Since(begun) != time.Duration(beats)*20*time.Second {
					t.Errorf("heartbeat %d came after %v", beats, time.Since(begun))
				}
				if answers {
					p.in <- []byte(`{"heartbeat":{}}`)
				}
			}
			switch waited := time.Since(begun); {
			case answers && beats < 30:
				t.Errorf("who answers is closed with %d %q after %v", p.code, p.reason, waited)
			case !answers && (p.code != closeSlow.Code || waited > deadAfter+20*time.Second || waited < deadAfter):
				t.Errorf("who is silent is closed with %d %q after %v", p.code, p.reason, waited)
			}
			p.CloseNow()
			s.Drain(t.Context())
		})
	}
}

// A session is warned a minute before its token ends, and closed when it does.
func TestTokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		s := newPiped(func(c *Config) { c.Tokens = agents{begun.Add(10 * time.Minute)} })
		_, p := s.connect(t)
		var warned time.Duration
		for frame := p.frame(); frame != ""; frame = p.frame() {
			if strings.Contains(frame, `"expiring"`) {
				warned = time.Since(begun)
			}
			if strings.Contains(frame, `"heartbeat"`) {
				p.in <- []byte(`{"heartbeat":{}}`)
			}
		}
		if ended := time.Since(begun); warned != 9*time.Minute || ended != 10*time.Minute || p.code != closeExpired.Code {
			t.Errorf("warned after %v, closed with %d after %v; want 9 and 10 minutes, and 4410", warned, p.code, ended)
		}
		s.Drain(t.Context())
	})
}

// A server that stops asks each client to come back at another moment, so that the next one is not overrun.
func TestGoodbyesAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPiped(nil)
		const n = 200
		pipes := make([]*pipe, n)
		for i := range pipes {
			_, pipes[i] = s.connect(t)
		}
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			s.Drain(t.Context())
		}()
		moments := map[int64]bool{}
		for _, p := range pipes {
			var said struct{ After int64 }
			if err := json.Unmarshal(objects(t, p.frame())[0]["goodbye"], &said); err != nil {
				t.Fatal(err)
			}
			if said.After < 0 || said.After >= goodbyeSpread.Milliseconds() {
				t.Errorf("goodbye says to come back after %d ms, want less than %v", said.After, goodbyeSpread)
			}
			moments[said.After/300] = true
			if <-p.closed; p.code != closeRestart.Code {
				t.Errorf("a session ends with %d, want 1012", p.code)
			}
		}
		if len(moments) < 8 { // of ten; that two are empty has a chance of 10^-16
			t.Errorf("%d clients come back in %d of ten parts of the time", n, len(moments))
		}
		<-drained
	})
}
