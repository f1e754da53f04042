package lead_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"parley/lead"
)

// locks are one lock that forgets its holder in time.
type locks struct {
	holder string
	until  time.Time
	asked  int
	away   bool
}

func (l *locks) Lock(_ context.Context, name, token string, ttl time.Duration) (bool, error) {
	l.asked++
	if l.away {
		return false, errors.New("Redis is away")
	}
	if name != "work" {
		return false, errors.New("another lock")
	}
	if l.holder != token && time.Now().Before(l.until) {
		return false, nil
	}
	l.holder, l.until = token, time.Now().Add(ttl)
	return true, nil
}

// One of two leads, and the other one once the first asks no more; while nobody can be asked both do.
func TestOneLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &locks{}
		a, b := lead.New(l, "work", 8*time.Second), lead.New(l, "work", 8*time.Second)
		want := func(when string, of *lead.Lead, mine bool) {
			t.Helper()
			if got := of.Mine(t.Context()); got != mine {
				t.Errorf("%s: leads %t, want %t", when, got, mine)
			}
		}
		want("the first", a, true)
		want("the second", b, false)
		asked := l.asked
		want("at once again", a, true)
		if l.asked != asked {
			t.Error("it asked although it had just done so")
		}
		for range 10 {
			<-time.After(3 * time.Second) // by the clock of the test
			want("as long as it asks", a, true)
			want("so long the second", b, false)
		}
		<-time.After(9 * time.Second)
		want("the second, once the first is silent", b, true)
		want("the first, who comes back", a, false)
		l.away = true
		want("the first, without Redis", a, true)
		<-time.After(9 * time.Second)
		want("the second, without Redis", b, true)
		want("with no locks at all", lead.New(nil, "work", time.Second), true)
	})
}
