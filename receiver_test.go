package parley

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Each secret signs for a day after it was replaced, however soon the next one follows; however many follow, few of them do.
func TestSecretsOverlap(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := Signing{Secret: "first"}
	s = s.Renewed("second", at)
	s = s.Renewed("third", at.Add(time.Hour))
	for after, want := range map[time.Duration][]string{
		2 * time.Hour:                {"third", "second", "first"},
		SigningOverlap:               {"third", "second"},
		SigningOverlap + time.Hour:   {"third"},
		SigningOverlap - time.Second: {"third", "second", "first"},
	} {
		if got := s.Active(at.Add(after)); !slices.Equal(got, want) {
			t.Errorf("%v after the first rotation %v sign, want %v", after, got, want)
		}
	}
	if s = s.Renewed("fourth", at.Add(2*SigningOverlap)); !slices.Equal(s.Active(at.Add(2*SigningOverlap)), []string{"fourth", "third"}) {
		t.Errorf("days later %v sign", s.Active(at.Add(2*SigningOverlap)))
	}
	for i := range 100 {
		s = s.Renewed(fmt.Sprint("secret ", i), at.Add(2*SigningOverlap))
	}
	if n := len(s.Active(at.Add(2 * SigningOverlap))); n != 5 {
		t.Errorf("after many rotations %d secrets sign, want 5", n)
	}
}
