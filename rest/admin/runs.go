package admin

import (
	"context"
	"time"

	"parley"
	"parley/insight"
	"parley/rest/api"
	"parley/rest/contract"
)

func toRun(j parley.Job) Run {
	r := Run{Id: j.ID.String(), Status: RunStatus(j.Status), Done: j.Done, Total: j.Total, From: someTime(j.Request.From), Until: someTime(j.Request.Until),
		Reason: api.Some(j.Reason), Created: Time(j.Created), Finished: someTime(j.Finished)}
	r.TrackerIds = api.SomeList(api.List(j.Request.Only, parley.Number.String))
	return r
}

// ListRuns lists those of one environment.
func (s *Surface) ListRuns(ctx context.Context, r ListRunsRequestObject) (ListRunsResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	var before parley.JobID
	if r.Params.Before != nil {
		if before, err = parley.ParseID[parley.Job](*r.Params.Before); err != nil {
			return nil, &api.Refusal{Code: api.ParameterValue, Key: "before", Msg: "before must be a UUID of 36 characters"}
		}
	}
	page, err := s.runs.List(ctx, tenant, before, api.Or(r.Params.Pagesize, defaultSize))
	return ListRuns200JSONResponse{Run: append([]Run{}, api.List(page, toRun)...)}, err
}

// StartRun begins one.
func (s *Surface) StartRun(ctx context.Context, r StartRunRequestObject) (StartRunResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	wanted := insight.Run{From: time.Time(api.Value(r.Body.From)), Until: time.Time(api.Value(r.Body.Until))}
	for _, id := range api.Value(r.Body.TrackerIds) {
		n, err := parley.ParseNumber(id)
		if err != nil {
			return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "trackerIds", Msg: "there is no tracker of an id"}
		}
		wanted.Trackers = append(wanted.Trackers, n)
	}
	j, err := s.runs.Start(ctx, tenant, wanted)
	if err != nil {
		return nil, err
	}
	return StartRun201JSONResponse(toRun(j)), s.deliveries.Note(ctx, actor(ctx), tenant, "runs.start", j.ID.String(), map[string]any{"request": r.Body})
}

// runOf is the run that a path names.
func (s *Surface) runOf(ctx context.Context, environment *EnvironmentID, id ID) (parley.TenantID, parley.JobID, error) {
	tenant, err := s.tenantFor(ctx, environment)
	if err != nil {
		return tenant, parley.JobID{}, err
	}
	run, err := contract.IDIn[parley.Job](id)
	return tenant, run, err
}

// GetRun reads one.
func (s *Surface) GetRun(ctx context.Context, r GetRunRequestObject) (GetRunResponseObject, error) {
	tenant, id, err := s.runOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	j, err := s.runs.Find(ctx, tenant, id)
	return GetRun200JSONResponse(toRun(j)), err
}

// CancelRun ends one.
func (s *Surface) CancelRun(ctx context.Context, r CancelRunRequestObject) (CancelRunResponseObject, error) {
	tenant, id, err := s.runOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	j, err := s.runs.Cancel(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	return CancelRun200JSONResponse(toRun(j)), s.deliveries.Note(ctx, actor(ctx), tenant, "runs.cancel", j.ID.String(), nil)
}
