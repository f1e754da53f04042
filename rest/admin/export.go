package admin

import (
	"context"
	"time"

	"parley"
	"parley/history"
	"parley/rest/api"
)

// ExportConversations begins an export; its answer writes it, as with the next two.
func (s *Surface) ExportConversations(ctx context.Context, r ExportConversationsRequestObject) (ExportConversationsResponseObject, error) {
	p := r.Params
	tenant, bot, err := s.exportedFrom(ctx, p.EnvironmentId, p.Bot)
	if err != nil {
		return nil, err
	}
	selection := history.Selection{Tenant: tenant, After: api.Value(p.After), From: time.Time(api.Value(p.From)), Until: time.Time(api.Value(p.Until)), Bot: bot,
		ChannelType: api.Value(p.ChannelType), Status: parley.Status(api.Value(p.Status))}
	export, err := s.exporter.Begin(ctx, selection)
	return s.begun(ctx, exported{ctx, export}, err, tenant, "conversations.export", asked{p.After, p.From, p.Until,
		map[string]string{"bot": api.Value(p.Bot), "channelType": selection.ChannelType, "status": string(selection.Status)}})
}

// ExportVisits begins an export of conversations as figures count them.
func (s *Surface) ExportVisits(ctx context.Context, r ExportVisitsRequestObject) (ExportVisitsResponseObject, error) {
	p := r.Params
	tenant, bot, err := s.exportedFrom(ctx, p.EnvironmentId, p.Bot)
	if err != nil {
		return nil, err
	}
	selection := history.VisitSelection{Tenant: tenant, After: api.Value(p.After), From: time.Time(api.Value(p.From)), Until: time.Time(api.Value(p.Until)), Bot: bot,
		ChannelType: api.Value(p.ChannelType)}
	export, err := s.exporter.BeginVisits(ctx, selection)
	return s.begun(ctx, exported{ctx, export}, err, tenant, "visits.export", asked{p.After, p.From, p.Until,
		map[string]string{"bot": api.Value(p.Bot), "channelType": selection.ChannelType}})
}

// ExportEvents begins an export of tracked events.
func (s *Surface) ExportEvents(ctx context.Context, r ExportEventsRequestObject) (ExportEventsResponseObject, error) {
	p := r.Params
	tenant, bot, err := s.exportedFrom(ctx, p.EnvironmentId, p.Bot)
	if err != nil {
		return nil, err
	}
	selection := history.EventSelection{Tenant: tenant, After: api.Value(p.After), From: time.Time(api.Value(p.From)), Until: time.Time(api.Value(p.Until)), Bot: bot,
		Name: api.Value(p.Name)}
	export, err := s.exporter.BeginEvents(ctx, selection)
	return s.begun(ctx, exported{ctx, export}, err, tenant, "events.export", asked{p.After, p.From, p.Until,
		map[string]string{"bot": api.Value(p.Bot), "name": selection.Name}})
}

// exportedFrom is the environment that an export is of, and the bot; zero if none was named.
func (s *Surface) exportedFrom(ctx context.Context, environment, bot *string) (tenant parley.TenantID, of parley.ApplicationID, err error) {
	if tenant, err = s.tenantFor(ctx, environment); err != nil || bot == nil {
		return tenant, of, err
	}
	if of, err = parley.ParseID[parley.ClientApplication](*bot); err != nil {
		return tenant, of, &api.Refusal{Code: api.ParameterValue, Key: "bot", Msg: "bot must be a UUID of 36 characters"}
	}
	return tenant, of, nil
}

// What was asked of an export, for the audit log.
type asked struct {
	after       *string
	from, until *Timestamp
	filters     map[string]string // "" = not given
}

// begun is the answer of an export that was begun, unless that failed. Every export is in the audit log.
func (s *Surface) begun(ctx context.Context, export exported, failed error, tenant parley.TenantID, action string, a asked) (exported, error) {
	if parley.KindOf(failed) == parley.Invalid {
		return export, &api.Refusal{Code: api.ParameterValue, Key: "after", Msg: "after must be the cursor of a line of such an export of this environment"}
	}
	if failed != nil {
		return export, failed
	}
	detail := map[string]any{"goesOn": a.after != nil}
	if a.from != nil || a.until != nil {
		detail["from"], detail["until"] = a.from, a.until
	}
	for name, value := range a.filters {
		if value != "" {
			detail[name] = value
		}
	}
	return export, s.deliveries.Note(ctx, actor(ctx), tenant, action, "", detail)
}
