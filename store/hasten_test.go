package store_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"parley"
	"parley/store/storetest"
)

// Of what waits for a receiver, what would be tried within the given time is due when that is asked for, and nothing else is: no lane that
// somebody has, that waits for reasons of our own, or whose receiver is another one; and none before its receiver asked for it. Enabling a
// receiver hastens all of it.
func TestHasten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		s := open(t, storetest.Clock(func() time.Time { return now }))
		names := map[int64]string{}
		lane := func(name string, to parley.ApplicationID, wait, asked time.Duration, failed int) *parley.Lane {
			t.Helper()
			step := storetest.Start("")
			step.Conversation.State.Parties[1].Application = to
			won, err := s.Claim(t.Context(), storetest.MustCommit(t, s, step)[0].Wake, time.Hour)
			if err != nil || len(won) != 1 {
				t.Fatal(won, err)
			}
			names[won[0].Key] = name
			if wait > 0 {
				p := parley.Progress{Lane: won[0], Failed: failed, Release: true, Retry: now.Add(wait)}
				if asked > 0 {
					p.Asked = now.Add(asked)
				}
				if _, err := s.Finish(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			return won[0]
		}
		app := storetest.BotApplication
		receiver := lane("a minute", app, time.Minute, 0, 5).Receiver.Key
		lane("five minutes", app, 5*time.Minute, 0, 6)
		lane("ten minutes", app, 10*time.Minute, 0, 7)
		lane("four minutes, asked for two", app, 4*time.Minute, 2*time.Minute, 6)
		lane("one minute, asked for one", app, time.Minute, time.Minute, 6)
		lane("a fault of ours", app, time.Minute, 0, 0)
		lane("somebody's", app, 0, 0, 0)
		other := app
		other[15]++
		lane("another's", other, time.Minute, 0, 5)
		due := func(what string, want ...string) {
			t.Helper()
			all, err := s.Overdue(t.Context(), 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			for _, o := range all {
				got[names[o.Lane]] = true
			}
			if found := slices.Sorted(maps.Keys(got)); !slices.Equal(found, slices.Sorted(slices.Values(want))) {
				t.Errorf("%s: due are %q, want %q", what, found, want)
			}
		}
		due("before")
		if n, err := s.Hasten(t.Context(), receiver, 5*time.Minute); err != nil || n != 3 {
			t.Fatalf("Hasten = %d, %v; want 3", n, err)
		}
		soon := []string{"a minute", "five minutes"}
		due("hastened", soon...)
		if n, err := s.Hasten(t.Context(), receiver, 5*time.Minute); err != nil || n != 0 {
			t.Errorf("Hasten once more = %d, %v; want none", n, err)
		}
		now = now.Add(time.Minute)
		soon = append(soon, "one minute, asked for one", "a fault of ours", "another's")
		due("after a minute", soon...)
		now = now.Add(time.Minute)
		soon = append(soon, "four minutes, asked for two")
		due("after two minutes", soon...)
		if err := s.Disable(t.Context(), receiver, ""); err != nil {
			t.Fatal(err)
		}
		due("enabled", append(soon, "ten minutes")...)
	})
}

// More lanes than fit in one transaction are all hastened, and Well says since when a receiver failed.
func TestHastenIsPaged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		s := open(t, storetest.Clock(func() time.Time { return now }))
		const n = 1100
		steps := make([]*parley.Step, n)
		for i := range steps {
			steps[i] = storetest.Start("")
		}
		var wake []int64
		for _, c := range storetest.MustCommit(t, s, steps...) {
			wake = append(wake, c.Wake...)
		}
		lanes, err := s.Claim(t.Context(), wake, time.Minute)
		if err != nil || len(lanes) != n {
			t.Fatal(len(lanes), err)
		}
		for _, l := range lanes {
			if _, err := s.Finish(t.Context(), parley.Progress{Lane: l, Failed: 5, Release: true, Retry: now.Add(time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
		receiver := lanes[0].Receiver.Key
		if got, err := s.Hasten(t.Context(), receiver, 5*time.Minute); err != nil || got != n {
			t.Errorf("Hasten = %d, %v; want %d", got, err, n)
		}
		if all, err := s.Overdue(t.Context(), 0, 2*n); err != nil || len(all) != n {
			t.Errorf("%d lanes are due, %v; want %d", len(all), err, n)
		}
		for _, since := range []time.Time{now, {}} {
			if !since.IsZero() {
				if _, err := s.Failing(t.Context(), receiver, since); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := s.Well(t.Context(), receiver); err != nil || !got.Equal(since) {
				t.Errorf("Well = %v, %v; want %v", got, err, since)
			}
		}
	})
}
