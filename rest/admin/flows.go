package admin

import (
	"context"
	"strconv"

	"parley"
	"parley/flow"
	"parley/rest/api"
)

func toFlow(v parley.FlowVersion) FlowVersion {
	return FlowVersion{Version: v.Number, Live: v.Live, Author: v.Author, Created: Time(v.Created), Source: api.Some(string(v.Source))}
}

// flowOf is the version that a path names, with its bot and environment.
func (s *Surface) flowOf(ctx context.Context, environment *EnvironmentID, bot ID, version FlowNumber) (tenant parley.TenantID, id parley.ApplicationID, number int64, err error) {
	if tenant, id, err = s.botOf(ctx, environment, bot); err != nil {
		return tenant, id, 0, err
	}
	switch version {
	case "draft":
		number = parley.NewestFlow
	case "live":
		number = parley.LiveFlow
	default:
		if number, err = strconv.ParseInt(version, 10, 64); err != nil || number < 1 {
			err = &api.Refusal{Code: api.PathParameter, Key: "version", Msg: "version in the path must be a number, draft, or live"}
		}
	}
	return tenant, id, number, err
}

// ListFlows lists the versions of a bot's flow.
func (s *Surface) ListFlows(ctx context.Context, r ListFlowsRequestObject) (ListFlowsResponseObject, error) {
	tenant, id, err := s.botOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	all, err := s.bots.FlowVersions(ctx, tenant, id)
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	return ListFlows200JSONResponse{PaginationInfo: info, Flow: append([]FlowVersion{}, api.List(cut(all, &info), toFlow)...)}, err
}

// SaveFlow saves a draft.
func (s *Surface) SaveFlow(ctx context.Context, r SaveFlowRequestObject) (SaveFlowResponseObject, error) {
	tenant, id, err := s.botOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	number, warnings, err := s.bots.SaveFlow(ctx, tenant, id, []byte(r.Body.Source), actor(ctx).Client)
	if err != nil {
		return nil, err
	}
	return SaveFlow201JSONResponse{Version: number, Warning: append([]string{}, api.List(warnings, flow.Problem.String)...)},
		s.deliveries.Note(ctx, actor(ctx), tenant, "flows.save", id.String(), map[string]any{"version": number})
}

// GetFlow reads one version.
func (s *Surface) GetFlow(ctx context.Context, r GetFlowRequestObject) (GetFlowResponseObject, error) {
	tenant, id, number, err := s.flowOf(ctx, r.Params.EnvironmentId, r.Id, r.Version)
	if err != nil {
		return nil, err
	}
	v, err := s.bots.FlowVersion(ctx, tenant, id, number)
	return GetFlow200JSONResponse(toFlow(v)), err
}

// PublishFlow makes a version live.
func (s *Surface) PublishFlow(ctx context.Context, r PublishFlowRequestObject) (PublishFlowResponseObject, error) {
	tenant, id, number, err := s.flowOf(ctx, r.Params.EnvironmentId, r.Id, r.Version)
	if err != nil {
		return nil, err
	}
	if err := s.bots.PublishFlow(ctx, tenant, id, number); err != nil {
		return nil, err
	}
	return PublishFlow204Response{}, s.deliveries.Note(ctx, actor(ctx), tenant, "flows.publish", id.String(), map[string]any{"version": r.Version})
}
