package admin

import (
	"context"
	"strings"
	"time"

	"parley"
	"parley/insight/figures"
)

func toFigures(p parley.FigureProgress) FiguresStatus {
	out := FiguresStatus{Generation: p.Generation, Rebuilt: someTime(p.BuildEnded)}
	if p.Building != 0 {
		out.Rebuild = &struct {
			Began Timestamp `json:"began"`
			Done  int64     `json:"done"`
			Total int64     `json:"total"`
		}{Time(p.BuildBegan), p.Built, p.BuildUntil}
	}
	return out
}

// GetFigures says how far counting is.
func (s *Surface) GetFigures(ctx context.Context, _ GetFiguresRequestObject) (GetFiguresResponseObject, error) {
	var p parley.FigureProgress
	err := s.record.View(ctx, func(tx parley.Tx) (err error) {
		p, err = tx.FigureProgress(ctx)
		return err
	})
	return GetFigures200JSONResponse(toFigures(p)), err
}

// RebuildFigures has everything counted anew.
func (s *Surface) RebuildFigures(ctx context.Context, _ RebuildFiguresRequestObject) (RebuildFiguresResponseObject, error) {
	tenant := parley.TenantID(as(ctx))
	if tenant != parley.DefaultTenant {
		return nil, &parley.Error{Kind: parley.Forbidden, Msg: "it concerns every environment: only administrators of the default one may ask for it"}
	}
	p, err := figures.Rebuild(ctx, s.record, time.Now().UTC().Truncate(time.Millisecond))
	if err != nil {
		return nil, err
	}
	return RebuildFigures202JSONResponse(toFigures(p)), s.deliveries.Note(ctx, actor(ctx), tenant, "figures.rebuild", "", map[string]any{"total": p.BuildUntil})
}

func toFigureSettings(s parley.FigureSettings) FigureSettings {
	out := FigureSettings{SilenceSeconds: s.Silence}
	if out.SilenceSeconds == nil {
		out.SilenceSeconds = map[string]int64{}
	}
	return out
}

// GetFigureSettings says how conversations of an environment are counted.
func (s *Surface) GetFigureSettings(ctx context.Context, r GetFigureSettingsRequestObject) (GetFigureSettingsResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	var settings parley.FigureSettings
	err = s.record.View(ctx, func(tx parley.Tx) (err error) {
		settings, err = tx.FigureSettings(ctx, tenant)
		return err
	})
	return GetFigureSettings200JSONResponse(toFigureSettings(settings)), err
}

// PutFigureSettings changes that.
func (s *Surface) PutFigureSettings(ctx context.Context, r PutFigureSettingsRequestObject) (PutFigureSettingsResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	settings := parley.FigureSettings{Silence: map[string]int64{}}
	for channel, seconds := range r.Body.SilenceSeconds {
		settings.Silence[strings.ToLower(channel)] = seconds
	}
	if err := s.record.Update(ctx, func(tx parley.Tx) error { return tx.PutFigureSettings(ctx, tenant, settings) }); err != nil {
		return nil, err
	}
	return PutFigureSettings200JSONResponse(toFigureSettings(settings)), s.deliveries.Note(ctx, actor(ctx), tenant, "figures.settings", "", map[string]any{"silenceSeconds": settings.Silence})
}
