package ws

import "testing"

// Whatever a stranger sends: a frame is taken apart, or the session is closed; nothing panics, and what is taken has one
// operation.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"id":"1","connect":{"token":"x"}}`))
	f.Add([]byte("{\"id\":\"1\",\"ping\":{}}\n{\"heartbeat\":{}}\n"))
	f.Add([]byte(`{"id":1,"post":null}`))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		requests, err := parseFrame(data)
		if err != nil {
			if c := closingOf(err); c.code != closeProtocol || len(c.Error()) > maxCloseReason {
				t.Errorf("parseFrame(%q) = %v", data, err)
			}
			return
		}
		if len(requests) == 0 {
			t.Errorf("parseFrame(%q) is nothing", data)
		}
	})
}
