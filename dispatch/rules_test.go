package dispatch

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
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
		{500, "-5", false, Retry, 0}, {502, "soon", false, Retry, 0}, {599, "", false, Retry, 0},
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

func TestGuardRefusesWhatIsNotPublic(t *testing.T) {
	guard := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "10.1.2.3": true, "::ffff:10.1.2.3": true,
		"127.0.0.1": false, "127.255.255.254": false, "::1": false, "0.0.0.0": false, "::": false, "10.2.0.1": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "fe80::1": false,
		"fe80::1%eth0": false, "fd00:ec2::254": false, "100.64.0.1": false, "224.0.0.1": false, "ff02::1": false,
		"255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "192.0.0.8": false, "::ffff:127.0.0.1": false,
		"::ffff:169.254.169.254": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b::5db8:d822": true,
		"2002:7f00:1::": false, "2002:c0a8:101::": false, "::127.0.0.1": false, "fec0::1": false, "192.0.2.1": false,
		"2001:db8::1": false, "0.1.2.3": false,
	} {
		if got := guard.Permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("Permits(%s) = %v, want %v", address, got, want)
		}
	}
}

func TestGuardHoldsAtConnectTime(t *testing.T) {
	r := newReceiver(t, nil)
	_, err := (&Guard{}).Client().Get(r.URL)
	if err == nil || !errors.Is(plain(err), errEgress) {
		t.Errorf("Get of a loopback URL = %v, want the guard's refusal", err)
	}
	if len(r.got()) != 0 {
		t.Error("the request arrived all the same")
	}
}

// The receiver cannot send the hub elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	second := newReceiver(t, nil)
	first := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) {
		return http.StatusTemporaryRedirect, map[string]string{"Location": second.URL}, ""
	})
	res, err := (&Guard{Allow: loopback}).Client().Post(first.URL, "application/json", strings.NewReader(`{"messages":{"message":[{}]}}`))
	if err != nil || res.StatusCode != http.StatusTemporaryRedirect || len(second.got()) != 0 {
		t.Errorf("redirect = %v, %v", res, err)
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
