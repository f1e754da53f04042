package admin

import (
	"context"

	"parley"
	"parley/directory"
	"parley/rest/api"
)

func toBotChannel(c directory.BotChannel) BotChannel {
	if len(c.AllowedOrigins) == 0 {
		c.AllowedOrigins = nil // is left out
	}
	return BotChannel{Id: c.ID.String(), Name: c.Name, Type: c.Type, AllowedOrigins: api.SomeList(c.AllowedOrigins), Active: c.Active, Created: Time(c.Created), Modified: Time(c.Modified)}
}

// CreateBotChannel makes a further one.
func (s *Surface) CreateBotChannel(ctx context.Context, r CreateBotChannelRequestObject) (CreateBotChannelResponseObject, error) {
	tenant, bot, err := s.botOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	id, err := s.bots.AddChannel(ctx, tenant, bot, directory.BotChannel{Name: r.Body.Name, Type: r.Body.Type, AllowedOrigins: api.Value(r.Body.AllowedOrigins), Active: api.Or(r.Body.Active, true)})
	return CreateBotChannel201JSONResponse{Id: id.String()}, err
}

// ListBotChannels lists those of a bot.
func (s *Surface) ListBotChannels(ctx context.Context, r ListBotChannelsRequestObject) (ListBotChannelsResponseObject, error) {
	tenant, bot, err := s.botOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	all, err := s.bots.Channels(ctx, tenant, bot)
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	return ListBotChannels200JSONResponse{PaginationInfo: info, Channel: append([]BotChannel{}, api.List(cut(all, &info), toBotChannel)...)}, err
}

// channelOf is the channel that a path names, with its bot and environment.
func (s *Surface) channelOf(ctx context.Context, environment *EnvironmentID, bot, channel ID) (tenant parley.TenantID, app parley.ApplicationID, id parley.AccountID, err error) {
	if tenant, app, err = s.botOf(ctx, environment, bot); err != nil {
		return tenant, app, id, err
	}
	if id, err = parley.ParseID[parley.Account](channel); err != nil {
		err = &api.Refusal{Code: api.PathParameter, Key: "channel", Msg: "the channel in the path must be a UUID of 36 characters"}
	}
	return tenant, app, id, err
}

// GetBotChannel reads one.
func (s *Surface) GetBotChannel(ctx context.Context, r GetBotChannelRequestObject) (GetBotChannelResponseObject, error) {
	tenant, bot, id, err := s.channelOf(ctx, r.Params.EnvironmentId, r.Id, r.Channel)
	if err != nil {
		return nil, err
	}
	c, err := s.bots.Channel(ctx, tenant, bot, id)
	return GetBotChannel200JSONResponse(toBotChannel(c)), err
}

// UpdateBotChannel changes what the body names.
func (s *Surface) UpdateBotChannel(ctx context.Context, r UpdateBotChannelRequestObject) (UpdateBotChannelResponseObject, error) {
	tenant, bot, id, err := s.channelOf(ctx, r.Params.EnvironmentId, r.Id, r.Channel)
	if err != nil {
		return nil, err
	}
	return UpdateBotChannel204Response{}, s.bots.ChangeChannel(ctx, tenant, bot, id, func(c *directory.BotChannel) {
		c.Name, c.AllowedOrigins, c.Active = api.Or(r.Body.Name, c.Name), api.Or(r.Body.AllowedOrigins, c.AllowedOrigins), api.Or(r.Body.Active, c.Active)
	})
}

// DeleteBotChannel ends its conversations and removes it.
func (s *Surface) DeleteBotChannel(ctx context.Context, r DeleteBotChannelRequestObject) (DeleteBotChannelResponseObject, error) {
	tenant, bot, id, err := s.channelOf(ctx, r.Params.EnvironmentId, r.Id, r.Channel)
	if err != nil {
		return nil, err
	}
	return DeleteBotChannel204Response{}, s.bots.DeleteChannel(ctx, tenant, bot, id)
}
