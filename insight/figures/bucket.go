package figures

import (
	"sort"
	"time"
)

// A Bucket is the unit of time that figures are told by. Buckets begin where the unit does in UTC (reference/analytics.md 2).
type Bucket string

// The buckets there are.
const (
	Whole Bucket = "" // all of the range is one
	Hour  Bucket = "1h"
	Day   Bucket = "1d"
	Week  Bucket = "1w" // from Monday on
	Month Bucket = "1m"
)

// Least is how long a range has to be at least for the bucket.
func (b Bucket) Least() time.Duration {
	const aDay = 24 * time.Hour
	return map[Bucket]time.Duration{Hour: time.Hour, Day: aDay, Week: 7 * aDay, Month: 28 * aDay}[b]
}

// start is where the bucket begins in which a time is.
func (b Bucket) start(at time.Time) time.Time {
	at = at.UTC()
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	switch b {
	case Hour:
		return at.Truncate(time.Hour)
	case Week:
		return midnight.AddDate(0, 0, -(int(at.Weekday())+6)%7)
	case Month:
		return midnight.AddDate(0, 0, 1-at.Day())
	default:
		return midnight
	}
}

func (b Bucket) next(start time.Time) time.Time {
	switch b {
	case Hour:
		return start.Add(time.Hour)
	case Week:
		return start.AddDate(0, 0, 7)
	case Month:
		return start.AddDate(0, 1, 0)
	default:
		return start.AddDate(0, 0, 1)
	}
}

// Starts are where the buckets of a range begin. The first and the last may be cut by it.
func (b Bucket) Starts(from, until time.Time) (starts []time.Time) {
	if b == Whole {
		return []time.Time{from.UTC().Truncate(time.Second)}
	}
	for at := b.start(from); at.Before(until); at = b.next(at) {
		starts = append(starts, at)
	}
	return starts
}

// place is the bucket in which a time is; starts is not empty.
func place(starts []time.Time, at time.Time) int {
	i := sort.Search(len(starts), func(i int) bool { return starts[i].After(at) })
	return max(i-1, 0)
}
