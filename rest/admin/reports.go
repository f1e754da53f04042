package admin

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley"
	"parley/insight/figures"
	"parley/rest/api"
)

// reportParams are the parameters that all reports have.
type reportParams struct {
	environment                                                         *EnvironmentID
	from, until, zone, bot, version, channel, language, owner, campaign *string
}

// query reads what a report is about.
func (s *Surface) query(ctx context.Context, p reportParams) (q figures.ReportQuery, err error) {
	if q.Tenant, err = s.tenantFor(ctx, p.environment); err != nil {
		return q, err
	}
	wrong := func(name, why string) error {
		return &api.Refusal{Code: api.ParameterValue, Key: name, Msg: name + " " + why}
	}
	zone := cmp.Or(api.Value(p.zone), "UTC")
	if q.Zone, err = time.LoadLocation(zone); err != nil || strings.EqualFold(zone, "local") {
		return q, wrong("timeZone", "must be a name of the IANA database, such as Europe/Berlin")
	}
	now := time.Now().In(q.Zone)
	q.Until = time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, q.Zone)
	if v := api.Value(p.until); v != "" {
		if q.Until, err = momentIn(v, q.Zone); err != nil {
			return q, wrong("until", "must be a day such as 2026-03-01, or a time such as 2026-03-01T12:00:00Z")
		}
	}
	q.From = q.Until.AddDate(0, 0, -30)
	if v := api.Value(p.from); v != "" {
		if q.From, err = momentIn(v, q.Zone); err != nil {
			return q, wrong("from", "must be a day such as 2026-03-01, or a time such as 2026-03-01T12:00:00Z")
		}
	}
	if !q.From.Before(q.Until) || q.Until.Sub(q.From) > maxPeriod {
		return q, wrong("until", "must be after from, and not by more than 731 days")
	}
	if v := api.Value(p.bot); v != "" {
		id, err := parley.ParseID[parley.ClientApplication](v)
		if err != nil {
			return q, wrong("botId", "must be a UUID of 36 characters")
		}
		q.Bot = &id
	}
	q.Version, q.Channels, q.Languages, q.Campaigns = api.Value(p.version), items(p.channel), items(p.language), items(p.campaign)
	for _, o := range items(p.owner) {
		owner := parley.OwnerKind(o)
		if !slices.Contains([]parley.OwnerKind{parley.OwnerBot, parley.OwnerQueue, parley.OwnerAgent}, owner) {
			return q, wrong("owner", "must be of bot, queue, agent")
		}
		q.Owners = append(q.Owners, owner)
	}
	return q, nil
}

// maxPeriod is the longest that a report is about.
const maxPeriod = 731*24*time.Hour + time.Hour // the clocks may have changed

// momentIn reads a time, or a day, which begins at midnight of a zone.
func momentIn(v string, zone *time.Location) (time.Time, error) {
	if at, err := time.ParseInLocation(time.DateOnly, v, zone); err == nil {
		return at, nil
	}
	at, err := time.Parse(time.RFC3339Nano, strings.Replace(v, " ", "+", 1)) // a plus that was not escaped arrives as a blank
	return at.In(zone), err
}

// items is a list separated by commas.
func items(list *string) (all []string) {
	for item := range strings.SplitSeq(api.Value(list), ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

const asCSV = "csv"

// ReportFigures tells the figures of a period.
func (s *Surface) ReportFigures(ctx context.Context, r ReportFiguresRequestObject) (ReportFiguresResponseObject, error) {
	p := r.Params
	q, err := s.query(ctx, reportParams{p.EnvironmentId, p.From, p.Until, p.TimeZone, p.BotId, (*string)(p.Version), p.ChannelType, p.Language, p.Owner, p.CampaignId})
	if err != nil {
		return nil, err
	}
	q.Unit, q.Before = figures.Unit(api.Or(p.Bucket, ReportFiguresParamsBucketDay)), api.Value(p.Compare) == "previous"
	report, err := s.statistics.Report(ctx, q)
	if err != nil {
		return nil, err
	}
	out := FiguresReport{TimeZone: q.Zone.String(), Total: toLine(&report.Total, true), Lines: []ReportLine{}}
	for i := range report.Lines {
		out.Lines = append(out.Lines, toLine(&report.Lines[i], false))
	}
	if report.Before != nil {
		before := toLine(report.Before, true)
		out.Previous = &before
	}
	if api.Value(p.Format) == asCSV {
		text, err := csvOf(lineColumns, append(slices.Clone(out.Lines), out.Total))
		return ReportFigures200TextcsvResponse{Body: strings.NewReader(text)}, err
	}
	return ReportFigures200JSONResponse(out), nil
}

// ReportHours tells busy hours.
func (s *Surface) ReportHours(ctx context.Context, r ReportHoursRequestObject) (ReportHoursResponseObject, error) {
	p := r.Params
	q, err := s.query(ctx, reportParams{p.EnvironmentId, p.From, p.Until, p.TimeZone, p.BotId, (*string)(p.Version), p.ChannelType, p.Language, p.Owner, p.CampaignId})
	if err != nil {
		return nil, err
	}
	busy, err := s.statistics.Busy(ctx, q)
	if err != nil {
		return nil, err
	}
	out := HoursReport{TimeZone: q.Zone.String(), From: Time(q.From), Until: Time(q.Until)}
	rows := [][]string{{"weekday", "hour", "conversations"}}
	for i, hours := range busy {
		name := time.Weekday((i + 1) % 7).String()
		out.Weekdays = append(out.Weekdays, WeekdayHours{Weekday: name, Hours: hours[:]})
		for h, n := range hours {
			rows = append(rows, []string{name, strconv.Itoa(h), strconv.FormatInt(n, 10)})
		}
	}
	if api.Value(p.Format) == asCSV {
		text, err := csvRows(rows)
		return ReportHours200TextcsvResponse{Body: strings.NewReader(text)}, err
	}
	return ReportHours200JSONResponse(out), nil
}

// ReportSteps tells steps of flows, and where customers leave.
func (s *Surface) ReportSteps(ctx context.Context, r ReportStepsRequestObject) (ReportStepsResponseObject, error) {
	p := r.Params
	q, err := s.query(ctx, reportParams{p.EnvironmentId, p.From, p.Until, p.TimeZone, p.BotId, (*string)(p.Version), p.ChannelType, p.Language, p.Owner, p.CampaignId})
	if err != nil {
		return nil, err
	}
	totals, _, err := s.statistics.Totals(ctx, q.Query)
	if err != nil {
		return nil, err
	}
	out := StepsReport{From: Time(q.From), Until: Time(q.Until), Steps: []StepLine{}, Transitions: []StepTransition{}}
	rows := [][]string{{"step", "entries", "dropoffs", "dropoffRate"}}
	for _, l := range totals.Steps() {
		rate := 0.0
		if l.Entries > 0 {
			rate = float64(l.Dropoffs) / float64(l.Entries)
		}
		out.Steps = append(out.Steps, StepLine{Step: l.Step, Entries: l.Entries, Dropoffs: l.Dropoffs, DropoffRate: rate})
		rows = append(rows, []string{l.Step, strconv.FormatInt(l.Entries, 10), strconv.FormatInt(l.Dropoffs, 10), strconv.FormatFloat(rate, 'f', 4, 64)})
	}
	for _, e := range totals.Transitions() {
		out.Transitions = append(out.Transitions, StepTransition{Depth: e.Depth, From: e.From.Name(), FromType: string(e.From.Type), To: e.To.Name(), ToType: string(e.To.Type), Count: e.Count})
	}
	if api.Value(p.Format) == asCSV {
		text, err := csvRows(rows)
		return ReportSteps200TextcsvResponse{Body: strings.NewReader(text)}, err
	}
	return ReportSteps200JSONResponse(out), nil
}

// ReportHealth tells how bots and deliveries do.
func (s *Surface) ReportHealth(ctx context.Context, r ReportHealthRequestObject) (ReportHealthResponseObject, error) {
	p := r.Params
	q, err := s.query(ctx, reportParams{p.EnvironmentId, p.From, p.Until, p.TimeZone, p.BotId, (*string)(p.Version), p.ChannelType, p.Language, p.Owner, p.CampaignId})
	if err != nil {
		return nil, err
	}
	bots, err := s.statistics.ByBot(ctx, q.Query)
	if err != nil {
		return nil, err
	}
	_, dead, err := s.deliveries.DeadLetters(ctx, actor(ctx), parley.DeadLetterQuery{Tenant: q.Tenant, State: parley.StateDead, From: q.From, To: q.Until}, 0, 1)
	if err != nil {
		return nil, err
	}
	out := HealthReport{From: Time(q.From), Until: Time(q.Until), Bots: []BotHealth{}, GivenUp: int64(dead)}
	for id, t := range bots {
		h := BotHealth{BotId: id.String(), Turns: t.Turns, NotUnderstood: t.Missed, WebhookFailures: t.Failures[parley.FailureBot], Deadlines: t.Failures[parley.FailureDeadline],
			Misconfigured: t.Failures[parley.FailureBotSettings], ModelFailures: t.Failures[parley.FailureModel] + t.Failures[parley.FailureModelRefuses],
			InternalFailures: t.Failures[parley.FailureInternal], TurnP95Seconds: secondsOf(&t.Took, 0.95)}
		out.Bots = append(out.Bots, h)
	}
	slices.SortFunc(out.Bots, func(a, b BotHealth) int { return cmp.Or(cmp.Compare(b.Turns, a.Turns), cmp.Compare(a.BotId, b.BotId)) })
	if api.Value(p.Format) == asCSV {
		text, err := csvOf(healthColumns, out.Bots)
		return ReportHealth200TextcsvResponse{Body: strings.NewReader(text)}, err
	}
	return ReportHealth200JSONResponse(out), nil
}
