package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"parley"
	"parley/insight/figures"
)

// figureAsks is how often each operation is asked, and figureScans how often the baseline, which is slow.
const figureAsks, figureScans = 60, 1

// A FiguresRecord is a record with conversations of the store's FillVisits.
type FiguresRecord interface {
	figures.Record
	ScanConversations(ctx context.Context, tenant parley.TenantID, from, until time.Time) (days int, err error)
}

// A figuresFigure is what the process that has the store reports.
type figuresFigure struct {
	Name, Side, Unit string
	Value            float64
}

// analytics measures how fast figures are counted from the record, and read again beside a plain query over the messages.
func analytics(ctx context.Context, o Options, t Target, report *Report) error {
	if o.Visits == 0 {
		return nil
	}
	return inRecord(ctx, o, t, []string{"--count-figures", strconv.Itoa(o.Visits)}, func(line []byte) error {
		var f figuresFigure
		if err := json.Unmarshal(line, &f); err != nil {
			return fmt.Errorf("%w: %s", err, line)
		}
		report.note(t, fmt.Sprintf("%d conversations, %s", o.Visits, f.Name), f.Side, f.Unit, f.Value)
		return nil
	})
}

// feeding is what detection and counting cost those who post: a hub that does both beside one that does neither, each on a record of its own.
// Two hubs on one PostgreSQL would count each other's, so it is measured on SQLite only.
func feeding(ctx context.Context, o Options, t Target, report *Report) error {
	if t.Database != "" {
		return nil
	}
	var st stage
	defer st.close()
	if err := st.addHubAs(ctx, alone, t, o.Pairs, texts, "--roles", "api,ws,dispatch"); err != nil {
		return err
	}
	if err := st.addHub(ctx, t, o.Pairs, texts); err != nil {
		return err
	}
	return st.compare(ctx, o, t, report, "durable 1:1, 8 in flight, detected and counted", st.sides, 8)
}

// alone is a hub that looks at nothing that is said.
const alone = "hub that looks at nothing"

// MeasureFigures counts so many messages of a record, then asks every operation some times over, and writes what it took, a line for
// each figure, for the process that asked. Conversations are of bot.
func MeasureFigures(ctx context.Context, record FiguresRecord, bot parley.ApplicationID, messages, repeats int, w io.Writer) error {
	out := json.NewEncoder(w)
	counter := figures.NewCounter(figures.Config{Record: record})
	began := time.Now()
	for more := true; more; {
		var err error
		if more, err = counter.Round(ctx); err != nil {
			return err
		}
	}
	if err := out.Encode(figuresFigure{"counted from the record", "hub", "messages/s", float64(messages) / time.Since(began).Seconds()}); err != nil {
		return err
	}
	s := figures.Statistics{Record: record}
	for range repeats {
		for _, days := range []int{31, 731} {
			until := time.Now().UTC()
			from := until.Add(-time.Duration(days) * 24 * time.Hour)
			for _, ask := range figureQuestions(&s, bot, from, until, days) {
				took := make([]time.Duration, figureAsks)
				for i := range took {
					start := time.Now()
					if err := ask.do(ctx); err != nil {
						return fmt.Errorf("%s: %w", ask.name, err)
					}
					took[i] = time.Since(start)
				}
				slices.Sort(took)
				for unit, at := range map[string]float64{"p50 ms": 0.5, "p95 ms": 0.95} {
					if err := out.Encode(figuresFigure{fmt.Sprintf("%s, %d days", ask.name, days), "hub", unit, milliseconds(percentile(took, at))}); err != nil {
						return err
					}
				}
			}
			for range figureScans {
				start := time.Now()
				if _, err := record.ScanConversations(ctx, parley.DefaultTenant, from, until); err != nil {
					return err
				}
				if err := out.Encode(figuresFigure{fmt.Sprintf("conversations by day, %d days", days), "scan", "p50 ms", milliseconds(time.Since(start))}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// A question is an operation with its parameters.
type question struct {
	name string
	do   func(context.Context) error
}

func figureQuestions(s *figures.Statistics, bot parley.ApplicationID, from, until time.Time, days int) []question {
	of := figures.Query{Tenant: parley.DefaultTenant, Bot: &bot, Version: parley.VersionLive, From: from, Until: until}
	series := func(name string, change func(*figures.Query)) question {
		return question{name, func(ctx context.Context) error {
			q := of
			change(&q)
			_, err := s.Conversations(ctx, q)
			return err
		}}
	}
	insights := func(stat figures.Stat) question {
		return question{"insights of " + string(stat), func(ctx context.Context) error {
			_, err := s.Insights(ctx, of, stat)
			return err
		}}
	}
	all := []question{
		series("conversations by day", func(q *figures.Query) { q.Bucket = figures.Day }),
		series("conversations by week and channel", func(q *figures.Query) { q.Bucket, q.GroupBy = figures.Week, []figures.Dimension{figures.ByChannel} }),
		insights(figures.StatConversations), insights(figures.StatMessages), insights(figures.StatSeconds),
		series("usage of a team by day", func(q *figures.Query) { q.Bot, q.Version, q.Bucket = nil, "", figures.Day }),
		series("usage of a team by day and all dimensions", func(q *figures.Query) {
			q.Bot, q.Version, q.Bucket = nil, "", figures.Day
			q.GroupBy = []figures.Dimension{figures.ByBot, figures.ByVersion, figures.ByTeam, figures.ByChannel, figures.ByLanguage, figures.ByCampaign, figures.ByCampaignSource}
		}),
		{"flow of a conversation", func(ctx context.Context) error {
			_, err := s.Flow(ctx, of, parley.ConversationID{0: 0xF1, 6: 0x70, 15: 1}, "")
			if parley.KindOf(err) == parley.NotFound { // it is of another bot, or began before the range: that was to be found out, too
				return nil
			}
			return err
		}},
	}
	if days <= 31 {
		all = append(all, series("conversations by hour", func(q *figures.Query) { q.Bucket = figures.Hour }))
	}
	return all
}
