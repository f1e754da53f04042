package admin

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"parley/insight/figures"
)

// lineColumns and healthColumns are the columns of tables, which are members of ReportLine and BotHealth.
var (
	lineColumns = []string{"from", "until", "conversations", "users", "newUsers", "userMessages", "botMessages", "agentMessages", "durationMeanSeconds", "durationMedianSeconds",
		"messagesMean", "messagesMedian", "engaged", "ended", "handedOver", "abandoned", "resolved", "containmentRate", "escalationRate", "abandonmentRate", "resolutionRate",
		"notUnderstoodRate", "botFirstResponseMedianSeconds", "botFirstResponseP90Seconds", "agentFirstResponseMedianSeconds", "agentFirstResponseP90Seconds",
		"resolutionMedianSeconds", "resolutionP90Seconds", "turns", "notUnderstood", "failedTurns", "turnP95Seconds", "likes", "dislikes", "surveysShown", "surveysAnswered",
		"satisfactionRate", "surveyMean", "surveyResponseRate"}
	healthColumns = []string{"botId", "turns", "notUnderstood", "webhookFailures", "deadlines", "misconfigured", "modelFailures", "internalFailures", "turnP95Seconds"}
)

// toLine is a line as it is shown. all says that it is of all of the period.
func toLine(l *figures.Line, all bool) ReportLine {
	t, r := &l.Totals, l.Rates()
	var failed int64
	for _, n := range t.Failures {
		failed += n
	}
	out := ReportLine{From: Time(l.From), Until: Time(l.Until), Conversations: l.Count.Visits, Users: t.People.Count(), UserMessages: t.User, BotMessages: t.Bot, AgentMessages: t.Agent,
		DurationMeanSeconds: mean(&t.Duration, 1000), DurationMedianSeconds: secondsOf(&t.Duration, 0.5), MessagesMean: mean(&t.Length, 1), MessagesMedian: whole(quantile(&t.Length, 0.5, 1)),
		Engaged: t.Engaged, Ended: t.Ended, HandedOver: t.HandedOver, Abandoned: t.Abandoned, Resolved: t.Resolved,
		ContainmentRate: rounded(r.Containment), EscalationRate: rounded(r.Escalation), AbandonmentRate: rounded(r.Abandonment), ResolutionRate: rounded(r.Resolution),
		NotUnderstoodRate:             rounded(r.NotUnderstood),
		BotFirstResponseMedianSeconds: secondsOf(&t.BotReply, 0.5), BotFirstResponseP90Seconds: secondsOf(&t.BotReply, 0.9),
		AgentFirstResponseMedianSeconds: secondsOf(&t.AgentReply, 0.5), AgentFirstResponseP90Seconds: secondsOf(&t.AgentReply, 0.9),
		ResolutionMedianSeconds: secondsOf(&t.Resolution, 0.5), ResolutionP90Seconds: secondsOf(&t.Resolution, 0.9),
		Turns: t.Turns, NotUnderstood: t.Missed, FailedTurns: failed, TurnP95Seconds: secondsOf(&t.Took, 0.95),
		Likes: t.Helped, Dislikes: t.Unhelpful, SurveysShown: t.Asked, SurveysAnswered: t.Rated,
		SatisfactionRate: rounded(r.Satisfaction), SurveyMean: rounded(r.SurveyMean), SurveyResponseRate: rounded(r.SurveyResponse)}
	if all {
		out.NewUsers = &l.NewUsers
	}
	return out
}

// some is a figure, nil if there is none.
func some(v float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	v = math.Round(v*1e4) / 1e4
	return &v
}

// rounded is a rate as it is shown.
func rounded(r *float64) *float64 {
	if r == nil {
		return nil
	}
	return some(*r, true)
}

// whole is a quantile of whole numbers: below 50 it is off by less than a half.
func whole(v *float64) *float64 {
	if v == nil || *v >= 50 {
		return v
	}
	return some(math.Round(*v), true)
}

// quantile is one in a unit that is so many of those that were counted, and secondsOf one of milliseconds.
func quantile(q *figures.Quantiles, at, unit float64) *float64 {
	v, ok := q.At(at)
	return some(v/unit, ok)
}

func secondsOf(q *figures.Quantiles, at float64) *float64 { return quantile(q, at, 1000) }

func mean(q *figures.Quantiles, unit float64) *float64 { return some(q.Mean()/unit, q.Count() > 0) }

// csvOf is a table of things, whose columns are their members on the wire. What is not there is empty.
func csvOf[T any](columns []string, all []T) (string, error) {
	rows := [][]string{columns}
	for _, one := range all {
		text, err := json.Marshal(one)
		if err != nil {
			return "", err
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil {
			return "", err
		}
		row := make([]string, len(columns))
		for i, c := range columns {
			switch v := members[c].(type) {
			case nil:
			case float64:
				row[i] = strconv.FormatFloat(v, 'f', -1, 64)
			default:
				row[i] = fmt.Sprint(v)
			}
		}
		rows = append(rows, row)
	}
	return csvRows(rows)
}

// csvRows writes a table (RFC 4180). A text that a spreadsheet would take for a formula is quoted for it.
func csvRows(rows [][]string) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	for _, row := range rows {
		for i, cell := range row {
			if _, err := strconv.ParseFloat(cell, 64); err != nil && cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				row[i] = "'" + cell
			}
		}
		if err := w.Write(row); err != nil {
			return "", err
		}
	}
	w.Flush()
	return b.String(), w.Error()
}
