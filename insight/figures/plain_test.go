package figures_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
	"parley/insight/figures"
	"parley/store"
	"parley/store/storetest"
)

// A plainVisit is a visit as the reference defines it, made from all messages of a conversation at once.
type plainVisit struct {
	team, bot, version, channel, language, campaign, source string
	times                                                   []time.Time
}

// plain goes through everything that was ever said.
func plain(t *testing.T, w *world) (all []plainVisit) {
	t.Helper()
	for _, k := range w.talks {
		if k.state.Seq == 0 {
			continue
		}
		messages := w.said(k)
		if k.forgotten {
			continue
		}
		splits := k.state.State.Bot.Lasting || strings.EqualFold(k.state.State.ChannelType, "whatsapp")
		over := true
		for _, m := range messages {
			if m.Type == parley.TypeConversationEnd {
				over = true
			}
			if m.Type != parley.TypeText || m.Sender == parley.System || m.Body.Turn != nil {
				continue
			}
			if !over && splits {
				last := slices.MaxFunc(all[len(all)-1].times, time.Time.Compare)
				over = m.Created.Sub(last) > 15*time.Minute
			}
			if over {
				over = false
				v := plainVisit{team: k.state.Tenant.String(), bot: "none", version: "none", channel: cmp.Or(strings.ToLower(k.state.State.ChannelType), "unknown"), language: cmp.Or(k.state.State.Language, "unknown"),
					campaign: cmp.Or(k.state.State.Campaign.ID, "none"), source: cmp.Or(k.state.State.Campaign.Source, "none")}
				if m.Sender == parley.CustomBot || m.To == 0b100 {
					v.bot, v.version = k.state.State.Parties[2].Application.String(), "LIVE"
					if k.state.State.Bot.Test {
						v.version = "DRAFT"
					}
				}
				all = append(all, v)
			}
			v := &all[len(all)-1]
			v.times = append(v.times, m.Created)
		}
	}
	return all
}

func (v *plainVisit) seconds() int64 {
	return int64(slices.MaxFunc(v.times, time.Time.Compare).Sub(v.times[0]) / time.Second)
}

func (v *plainVisit) value(d figures.Dimension) string {
	return map[figures.Dimension]string{figures.ByBot: v.bot, figures.ByVersion: v.version, figures.ByTeam: v.team, figures.ByChannel: v.channel,
		figures.ByLanguage: v.language, figures.ByCampaign: v.campaign, figures.ByCampaignSource: v.source}[d]
}

// among are the visits that a query wants.
func among(all []plainVisit, q figures.Query) (some []plainVisit) {
	for _, v := range all {
		switch primary, _, _ := strings.Cut(v.language, "-"); {
		case v.times[0].Before(q.From) || !v.times[0].Before(q.Until):
		case q.Bot != nil && v.bot != q.Bot.String():
		case q.Version != "" && v.version != q.Version:
		case len(q.Channels) > 0 && !slices.Contains(q.Channels, v.channel):
		case len(q.Languages) > 0 && !slices.Contains(q.Languages, v.language) && !slices.Contains(q.Languages, primary):
		default:
			some = append(some, v)
		}
	}
	return some
}

// plainStarts are the starts of the buckets that a range touches, found by walking through its minutes.
func plainStarts(b figures.Bucket, from, until time.Time) (starts []time.Time) {
	if b == figures.Whole {
		return []time.Time{from.UTC().Truncate(time.Second)}
	}
	for at := from.UTC(); at.Before(until); at = at.Add(time.Minute) {
		if s := plainStart(b, at); len(starts) == 0 || !starts[len(starts)-1].Equal(s) {
			starts = append(starts, s)
		}
	}
	if s := plainStart(b, until.Add(-1)); !starts[len(starts)-1].Equal(s) {
		starts = append(starts, s)
	}
	return starts
}

func plainStart(b figures.Bucket, at time.Time) time.Time {
	at = at.UTC()
	if b == figures.Hour {
		return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), 0, 0, 0, time.UTC)
	}
	d := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	for b == figures.Week && d.Weekday() != time.Monday || b == figures.Month && d.Day() != 1 {
		d = d.AddDate(0, 0, -1)
	}
	return d
}

func halfUp(sum int64, n int) int64 {
	if n == 0 {
		return 0
	}
	mean := sum / int64(n)
	if 2*(sum%int64(n)) >= int64(n) {
		mean++
	}
	return mean
}

func plainSerie(name string, labels map[string]string, values []int64) figures.Serie {
	s := figures.Serie{Name: name, Labels: labels, Values: values, Max: values[0], Min: values[0]}
	for _, v := range values {
		s.Sum, s.Max, s.Min = s.Sum+v, max(s.Max, v), min(s.Min, v)
	}
	s.Mean = halfUp(s.Sum, len(values))
	return s
}

func plainConversations(all []plainVisit, q figures.Query) figures.Series {
	out := figures.Series{Starts: plainStarts(q.Bucket, q.From, q.Until)}
	groups := map[string][]plainVisit{}
	if len(q.GroupBy) == 0 {
		groups["conversations"] = nil
	}
	for _, v := range among(all, q) {
		var values []string
		for _, d := range q.GroupBy {
			values = append(values, v.value(d))
		}
		name := strings.Join(values, ",")
		if len(q.GroupBy) == 0 {
			name = "conversations"
		}
		groups[name] = append(groups[name], v)
	}
	for name, visits := range groups {
		labels := map[string]string{}
		for _, d := range q.GroupBy {
			labels[string(d)] = visits[0].value(d)
		}
		values := make([]int64, len(out.Starts))
		for _, v := range visits {
			i := 0
			if q.Bucket != figures.Whole {
				i = slices.IndexFunc(out.Starts, func(s time.Time) bool { return s.Equal(plainStart(q.Bucket, v.times[0])) })
			}
			values[i]++
		}
		out.Series = append(out.Series, plainSerie(name, labels, values))
	}
	slices.SortFunc(out.Series, func(a, b figures.Serie) int {
		return cmp.Or(cmp.Compare(b.Sum, a.Sum), strings.Compare(a.Name, b.Name))
	})
	return out
}

func plainInsights(all []plainVisit, q figures.Query, stat figures.Stat) figures.Series {
	q.Bucket, q.GroupBy = figures.Day, nil
	if stat == figures.StatConversations {
		out := plainConversations(all, q)
		out.Series[0].Name = string(stat)
		return out
	}
	out := figures.Series{Starts: plainStarts(figures.Day, q.From, q.Until)}
	line := figures.Serie{Name: string(stat), Labels: map[string]string{}, Values: make([]int64, len(out.Starts))}
	sums, counts, n := make([]int64, len(out.Starts)), make([]int, len(out.Starts)), 0
	for _, v := range among(all, q) {
		value := int64(len(v.times))
		if stat == figures.StatSeconds {
			value = v.seconds()
		}
		i := slices.IndexFunc(out.Starts, func(s time.Time) bool { return s.Equal(plainStart(figures.Day, v.times[0])) })
		sums[i] += value
		counts[i]++
		if n == 0 {
			line.Min, line.Max = value, value
		}
		n++
		line.Sum, line.Min, line.Max = line.Sum+value, min(line.Min, value), max(line.Max, value)
	}
	for i := range sums {
		line.Values[i] = halfUp(sums[i], counts[i])
	}
	line.Mean = halfUp(line.Sum, n)
	out.Series = []figures.Serie{line}
	return out
}

func drawQuery(r *rapid.T, w *world) figures.Query {
	q := figures.Query{Tenant: w.tenant.ID, Version: rapid.SampledFrom([]string{"", "LIVE", "DRAFT"}).Draw(r, "version")}
	if i := rapid.IntRange(-1, 1).Draw(r, "of bot"); i >= 0 {
		q.Bot = &w.bots[i]
	}
	if rapid.Bool().Draw(r, "by channel") {
		q.Channels = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"web_chat", "whatsapp", "unknown", "fax"}), rapid.ID).Draw(r, "channels")
	}
	if rapid.Bool().Draw(r, "by language") {
		q.Languages = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"en", "en-US", "de", "unknown"}), rapid.ID).Draw(r, "languages")
	}
	span := w.now.Sub(dawn)/time.Millisecond + 1
	edge := func(name string) time.Time {
		at := dawn.Add(time.Duration(rapid.Int64Range(-100_000, int64(span)).Draw(r, name)) * time.Millisecond)
		return at.Truncate(rapid.SampledFrom([]time.Duration{time.Microsecond, time.Minute, time.Hour, 24 * time.Hour}).Draw(r, name+" to the"))
	}
	q.From, q.Until = edge("from"), edge("until")
	if q.Until.Before(q.From) {
		q.From, q.Until = q.Until, q.From
	}
	if q.From.Equal(q.Until) {
		q.Until = q.Until.Add(time.Hour)
	}
	if rapid.Bool().Draw(r, "all of it") {
		q.From, q.Until = dawn.Add(-time.Hour), w.now.Add(25*time.Hour)
	}
	q.Bucket = rapid.SampledFrom([]figures.Bucket{figures.Whole, figures.Hour, figures.Day, figures.Week, figures.Month}).Draw(r, "bucket")
	q.GroupBy = rapid.SliceOfNDistinct(rapid.SampledFrom([]figures.Dimension{figures.ByBot, figures.ByVersion, figures.ByTeam, figures.ByChannel, figures.ByLanguage,
		figures.ByCampaign, figures.ByCampaignSource}), 0, 3, rapid.ID).Draw(r, "group by")
	return q
}

// Whatever happens, and however counting is interrupted, the figures are those that a look at everything that was said gives.
func TestFiguresAreWhatWasSaid(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		g, enough := newGround(t, open), enough(t)
		rapid.Check(t, func(r *rapid.T) {
			if enough() {
				return
			}
			w := g.world(t)
			w.lives(r, rapid.IntRange(20, 60).Draw(r, "steps"))
			w.count()
			all := plain(t, w)
			s := figures.Statistics{Record: w.store}
			compare := func(when string) {
				for range 6 {
					q := drawQuery(r, w)
					got, err := s.Conversations(t.Context(), q)
					if diff := gocmp.Diff(plainConversations(all, q), got); err != nil || diff != "" {
						r.Fatalf("%s: Conversations(%s), %v (-want +got):\n%s", when, show(q), err, diff)
					}
					stat := rapid.SampledFrom([]figures.Stat{figures.StatConversations, figures.StatSeconds, figures.StatMessages}).Draw(r, "stat")
					got, err = s.Insights(t.Context(), q, stat)
					if diff := gocmp.Diff(plainInsights(all, q, stat), got); err != nil || diff != "" {
						r.Fatalf("%s: Insights(%s, %s), %v (-want +got):\n%s", when, show(q), stat, err, diff)
					}
				}
			}
			compare("as it came")
			if rapid.IntRange(0, 7).Draw(r, "rebuild") == 0 { // which counts the worlds before, too
				if _, err := figures.Rebuild(t.Context(), w.store, w.now); err != nil {
					r.Fatalf("Rebuild = %v", err)
				}
				w.count()
				compare("rebuilt")
			}
		})
	})
}

func show(q figures.Query) string { return fmt.Sprintf("%+v", q) }
