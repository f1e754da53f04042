package admin

import (
	"context"
	"time"

	"parley"
	"parley/rest/api"
)

func toRetention(r parley.RetentionState) Retention {
	out := Retention{Days: toRetentionDays(r.Retention), Modified: someTime(r.Modified), Starts: someTime(r.Starts)}
	for kind, of := range map[parley.RetentionKind]**RetentionRemoved{parley.RetainedMessages: &out.Removed.Messages, parley.RetainedAttachments: &out.Removed.Attachments,
		parley.RetainedAttempts: &out.Removed.Attempts, parley.RetainedAnalytics: &out.Removed.Analytics} {
		if removed := r.Removed[kind]; removed.Count > 0 {
			*of = &RetentionRemoved{Count: removed.Count, Last: Time(removed.Last)}
		}
	}
	return out
}

func toRetentionDays(r parley.Retention) RetentionSettings {
	return RetentionSettings{Messages: &r.Messages, Attachments: &r.Attachments, Attempts: &r.Attempts, Analytics: &r.Analytics}
}

func (s *Surface) retention(ctx context.Context, tenant parley.TenantID) (state parley.RetentionState, err error) {
	err = s.record.View(ctx, func(tx parley.Tx) (err error) {
		state, err = tx.Retention(ctx, tenant)
		return err
	})
	return state, err
}

// GetRetention says for how long an environment keeps things.
func (s *Surface) GetRetention(ctx context.Context, r GetRetentionRequestObject) (GetRetentionResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	state, err := s.retention(ctx, tenant)
	return GetRetention200JSONResponse(toRetention(state)), err
}

// PutRetention changes that.
func (s *Surface) PutRetention(ctx context.Context, r PutRetentionRequestObject) (PutRetentionResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	b := r.Body
	kept := parley.Retention{Messages: api.Value(b.Messages), Attachments: api.Value(b.Attachments), Attempts: api.Value(b.Attempts), Analytics: api.Value(b.Analytics)}
	starts := time.Now().UTC().Truncate(time.Millisecond).Add(s.grace)
	if err := s.record.Update(ctx, func(tx parley.Tx) error { return tx.PutRetention(ctx, tenant, kept, starts) }); err != nil {
		return nil, err
	}
	state, err := s.retention(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return PutRetention200JSONResponse(toRetention(state)), s.deliveries.Note(ctx, actor(ctx), tenant, "retention.settings", "", map[string]any{"days": kept, "starts": starts})
}

// PreviewRetention says what would go.
func (s *Surface) PreviewRetention(ctx context.Context, r PreviewRetentionRequestObject) (PreviewRetentionResponseObject, error) {
	p := r.Params
	tenant, err := s.tenantFor(ctx, p.EnvironmentId)
	if err != nil {
		return nil, err
	}
	kept := parley.Retention{Messages: api.Value(p.Messages), Attachments: api.Value(p.Attachments), Attempts: api.Value(p.Attempts), Analytics: api.Value(p.Analytics)}
	if p.Messages == nil && p.Attachments == nil && p.Attempts == nil && p.Analytics == nil {
		state, err := s.retention(ctx, tenant)
		if err != nil {
			return nil, err
		}
		kept = state.Retention
	}
	var due parley.RetentionDue
	err = s.record.View(ctx, func(tx parley.Tx) (err error) {
		due, err = tx.RetentionDue(ctx, tenant, kept, time.Now())
		return err
	})
	return PreviewRetention200JSONResponse{Days: toRetentionDays(kept), Conversations: due.Conversations, Waiting: due.Waiting, Messages: due.Messages,
		Attachments: due.Attachments, Attempts: due.Attempts, Visits: due.Visits, Events: due.Events}, err
}
