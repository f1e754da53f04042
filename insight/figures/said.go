package figures

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// whoSaid are the senders that are told apart, in the order of [parley.Cell.Said].
var whoSaid = [3]string{"user", "bot", "agent"}

// wholeHours widens the range to whole hours: messages are counted by the hour in which they were said.
func (q *Query) wholeHours() {
	q.From, q.Until = q.From.UTC().Truncate(time.Hour), up(q.Until, time.Hour)
}

// Messages are how many were said in each bucket, by the customer, by bots and by agents: whenever their conversations began. The hours
// in which the range begins and ends count as a whole.
func (s *Statistics) Messages(ctx context.Context, q Query) (Series, error) {
	out := Series{Starts: q.Bucket.Starts(q.From, q.Until)}
	q.wholeHours()
	for _, who := range whoSaid {
		out.Series = append(out.Series, Serie{Name: who, Labels: map[string]string{"sender": who}, Values: make([]int64, len(out.Starts))})
	}
	err := s.cover(ctx, &q, false, func(c *slice) error {
		for i, n := range c.Said {
			out.Series[i].Values[place(out.Starts, c.at)] += n
		}
		return nil
	})
	for i := range out.Series {
		out.Series[i].sum()
	}
	return out, err
}

// Users are how many different customers began conversations in each bucket. Customers of whom nobody knows who they are do not count.
func (s *Statistics) Users(ctx context.Context, q Query) (Series, error) {
	out := Series{Starts: q.Bucket.Starts(q.From, q.Until)}
	people := make([]Distinct, len(out.Starts))
	err := s.cover(ctx, &q, true, func(c *slice) error { return people[place(out.Starts, c.at)].merge(&c.totals.People) })
	line := Serie{Name: "users", Labels: map[string]string{}, Values: make([]int64, len(out.Starts))}
	for i := range people {
		line.Values[i] = people[i].Count()
	}
	line.sum()
	out.Series = []Serie{line}
	return out, err
}

// Activity is how many messages customers said by the hour of the day, a line for each day of the week from Monday on, in UTC.
func (s *Statistics) Activity(ctx context.Context, q Query) ([]Serie, error) {
	var lines []Serie
	for i := range 7 {
		name := time.Weekday((i + 1) % 7).String()
		lines = append(lines, Serie{Name: name, Labels: map[string]string{"weekday": name}, Values: make([]int64, 24)})
	}
	q.Bucket = Hour
	q.wholeHours()
	err := s.cover(ctx, &q, false, func(c *slice) error {
		lines[(int(c.at.Weekday())+6)%7].Values[c.at.Hour()] += c.Said[0]
		return nil
	})
	for i := range lines {
		lines[i].sum()
	}
	return lines, err
}

// Totals are what the visits of a query add up to, with their count.
func (s *Statistics) Totals(ctx context.Context, q Query) (t Totals, c parley.Count, err error) {
	err = s.cover(ctx, &q, true, func(one *slice) error {
		mergeCount(&c, &one.Count)
		return t.Merge(one.totals)
	})
	return t, c, err
}

// Intents are how often intents were understood in each bucket in which the conversations began, a line each, the most frequent first.
func (s *Statistics) Intents(ctx context.Context, q Query) (Series, error) {
	out := Series{Starts: q.Bucket.Starts(q.From, q.Until)}
	lines := map[string]*Serie{}
	err := s.cover(ctx, &q, true, func(c *slice) error {
		for name, n := range c.totals.Intents {
			line := lines[name]
			if line == nil {
				line = &Serie{Name: name, Labels: map[string]string{"intent_id": name}, Values: make([]int64, len(out.Starts))}
				lines[name] = line
			}
			line.Values[place(out.Starts, c.at)] += n
		}
		return nil
	})
	out.add(lines)
	return out, err
}

// each calls fn for every visit of a query.
func (s *Statistics) each(ctx context.Context, q *Query, fn func(*parley.Visit) error) error {
	return s.Record.View(ctx, func(tx parley.Tx) error {
		known, err := wanted(ctx, tx, q)
		if err != nil || len(known) == 0 {
			return err
		}
		if err := tx.EachVisit(ctx, keysOfDimensions(known), up(q.From, time.Millisecond), up(q.Until, time.Millisecond), fn); err != nil {
			return fmt.Errorf("look at visits: %w", err)
		}
		return nil
	})
}

// ByBot are what the visits of each bot add up to. Those of no bot are left out.
func (s *Statistics) ByBot(ctx context.Context, q Query) (map[parley.ApplicationID]*Totals, error) {
	all := map[parley.ApplicationID]*Totals{}
	err := s.cover(ctx, &q, true, func(c *slice) error {
		bot := c.dimensions.Bot
		if bot.IsZero() {
			return nil
		}
		if all[bot] == nil {
			all[bot] = &Totals{}
		}
		return all[bot].Merge(c.totals)
	})
	return all, err
}
