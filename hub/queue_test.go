package hub

import (
	"testing"
	"time"
)

func TestEstimateWait(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(seconds ...int) (at []int64) {
		for _, s := range seconds {
			at = append(at, now.Add(-time.Duration(s)*time.Second).UnixMilli())
		}
		return at
	}
	for _, test := range []struct {
		what     string
		position int
		gave     []int64
		want     time.Duration
	}{
		{"nothing is known", 3, nil, 0},
		{"one sample says nothing", 3, ago(10), 0},
		{"one a minute", 1, ago(0, 60, 120), 40 * time.Second},
		{"three places behind that", 3, ago(0, 60, 120), 2 * time.Minute},
		{"nobody was served for an hour", 1, ago(3600, 3660), 30*time.Minute + 30*time.Second},
		{"not in the queue", 0, ago(0, 60), 0},
	} {
		if got := estimateWait(test.position, test.gave, now); got != test.want {
			t.Errorf("%s: estimateWait(%d) = %v, want %v", test.what, test.position, got, test.want)
		}
	}
}
