package conversationmgr

import (
	"context"

	"parley"
	"parley/rest/api"
)

func fromChannel(in *ChannelInput) parley.Channel {
	c := parley.Channel{Base: fromBase("", in.Description, in.Active), Type: in.Type, DisplayName: in.DisplayName, Icon: in.Icon}
	if r := in.Restrictions; r != nil {
		c.Restrictions = &parley.Restrictions{}
		if i := r.Inbound; i != nil {
			one := fromRestriction(i.MaxTextLength, i.Features, i.AttachmentPolicy)
			c.Restrictions.Inbound = &one
		}
		if o := r.Outbound; o != nil {
			c.Restrictions.Outbound = &parley.OutboundRestriction{Restriction: fromRestriction(o.MaxTextLength, o.Features, o.AttachmentPolicy),
				SystemMessages: api.Or(o.SystemMessages, true), MidChatAuth: api.Value(o.MidChatAuth),
				RichTypes: api.List(api.Value(o.RichMessageTypes), func(t RichMessageType) string { return string(t) })}
		}
	}
	c.Localisations = api.List(api.Value(in.L10nProperties), func(l Localisation) parley.Localisation {
		return parley.Localisation{Language: l.Language, Properties: fromPairs(&l.Properties)}
	})
	return c
}

func fromRestriction(maxText *int, features *[]Feature, policy *AttachmentPolicy) parley.Restriction {
	r := parley.Restriction{MaxTextLength: api.Value(maxText), Features: api.List(api.Value(features), func(f Feature) parley.Feature { return parley.Feature(f) })}
	if policy != nil {
		r.Attachments = &parley.AttachmentPolicy{Enabled: api.Or(policy.Enabled, true), MaxSize: int64(api.Value(policy.MaxSize)),
			Allow: api.Value(policy.Type) == "allow", Extensions: api.Value(policy.Extensions)}
	}
	return r
}

func toChannel(c parley.Channel) Channel {
	out := Channel{Id: c.ID.String(), Description: api.Some(c.Description), Active: c.Active, Created: Time(c.Created), Modified: Time(c.Modified),
		Type: c.Type, DisplayName: c.DisplayName, Icon: c.Icon}
	if r := c.Restrictions; r != nil {
		out.Restrictions = &Restrictions{}
		if i := r.Inbound; i != nil {
			out.Restrictions.Inbound = &InboundRestrictions{MaxTextLength: api.Some(i.MaxTextLength), Features: toFeatures(i.Features), AttachmentPolicy: toPolicy(i.Attachments)}
		}
		if o := r.Outbound; o != nil {
			out.Restrictions.Outbound = &OutboundRestrictions{MaxTextLength: api.Some(o.MaxTextLength), Features: toFeatures(o.Features), AttachmentPolicy: toPolicy(o.Attachments),
				SystemMessages: &o.SystemMessages, MidChatAuth: &o.MidChatAuth,
				RichMessageTypes: api.SomeList(api.List(o.RichTypes, func(t string) RichMessageType { return RichMessageType(t) }))}
		}
	}
	out.L10nProperties = api.SomeList(api.List(c.Localisations, func(l parley.Localisation) Localisation {
		return Localisation{Language: l.Language, Properties: api.Value(toPairs(l.Properties))}
	}))
	return out
}

func toFeatures(all []parley.Feature) *[]Feature {
	return api.SomeList(api.List(all, func(f parley.Feature) Feature { return Feature(f) }))
}

func toPolicy(p *parley.AttachmentPolicy) *AttachmentPolicy {
	if p == nil {
		return nil
	}
	kind := AttachmentPolicyType("block")
	if p.Allow {
		kind = "allow"
	}
	return &AttachmentPolicy{Enabled: &p.Enabled, MaxSize: api.Some(int(p.MaxSize)), Type: &kind, Extensions: api.SomeList(p.Extensions)}
}

// CreateChannel makes one.
func (s *Surface) CreateChannel(ctx context.Context, r CreateChannelRequestObject) (CreateChannelResponseObject, error) {
	id, err := s.directory.Channels.Create(ctx, tenant(ctx), fromChannel(r.Body))
	return CreateChannel201JSONResponse{Id: id.String()}, err
}

// GetAllChannels lists them.
func (s *Surface) GetAllChannels(ctx context.Context, r GetAllChannelsRequestObject) (GetAllChannelsResponseObject, error) {
	page, info, err := paged(ctx, s.directory.Channels, r.Params.Pagenum, r.Params.Pagesize)
	return GetAllChannels200JSONResponse{PaginationInfo: info, Channel: api.List(page, toChannel)}, err
}

// GetChannel reads one.
func (s *Surface) GetChannel(ctx context.Context, r GetChannelRequestObject) (GetChannelResponseObject, error) {
	c, err := find(ctx, s.directory.Channels, r.Id)
	return GetChannel200JSONResponse(toChannel(c)), err
}

// UpdateChannel replaces one.
func (s *Surface) UpdateChannel(ctx context.Context, r UpdateChannelRequestObject) (UpdateChannelResponseObject, error) {
	return UpdateChannel204Response{}, replace(ctx, s.directory.Channels, r.Id, fromChannel(r.Body), nil)
}

// DeleteChannel removes one.
func (s *Surface) DeleteChannel(ctx context.Context, r DeleteChannelRequestObject) (DeleteChannelResponseObject, error) {
	return DeleteChannel204Response{}, remove(ctx, s.directory.Channels, r.Id)
}
