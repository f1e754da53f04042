package analytics

import (
	"math"

	"parley/insight/figures"
)

// A seriesData is what was in each bucket (reference 2).
type seriesData struct {
	Series       []serie  `json:"series"`
	SeriesLabels []string `json:"series_labels"`
	XValues      []string `json:"x_values"`
}

type serie struct {
	Values []int32           `json:"values"`
	Mean   int32             `json:"mean"`
	Max    int32             `json:"max"`
	Min    int32             `json:"min"`
	Sum    int32             `json:"sum"`
	Labels map[string]string `json:"labels"`
}

// A data wraps what an operation answers.
type data[T any] struct {
	Data T `json:"data"`
}

// clamp keeps a figure in what the wire can carry.
func clamp(v int64) int32 { return int32(max(math.MinInt32, min(v, math.MaxInt32))) }

func toSeries(s figures.Series) data[seriesData] {
	out := seriesData{Series: []serie{}, SeriesLabels: []string{}, XValues: []string{}}
	for _, at := range s.Starts {
		out.XValues = append(out.XValues, at.UTC().Format("2006-01-02T15:04:05Z"))
	}
	for _, line := range s.Series {
		values := make([]int32, len(line.Values))
		for i, v := range line.Values {
			values[i] = clamp(v)
		}
		out.Series = append(out.Series, serie{Values: values, Mean: clamp(line.Mean), Max: clamp(line.Max), Min: clamp(line.Min), Sum: clamp(line.Sum), Labels: line.Labels})
		out.SeriesLabels = append(out.SeriesLabels, line.Name)
	}
	return data[seriesData]{out}
}

// conversations is operation A of the reference.
func (s *Surface) conversations(r *request) (any, error) {
	q, err := r.filtered(figures.Whole, figures.Hour, figures.Day, figures.Week)
	if err != nil {
		return nil, err
	}
	if err := r.params.groupBy(&q, false, figures.ByChannel, figures.ByLanguage); err != nil {
		return nil, err
	}
	out, err := s.statistics.Conversations(r.Context(), q)
	return toSeries(out), err
}

// insights is operation B.
func (s *Surface) insights(r *request) (any, error) {
	q, err := r.filtered()
	if err != nil {
		return nil, err
	}
	v, err := r.params.required("stat")
	if err != nil {
		return nil, err
	}
	stat := figures.Stat(v)
	switch stat {
	case figures.StatConversations, figures.StatSeconds, figures.StatMessages:
	default:
		return nil, invalid("stat must be one of num_conversations, duration_seconds, num_messages")
	}
	out, err := s.statistics.Insights(r.Context(), q, stat)
	return toSeries(out), err
}

// usage is operation D.
func (s *Surface) usage(r *request) (any, error) {
	q := figures.Query{Tenant: r.tenant}
	if err := r.params.bucket(&q, figures.Day, figures.Week, figures.Month); err != nil {
		return nil, err
	}
	if err := r.params.groupBy(&q, true, figures.ByBot, figures.ByVersion, figures.ByTeam, figures.ByChannel, figures.ByLanguage, figures.ByCampaign, figures.ByCampaignSource); err != nil {
		return nil, err
	}
	if err := r.params.between(&q); err != nil {
		return nil, err
	}
	out, err := s.statistics.Conversations(r.Context(), q)
	return toSeries(out), err
}

// echo says whether a token is good.
func (s *Surface) echo(r *request) (any, error) {
	var body struct {
		Message string `json:"message"`
	}
	if err := r.body(&body); err != nil {
		return nil, err
	}
	if body.Message == "" {
		return nil, invalid("message is required")
	}
	return body, nil
}
