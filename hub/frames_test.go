package hub_test

import (
	"strings"
	"testing"

	"parley"
	"parley/hub"
)

// deaf is live state to which nothing gets through: this hub does not run, and sends no hints.
type deaf struct{ parley.Live }

// Frames for sessions of other nodes wait in a bounded number, which leaves room for what nodes tell each other; a hub that is alone
// knows that there is nobody to take them.
func TestForwardedFramesAreBounded(t *testing.T) {
	alone := hub.New(hub.Config{})
	if err := alone.ForwardFrame("n.s", "{}"); parley.KindOf(err) != parley.NotFound {
		t.Errorf("without other nodes = %v, want NotFound", err)
	}
	h := hub.New(hub.Config{Live: deaf{}})
	frame := strings.Repeat(" ", 256<<10)
	taken := 0
	for ; taken < 10_000; taken++ {
		if err := h.ForwardFrame("n.s", frame); err != nil {
			if parley.KindOf(err) != parley.Busy {
				t.Errorf("too many frames = %v, want Busy", err)
			}
			break
		}
	}
	if taken < 64 || taken > 512 {
		t.Errorf("%d frames of 256 KiB wait", taken)
	}
}
