package broker

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"parley"
)

// Every kind of error of the layers below has its answer, and our own failures tell nothing.
func TestEveryKindHasItsStatus(t *testing.T) {
	want := map[parley.Kind]string{parley.Internal: "500 INTERNAL", parley.Invalid: "422 INVALID_VALUE", parley.Unauthenticated: "401 UNAUTHORIZED", parley.Forbidden: "403 FORBIDDEN", parley.NotFound: "404 NOT_FOUND",
		parley.Conflict: "409 TURN_IN_PROGRESS", parley.Closed: "409 SESSION_EXPIRED", parley.Busy: "429 RATE_LIMITED"}
	for _, kind := range parley.Kinds() {
		p := problemOf(fmt.Errorf("post: %w", &parley.Error{Kind: kind, Field: "text", Msg: "is planted", Err: errors.New("planted in SQL")}))
		if got := fmt.Sprint(p.Status, " ", p.Code); got != want[kind] || p.Title != http.StatusText(p.Status) || p.Message == "" || strings.Contains(p.Message, "SQL") {
			t.Errorf("%s is %s %+v, want %s", kind, got, p, want[kind])
		}
		if (p.Status == http.StatusTooManyRequests) != (p.retryAfter > 0) {
			t.Errorf("%s says to come again after %s", kind, p.retryAfter)
		}
	}
	if p := problemOf(errors.New("planted")); p.Status != 500 || strings.Contains(p.Message, "planted") {
		t.Errorf("an unknown error is %+v", p)
	}
}

// Every reason for which a turn can fail has its status, and none of them is one that connectors repeat by themselves (reference 11).
func TestEveryFailureHasItsStatus(t *testing.T) {
	want := map[parley.TurnFailure]int{parley.FailureBot: 460, parley.FailureDeadline: 460, parley.FailureBotSettings: 461, parley.FailureModel: 462, parley.FailureModelRefuses: 463, parley.FailureInternal: 500, "": 500}
	for why, status := range want {
		p := failed(&parley.Turn{Status: parley.TurnFailed, Failure: why, Problem: "why"})
		if p.Status != status || p.Title == "" || p.Message == "" {
			t.Errorf("%q is %+v, want %d", why, p, status)
		}
		if with := p.at("code").SessionCode; with != "code" {
			t.Errorf("%q in a session that is of use tells the code %q", why, with)
		}
	}
	for _, p := range []*problem{errExpired, errSession, errInProgress, errKey, errForeign, errEmpty} {
		if p.at("code").SessionCode != "" {
			t.Errorf("%v tells the code of a session", p)
		}
	}
}
