package admin

import (
	"cmp"
	"context"
	"time"

	"parley"
	"parley/bots"
	"parley/directory"
	"parley/dispatch"
	"parley/rest/api"
	"parley/rest/contract"
)

// A BotRunner is what the surface asks of bots.
type BotRunner interface {
	Try(ctx context.Context, tenant parley.TenantID, id parley.ApplicationID, text, locale string, test bool) (bots.Tryout, error)
}

func seconds(d time.Duration) float64 { return d.Seconds() }

func duration(seconds *float64) time.Duration {
	return time.Duration(api.Value(seconds) * float64(time.Second))
}

func toHeaders(all []parley.NameValue) *[]Header {
	return api.SomeList(api.List(all, func(h parley.NameValue) Header { return Header{h.Name, h.Value} }))
}

func fromHeaders(all []Header) []parley.NameValue {
	return api.List(all, func(h Header) parley.NameValue { return parley.NameValue{Name: h.Name, Value: h.Value} })
}

// putModel changes what was told of a language model.
func putModel(m *parley.ModelSettings, in *ModelInput) {
	if in == nil {
		return
	}
	m.Name, m.Key, m.Prompt = api.Or(in.Name, m.Name), api.Or(in.Key, m.Key), api.Or(in.Prompt, m.Prompt)
	m.History, m.Temperature = api.Or(in.History, m.History), api.Or(in.Temperature, m.Temperature)
	if in.MaxTokens != nil {
		m.MaxTokens = int64(*in.MaxTokens)
	}
}

func toBot(b directory.Bot) Bot {
	s := b.Settings
	out := Bot{Id: b.ID.String(), ParticipantId: s.Participant.String(), Name: b.Name, Language: api.Some(s.Language), Active: b.Active,
		Connector:           Connector{Kind: ConnectorKind(s.Connector), Url: api.Some(s.URL), Headers: toHeaders(s.Headers)},
		TurnDeadlineSeconds: api.Some(seconds(s.TurnDeadline)), SettleSeconds: seconds(cmp.Or(s.Settle, parley.DefaultSettle)), SessionTimeoutSeconds: seconds(cmp.Or(s.SessionTimeout, parley.DefaultSession)),
		RenewExpiredSessions: s.RenewExpired, MinimumConfidence: cmp.Or(s.MinimumConfidence, parley.DefaultConfidence), Created: Time(b.Created), Modified: Time(b.Modified)}
	if m := s.Model; m != (parley.ModelSettings{}) {
		out.Connector.Model = &Model{Name: api.Some(m.Name), Prompt: api.Some(m.Prompt), History: api.Some(m.History), MaxTokens: api.Some(int(m.MaxTokens)), Temperature: api.Some(m.Temperature)}
	}
	return out
}

// botOf is the bot that a path names, and its environment.
func (s *Surface) botOf(ctx context.Context, environment *EnvironmentID, id ID) (parley.TenantID, parley.ApplicationID, error) {
	tenant, err := s.tenantFor(ctx, environment)
	if err != nil {
		return tenant, parley.ApplicationID{}, err
	}
	bot, err := contract.IDIn[parley.ClientApplication](id)
	return tenant, bot, err
}

// CreateBot makes one with its default channel.
func (s *Surface) CreateBot(ctx context.Context, r CreateBotRequestObject) (CreateBotResponseObject, error) {
	tenant, err := s.tenantIn(ctx, r.Body.EnvironmentId)
	if err != nil {
		return nil, err
	}
	c := r.Body.Connector
	b := directory.Bot{Name: r.Body.Name, Active: true, Settings: parley.BotSettings{Connector: parley.Connector(c.Kind), URL: api.Value(c.Url),
		Headers: fromHeaders(api.Value(c.Headers)), Language: api.Value(r.Body.Language), TurnDeadline: duration(r.Body.TurnDeadlineSeconds), Settle: duration(r.Body.SettleSeconds),
		SessionTimeout: duration(r.Body.SessionTimeoutSeconds), RenewExpired: api.Value(r.Body.RenewExpiredSessions), MinimumConfidence: api.Value(r.Body.MinimumConfidence)}}
	putModel(&b.Settings.Model, c.Model)
	made, channel, err := s.bots.Create(ctx, tenant, b)
	if err != nil {
		return nil, err
	}
	return CreateBot201JSONResponse{Id: made.ID.String(), ParticipantId: made.Settings.Participant.String(), ChannelId: channel.String()},
		s.deliveries.Note(ctx, actor(ctx), tenant, "bots.create", made.ID.String(), map[string]any{"name": made.Name})
}

// tenantIn is the environment that a body names; left out it is the caller's.
func (s *Surface) tenantIn(ctx context.Context, id *ID) (parley.TenantID, error) {
	tenant, err := s.tenantFor(ctx, id)
	if err != nil {
		return tenant, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "environmentId", Msg: "there is no environment of that id"}
	}
	return tenant, nil
}

// ListBots lists those of one environment.
func (s *Surface) ListBots(ctx context.Context, r ListBotsRequestObject) (ListBotsResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	all, err := s.bots.List(ctx, tenant)
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	return ListBots200JSONResponse{PaginationInfo: info, Bot: append([]Bot{}, api.List(cut(all, &info), toBot)...)}, err
}

// GetBot reads one.
func (s *Surface) GetBot(ctx context.Context, r GetBotRequestObject) (GetBotResponseObject, error) {
	tenant, id, err := s.botOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	b, err := s.bots.Bot(ctx, tenant, id)
	return GetBot200JSONResponse(toBot(b)), err
}

// UpdateBot changes what the body names.
func (s *Surface) UpdateBot(ctx context.Context, r UpdateBotRequestObject) (UpdateBotResponseObject, error) {
	tenant, id, err := s.botOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	err = s.bots.Change(ctx, tenant, id, func(b *directory.Bot) {
		in, to := r.Body, &b.Settings
		b.Name, b.Active = api.Or(in.Name, b.Name), api.Or(in.Active, b.Active)
		to.Language, to.RenewExpired, to.MinimumConfidence = api.Or(in.Language, to.Language), api.Or(in.RenewExpiredSessions, to.RenewExpired), api.Or(in.MinimumConfidence, to.MinimumConfidence)
		if in.TurnDeadlineSeconds != nil {
			to.TurnDeadline = duration(in.TurnDeadlineSeconds)
		}
		if in.SettleSeconds != nil {
			to.Settle = duration(in.SettleSeconds)
		}
		if in.SessionTimeoutSeconds != nil {
			to.SessionTimeout = duration(in.SessionTimeoutSeconds)
		}
		if c := in.Connector; c != nil {
			if c.Kind != nil {
				to.Connector = parley.Connector(*c.Kind)
			}
			if c.Headers != nil {
				to.Headers = fromHeaders(*c.Headers)
			}
			to.URL = api.Or(c.Url, to.URL)
			putModel(&to.Model, c.Model)
		}
	})
	if err != nil {
		return nil, err
	}
	return UpdateBot204Response{}, s.deliveries.Note(ctx, actor(ctx), tenant, "bots.update", id.String(), nil) // what was changed may be a secret
}

// DeleteBot ends its conversations and removes it.
func (s *Surface) DeleteBot(ctx context.Context, r DeleteBotRequestObject) (DeleteBotResponseObject, error) {
	tenant, id, err := s.botOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	if err := s.bots.Delete(ctx, tenant, id); err != nil {
		return nil, err
	}
	return DeleteBot204Response{}, s.deliveries.Note(ctx, actor(ctx), tenant, "bots.delete", id.String(), nil)
}

// tryCallback sends a bot with a callback a marked message: it takes that, or not, and answers in a call of its own.
func (s *Surface) tryCallback(ctx context.Context, of parley.Receiver) (out bots.Tryout, err error) {
	t, err := s.callbacks.Try(ctx, of)
	if err == nil && t.Outcome != dispatch.Delivered {
		out.Failure = &bots.Failure{Why: parley.FailureBot, Problem: t.Problem}
	}
	out.Took = t.Took
	return out, err
}

// TestBot asks one.
func (s *Surface) TestBot(ctx context.Context, r TestBotRequestObject) (TestBotResponseObject, error) {
	tenant, id, err := s.botOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	b, err := s.bots.Bot(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	var t bots.Tryout
	if b.Settings.Connector == parley.ConnectorCallback {
		t, err = s.tryCallback(ctx, parley.Receiver{Tenant: tenant, Application: id, Role: parley.CustomBot})
	} else {
		t, err = s.runner.Try(ctx, tenant, id, api.Value(r.Body.Text), api.Value(r.Body.Locale), api.Value(r.Body.Draft))
	}
	if err != nil {
		return nil, err
	}
	out := TestBot200JSONResponse{Milliseconds: milliseconds(t.Took), HandOver: api.Some(t.Reply.HandOver), EndsConversation: api.Some(t.Reply.End)}
	out.Answer = []struct {
		Text *string `json:"text,omitempty"`
		Type string  `json:"type"`
	}{}
	for _, a := range t.Reply.Answers {
		out.Answer = append(out.Answer, struct {
			Text *string `json:"text,omitempty"`
			Type string  `json:"type"`
		}{api.Some(a.Text), a.Type})
	}
	if t.Failure != nil {
		out.Failure, out.Problem = new(string(t.Failure.Why)), &t.Failure.Problem
	}
	if nlp := t.Reply.NLP; nlp != nil {
		out.Intent, out.Score = &nlp.Name, &nlp.Score
	}
	return out, s.deliveries.Note(ctx, actor(ctx), tenant, "bots.test", id.String(), nil)
}
