package figures

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"parley"
)

// Statistics answers what was counted. Safe for concurrent use.
type Statistics struct{ Record Record }

// A Query says which visits are wanted. From < Until.
type Query struct {
	Tenant    parley.TenantID
	Bot       *parley.ApplicationID // nil = all, those of no bot too
	Version   string                // "" = all
	Channels  []string              // any of them, in any case; empty = all. Likewise Languages, which match by their first part, too
	Languages []string
	Owners    []parley.OwnerKind // who had the turn at first, any of them; empty = all
	Campaigns []string           // ids, any of them, in any case; "none" for those of no campaign; empty = all
	From      time.Time
	Until     time.Time // excluded
	Bucket    Bucket
	GroupBy   []Dimension
}

// A Dimension is one of those that a series can be told by, in the words of the wire.
type Dimension string

// The dimensions there are.
const (
	ByBot            Dimension = "bot_id"
	ByVersion        Dimension = "bot_version"
	ByTeam           Dimension = "team_id"
	ByChannel        Dimension = "channel_type"
	ByLanguage       Dimension = "language"
	ByCampaign       Dimension = "campaign_id"
	ByCampaignSource Dimension = "campaign_source"
)

// valueOf is the value of a dimension as it is shown (reference/analytics.md 1.2 and 6).
func (d Dimension) valueOf(of *parley.Dimensions) string {
	switch d {
	case ByBot:
		return cmp.Or(of.Bot.String(), "none")
	case ByVersion:
		return cmp.Or(of.Version, "none")
	case ByTeam:
		return of.Tenant.String()
	case ByChannel:
		return cmp.Or(of.Channel, "unknown")
	case ByLanguage:
		return cmp.Or(of.Language, "unknown")
	case ByCampaign:
		return cmp.Or(of.Campaign, "none")
	default:
		return cmp.Or(of.CampaignSource, "none")
	}
}

// matches says whether visits with such dimensions are wanted.
func (q *Query) matches(d *parley.Dimensions) bool {
	return (q.Bot == nil || d.Bot == *q.Bot) && (q.Version == "" || d.Version == q.Version) &&
		(len(q.Channels) == 0 || slices.ContainsFunc(q.Channels, func(c string) bool { return strings.EqualFold(c, cmp.Or(d.Channel, "unknown")) })) &&
		(len(q.Owners) == 0 || slices.Contains(q.Owners, d.Owner)) &&
		(len(q.Campaigns) == 0 || slices.ContainsFunc(q.Campaigns, func(c string) bool { return strings.EqualFold(c, cmp.Or(d.Campaign, "none")) })) &&
		(len(q.Languages) == 0 || slices.ContainsFunc(q.Languages, func(l string) bool { return speaks(cmp.Or(d.Language, "unknown"), l) }))
}

// speaks says whether a language tag is the wanted one, or begins with it.
func speaks(tag, wanted string) bool {
	primary, _, _ := strings.Cut(tag, "-")
	return strings.EqualFold(tag, wanted) || strings.EqualFold(primary, wanted)
}

// Series is what a figure was in each bucket.
type Series struct {
	Starts []time.Time // of the buckets
	Series []Serie
}

// A Serie is one line of it.
type Serie struct {
	Name                string // its labels' values, in their order
	Labels              map[string]string
	Values              []int64
	Sum, Mean, Max, Min int64
}

// sum fills in what goes over all values.
func (s *Serie) sum() {
	if len(s.Values) == 0 {
		return
	}
	for _, v := range s.Values {
		s.Sum += v
	}
	s.Max, s.Min, s.Mean = slices.Max(s.Values), slices.Min(s.Values), mean(s.Sum, int64(len(s.Values)))
}

// mean is sum / n, rounded half up; 0 if n is 0.
func mean(sum, n int64) int64 {
	if n == 0 {
		return 0
	}
	return (2*sum + n) / (2 * n)
}

// Conversations are how many began in each bucket. Without GroupBy there is one serie, else one for each combination that has any.
func (s *Statistics) Conversations(ctx context.Context, q Query) (Series, error) {
	return s.series(ctx, q, "conversations", func(c *slice) int64 { return c.Visits })
}

// series tells one figure of cells.
func (s *Statistics) series(ctx context.Context, q Query, name string, figure func(*slice) int64) (Series, error) {
	out := Series{Starts: q.Bucket.Starts(q.From, q.Until)}
	groups := map[string]*Serie{}
	if len(q.GroupBy) == 0 {
		groups[""] = &Serie{Name: name, Labels: map[string]string{}, Values: make([]int64, len(out.Starts))}
	}
	lines := map[*parley.Dimensions]*Serie{} // of the same dimensions there may be several, but for single visits only
	var last struct {
		at    time.Time
		place int
	}
	err := s.cover(ctx, &q, false, func(c *slice) error {
		n := figure(c)
		if n == 0 {
			return nil
		}
		line := lines[c.dimensions]
		if line == nil {
			key, labels := group(c.dimensions, q.GroupBy)
			if line = groups[key]; line == nil {
				line = &Serie{Name: key, Labels: labels, Values: make([]int64, len(out.Starts))}
				groups[key] = line
			}
			if !c.single {
				lines[c.dimensions] = line
			}
		}
		if last.at.IsZero() || !last.at.Equal(c.at) { // cells come day by day
			last.at, last.place = c.at, place(out.Starts, c.at)
		}
		line.Values[last.place] += n
		return nil
	})
	out.add(groups)
	return out, err
}

// add adds lines, that with the greatest sum first.
func (s *Series) add(lines map[string]*Serie) {
	for _, line := range lines {
		line.sum()
		s.Series = append(s.Series, *line)
	}
	slices.SortFunc(s.Series, func(a, b Serie) int { return cmp.Or(cmp.Compare(b.Sum, a.Sum), cmp.Compare(a.Name, b.Name)) })
}

// group is the values of dimensions, joined and by name.
func group(of *parley.Dimensions, by []Dimension) (key string, labels map[string]string) {
	labels = map[string]string{}
	values := make([]string, len(by))
	for i, d := range by {
		values[i] = d.valueOf(of)
		labels[string(d)] = values[i]
	}
	return strings.Join(values, ","), labels
}

// A Stat is a figure of single conversations, in the words of the wire.
type Stat string

// The stats there are.
const (
	StatConversations Stat = "num_conversations"
	StatSeconds       Stat = "duration_seconds"
	StatMessages      Stat = "num_messages"
)

// Insights tell a stat by day. Of single conversations Sum, Mean, Max and Min go over those, not over the days (reference/analytics.md 4).
func (s *Statistics) Insights(ctx context.Context, q Query, stat Stat) (Series, error) {
	q.Bucket, q.GroupBy = Day, nil
	if stat == StatConversations {
		return s.series(ctx, q, string(stat), func(c *slice) int64 { return c.Visits })
	}
	out := Series{Starts: q.Bucket.Starts(q.From, q.Until)}
	counts := make([]parley.Count, len(out.Starts))
	var all parley.Count
	if err := s.cover(ctx, &q, false, func(c *slice) error {
		mergeCount(&counts[place(out.Starts, c.at)], &c.Count)
		mergeCount(&all, &c.Count)
		return nil
	}); err != nil {
		return out, err
	}
	of := func(c *parley.Count) parley.Spread {
		if stat == StatMessages {
			return c.Messages
		}
		return c.Seconds
	}
	line := Serie{Name: string(stat), Labels: map[string]string{}, Values: make([]int64, len(out.Starts))}
	for i := range counts {
		line.Values[i] = mean(of(&counts[i]).Sum, counts[i].Visits)
	}
	total := of(&all)
	line.Sum, line.Max, line.Min, line.Mean = total.Sum, total.Max, total.Min, mean(total.Sum, all.Visits)
	out.Series = []Serie{line}
	return out, nil
}
