package dispatch

import (
	"math"
	"net/http"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		status    int
		after     string
		renewable bool
		want      Outcome
		wait      time.Duration
	}{
		{200, "", false, Delivered, 0}, {204, "", false, Delivered, 0}, {299, "", false, Delivered, 0},
		{301, "", false, Rejected, 0}, {307, "", false, Rejected, 0}, {400, "", false, Rejected, 0}, {404, "", false, Rejected, 0},
		{401, "", false, Rejected, 0}, {401, "", true, Retry, 0}, {403, "", true, Rejected, 0}, {410, "", false, Gone, 0},
		{408, "", false, Retry, 0}, {425, "", false, Retry, 0}, {429, "30", false, Retry, 30 * time.Second},
		{429, "Sun, 01 Mar 2026 12:01:00 GMT", false, Retry, time.Minute}, {503, "Sun, 01 Mar 2026 11:00:00 GMT", false, Retry, 0},
		{429, "99999999999999999999", false, Retry, math.MaxInt32 * time.Second}, {429, "-99999999999999999999", false, Retry, 0},
		{429, "1.5", false, Retry, 0}, {429, "30, 60", false, Retry, 0}, {429, "Fri, 31 Dec 9999 23:59:59 GMT", false, Retry, math.MaxInt64}, {500, "-5", false, Retry, 0}, {502, "soon", false, Retry, 0}, {599, "", false, Retry, 0},
	} {
		got, wait := classify(test.status, http.Header{"Retry-After": {test.after}}, now, test.renewable)
		if got != test.want || wait != test.wait {
			t.Errorf("classify(%d, %q, renewable %v) = %v after %v, want %v after %v", test.status, test.after, test.renewable, got, wait, test.want, test.wait)
		}
	}
}

func TestBackoffFollowsTheSchedule(t *testing.T) {
	for failed := 1; failed <= len(Schedule); failed++ {
		for _, random := range []float64{0, 0.5, 0.999} {
			wait, ok := backoff(Schedule, failed, random, 0)
			if !ok || wait > Schedule[failed-1] || wait != time.Duration(random*float64(Schedule[failed-1])) {
				t.Errorf("backoff after %d failures with %.3f = %v, %v", failed, random, wait, ok)
			}
		}
	}
	if _, ok := backoff(Schedule, len(Schedule)+1, 0, 0); ok {
		t.Error("the schedule has no end")
	}
	if wait, _ := backoff(Schedule, 1, 0, time.Minute); wait != time.Minute {
		t.Errorf("Retry-After of a minute gives %v", wait)
	}
	if wait, _ := backoff(Schedule, 1, 0, 100*time.Hour); wait != maxRetryAfter {
		t.Errorf("Retry-After of 100 hours gives %v, want it bounded", wait)
	}
}

func FuzzPickToken(f *testing.F) {
	f.Add(`{"accessToken":"x"}`, "$.accessToken")
	f.Add(`{"a":[{"b c":"x"}]}`, "$.a[0]['b c']")
	f.Add(`[]`, "$[")
	f.Add(`{"a":1}`, "$..a")
	f.Fuzz(func(t *testing.T, answer, path string) {
		token, err := pickToken([]byte(answer), path)
		if err == nil && (token == "" || len(token) > maxToken) {
			t.Errorf("pickToken(%q, %q) = %q", answer, path, token)
		}
	})
}
