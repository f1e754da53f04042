package ws

import (
	"encoding/json"
	"testing"

	"parley"
)

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

// Resume positions and pages are the cursors of the protocol: whatever stands in them is read as a position, or refused.
func FuzzPosition(f *testing.F) {
	f.Add([]byte(`{"conversation":"01a202f4-a3e1-7c56-b27b-f6fde27a5e69","after":17}`))
	f.Add([]byte(`{"conversation":"","after":-1}`))
	f.Add([]byte(`{"conversation":7,"after":1e400}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p position
		if err := decode(json.RawMessage(data), &p); err != nil {
			if parley.KindOf(err) != parley.Invalid {
				t.Errorf("decode(%q) = %v, want Invalid", data, err)
			}
			return
		}
		if id, err := parley.ParseID[parley.Conversation](p.Conversation.String()); !p.Conversation.IsZero() && (err != nil || id != p.Conversation) {
			t.Errorf("decode(%q) reads %v, which cannot be written", data, p.Conversation)
		}
	})
}
