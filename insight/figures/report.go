package figures

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"parley"
)

// A ReportQuery says what a report is about. Its buckets are those of a time zone.
type ReportQuery struct {
	Query  // Bucket and GroupBy do not count
	Zone   *time.Location
	Unit   Unit
	Before bool // the period before is told, too
}

// A Unit is what a report is told by.
type Unit string

// The units there are. Those from a day on begin when they do in the report's time zone.
const (
	UnitNone  Unit = "none"
	UnitHour  Unit = "hour"
	UnitDay   Unit = "day"
	UnitWeek  Unit = "week" // from Monday on
	UnitMonth Unit = "month"
)

// MaxLines bounds the lines of a report.
const MaxLines = 800

// A Report is figures of a period.
type Report struct {
	Total  Line
	Before *Line // of the period before, of the same length; nil = it was not asked for
	Lines  []Line
}

// A Line is the figures of some time.
type Line struct {
	From, Until time.Time
	Count       parley.Count
	Totals      Totals
	NewUsers    int64 // whose first visit ever it is; of lines of the whole period only
}

// Report tells figures of a period, and of its parts. Invalid if there are more than [MaxLines].
func (s *Statistics) Report(ctx context.Context, q ReportQuery) (r Report, err error) {
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	starts := q.starts()
	if len(starts) > MaxLines {
		return r, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "bucket", Msg: fmt.Sprintf("the report would have %d lines; at most %d: take a longer bucket or a shorter period", len(starts), MaxLines)}
	}
	if r.Total, err = s.line(ctx, q.Query, q.From, q.Until, true); err != nil {
		return r, err
	}
	for i, from := range starts {
		until := q.Until
		if i+1 < len(starts) {
			until = starts[i+1]
		}
		line, err := s.line(ctx, q.Query, maxTime(from, q.From), until, false)
		if err != nil {
			return r, err
		}
		line.From = from.In(q.Zone)
		r.Lines = append(r.Lines, line)
	}
	if q.Before {
		from, until := q.before()
		line, err := s.line(ctx, q.Query, from, until, true)
		if err != nil {
			return r, err
		}
		r.Before = &line
	}
	return r, nil
}

// line is the figures of some time.
func (s *Statistics) line(ctx context.Context, q Query, from, until time.Time, whole bool) (Line, error) {
	q.From, q.Until = from, until
	l := Line{From: from, Until: until}
	var err error
	if l.Totals, l.Count, err = s.Totals(ctx, q); err != nil || !whole {
		return l, err
	}
	l.NewUsers, err = s.newUsers(ctx, q)
	return l, err
}

// newUsers are the customers whose first visit ever is in the range.
func (s *Statistics) newUsers(ctx context.Context, q Query) (n int64, err error) {
	err = s.Record.View(ctx, func(tx parley.Tx) error {
		known, err := wanted(ctx, tx, &q)
		if err != nil || len(known) == 0 {
			return err
		}
		n, err = tx.NewPeople(ctx, keysOfDimensions(known), up(q.From, time.Millisecond), up(q.Until, time.Millisecond))
		return err
	})
	return n, err
}

// starts are where the lines begin, none without a unit.
func (q *ReportQuery) starts() (starts []time.Time) {
	if q.Unit == UnitNone || q.Unit == "" {
		return nil
	}
	for at := q.start(q.From.In(q.Zone)); at.Before(q.Until); at = q.next(at) {
		starts = append(starts, at)
		if len(starts) > 10*MaxLines {
			return starts // more than enough to refuse it
		}
	}
	return starts
}

func (q *ReportQuery) start(at time.Time) time.Time {
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, q.Zone)
	switch q.Unit {
	case UnitHour:
		// By the clock on the wall; an offset may have minutes.
		return at.Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
	case UnitWeek:
		return midnight.AddDate(0, 0, -(int(at.Weekday())+6)%7)
	case UnitMonth:
		return midnight.AddDate(0, 0, 1-at.Day())
	default:
		return midnight
	}
}

func (q *ReportQuery) next(at time.Time) time.Time {
	switch q.Unit {
	case UnitHour:
		return at.Add(time.Hour)
	case UnitWeek:
		return at.AddDate(0, 0, 7)
	case UnitMonth:
		return at.AddDate(0, 1, 0)
	default:
		return at.AddDate(0, 0, 1)
	}
}

// before is the period before, of as many days if it is made of whole ones, so that the change of the clocks does not matter.
func (q *ReportQuery) before() (from, until time.Time) {
	midnight := func(at time.Time) bool {
		at = at.In(q.Zone)
		return at.Hour() == 0 && at.Minute() == 0 && at.Second() == 0 && at.Nanosecond() == 0
	}
	if !midnight(q.From) || !midnight(q.Until) {
		return q.From.Add(q.From.Sub(q.Until)), q.From
	}
	from, until = q.From.In(q.Zone), q.Until.In(q.Zone)
	days := int(time.Date(until.Year(), until.Month(), until.Day(), 0, 0, 0, 0, time.UTC).Sub(time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)) / (24 * time.Hour))
	return from.AddDate(0, 0, -days), from
}

// Busy is how many conversations began by weekday, from Monday on, and hour of the day in a time zone.
func (s *Statistics) Busy(ctx context.Context, q ReportQuery) (busy [7][24]int64, err error) {
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	of := q.Query
	of.Bucket = Hour
	note := func(at time.Time, n int64) {
		at = at.In(q.Zone)
		busy[(int(at.Weekday())+6)%7][at.Hour()] += n
	}
	err = s.cover(ctx, &of, true, func(c *slice) error {
		if c.single {
			note(c.at, c.Visits)
			return nil
		}
		for i, n := range c.totals.Quarters {
			note(c.at.Add(time.Duration(i)*15*time.Minute), n)
		}
		return nil
	})
	return busy, err
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rate is a part of a whole; nil if there is no whole.
func rate(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	r := float64(part) / float64(whole)
	return &r
}

// Rates are those of a line (reference/analytics.md 10); nil where there is nothing to be a part of.
type Rates struct {
	Containment    *float64 // engaged and ended without people / engaged and ended
	Escalation     *float64 // handed over / engaged
	Abandonment    *float64 // left before an agent wrote / handed over
	Resolution     *float64 // ended by bot or agent / ended
	NotUnderstood  *float64 // fallback turns / turns
	Satisfaction   *float64 // surveys with 4 or 5 / answered ones
	SurveyMean     *float64 // of answered ones, 1 to 5
	SurveyResponse *float64 // answered / shown
}

// Rates are those of the line.
func (l *Line) Rates() Rates {
	t := &l.Totals
	return Rates{Containment: rate(t.Contained, t.EngagedEnded), Escalation: rate(t.EngagedHandedOver, t.Engaged), Abandonment: rate(t.Abandoned, t.HandedOver),
		Resolution: rate(t.Resolved, t.Ended), NotUnderstood: rate(t.Missed, t.Turns), Satisfaction: rate(t.Satisfied, t.Rated), SurveyMean: rate(t.RatedSum, t.Rated),
		SurveyResponse: rate(t.Rated, t.Asked)}
}

// A StepLine is what became of conversations in one dialog.
type StepLine struct {
	Step     string
	Entries  int64 // conversations came to it so often
	Dropoffs int64 // customers fell silent there
}

// Steps are the dialogs that conversations came by, the most frequent first.
func (t *Totals) Steps() []StepLine {
	at := map[string]*StepLine{}
	line := func(id string) *StepLine {
		if at[id] == nil {
			at[id] = &StepLine{Step: id}
		}
		return at[id]
	}
	for e, n := range t.Edges {
		if e.To.Type == parley.PlaceDialog {
			line(e.To.ID).Entries += n
		}
		if e.To.Type == parley.PlaceDropoff && e.From.Type == parley.PlaceDialog {
			line(e.From.ID).Dropoffs += n
		}
	}
	lines := make([]StepLine, 0, len(at))
	for _, l := range at {
		lines = append(lines, *l)
	}
	slices.SortFunc(lines, func(a, b StepLine) int { return cmp.Or(cmp.Compare(b.Entries, a.Entries), cmp.Compare(a.Step, b.Step)) })
	return lines
}
