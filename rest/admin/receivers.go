package admin

import (
	"context"
	"time"

	"parley"
	"parley/directory"
	"parley/dispatch"
	"parley/rest/api"
	"parley/rest/contract"
)

// Callbacks is what the surface asks of dispatch.
type Callbacks interface {
	Try(ctx context.Context, of parley.Receiver) (dispatch.Tryout, error)
	Request(ctx context.Context, dead *parley.DeadLetter) (dispatch.Sent, error)
}

// tenantOf is the environment that a request is about.
func tenantOf(ctx context.Context, id *EnvironmentID) (parley.TenantID, error) {
	if id == nil {
		return api.GrantOf(ctx).Tenant, nil
	}
	tenant, err := parley.ParseID[parley.Tenant](*id)
	if err != nil {
		return tenant, &api.Refusal{Code: api.ParameterValue, Key: "environmentId", Msg: "environmentId must be a UUID of 36 characters"}
	}
	return tenant, nil
}

// actor is who acts in a request.
func actor(ctx context.Context) directory.Actor {
	return directory.Actor{Administrator: as(ctx), Client: api.GrantOf(ctx).Client.String()}
}

// receiverOf is the receiver that a path names.
func receiverOf(ctx context.Context, environment *EnvironmentID, id ID, role ReceiverRole) (of parley.Receiver, err error) {
	if of.Tenant, err = tenantOf(ctx, environment); err != nil {
		return of, err
	}
	of.Application, err = contract.IDIn[parley.ClientApplication](id)
	of.Role = parley.Role(role)
	return of, err
}

func someTime(t time.Time) *Timestamp {
	if t.IsZero() {
		return nil
	}
	return new(Time(t))
}

func toHealth(h parley.Health) Health {
	out := Health{State: Ok, Reason: api.Some(h.Disabled), FailingSince: someTime(h.Failing), BrokenUntil: someTime(h.Broken), Owing: h.Owing,
		OldestDue: someTime(h.Oldest), Blocked: h.Blocked, Dead: h.Dead}
	switch {
	case h.Disabled != "":
		out.State = Disabled
	case !h.Broken.IsZero():
		out.State = Broken
	case !h.Failing.IsZero():
		out.State = Failing
	}
	return out
}

func toReceiver(of parley.Receiver, role parley.ApplicationRole, h parley.Health) Receiver {
	now := time.Now()
	d := role.Delivery
	out := Receiver{ApplicationId: of.Application.String(), Role: ReceiverRole(of.Role), Callback: api.Some(role.Callback), LanePolicy: Skip,
		Concurrency: api.Some(d.AtOnce), RatePerSecond: api.Some(d.PerSecond), DisableAfterHours: api.Some(d.DisableAfter.Hours()),
		SecretShown: api.Some(role.Signing.Shown), Health: toHealth(h)}
	if d.Block {
		out.LanePolicy = Block
	}
	if d.Schedule != nil {
		out.ScheduleSeconds = new(api.List(d.Schedule, time.Duration.Seconds))
	}
	if role.Signing.Old != "" && now.Before(role.Signing.OldUntil) {
		out.OldSecretUntil = someTime(role.Signing.OldUntil)
	}
	return out
}

// ListReceivers lists the roles to which something was sent. One whose role is gone has no settings any more.
func (s *Surface) ListReceivers(ctx context.Context, r ListReceiversRequestObject) (ListReceiversResponseObject, error) {
	tenant, err := tenantOf(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	all, err := s.deliveries.Healths(ctx, actor(ctx), tenant)
	if err != nil {
		return nil, err
	}
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	page := []Receiver{}
	for _, h := range cut(all, &info) {
		role, err := s.receivers.Role(ctx, as(ctx), h.Receiver)
		if err != nil && parley.KindOf(err) != parley.NotFound {
			return nil, err
		}
		page = append(page, toReceiver(h.Receiver, role, h))
	}
	return ListReceivers200JSONResponse{PaginationInfo: info, Receiver: page}, nil
}

// GetReceiver reads one.
func (s *Surface) GetReceiver(ctx context.Context, r GetReceiverRequestObject) (GetReceiverResponseObject, error) {
	of, err := receiverOf(ctx, r.Params.EnvironmentId, r.Id, r.Role)
	if err != nil {
		return nil, err
	}
	role, err := s.receivers.Role(ctx, as(ctx), of)
	if err != nil {
		return nil, err
	}
	h, err := s.deliveries.Health(ctx, actor(ctx), of)
	return GetReceiver200JSONResponse(toReceiver(of, role, h)), err
}

// UpdateReceiver changes what the body names.
func (s *Surface) UpdateReceiver(ctx context.Context, r UpdateReceiverRequestObject) (UpdateReceiverResponseObject, error) {
	of, err := receiverOf(ctx, r.Params.EnvironmentId, r.Id, r.Role)
	if err != nil {
		return nil, err
	}
	err = s.receivers.Change(ctx, as(ctx), of, func(d *parley.DeliverySettings) {
		if r.Body.LanePolicy != nil {
			d.Block = *r.Body.LanePolicy == Block
		}
		if r.Body.ScheduleSeconds != nil {
			d.Schedule = nil
			for _, seconds := range *r.Body.ScheduleSeconds {
				d.Schedule = append(d.Schedule, time.Duration(seconds*float64(time.Second)))
			}
		}
		d.AtOnce = api.Or(r.Body.Concurrency, d.AtOnce)
		d.PerSecond = api.Or(r.Body.RatePerSecond, d.PerSecond)
		if r.Body.DisableAfterHours != nil {
			d.DisableAfter = time.Duration(*r.Body.DisableAfterHours * float64(time.Hour))
		}
	})
	if err != nil {
		return nil, err
	}
	return UpdateReceiver204Response{}, s.deliveries.Note(ctx, actor(ctx), of.Tenant, "receivers.update", subject(of), map[string]any{"changes": r.Body})
}

// subject is a receiver in the audit log.
func subject(of parley.Receiver) string { return of.Application.String() + " " + string(of.Role) }

// ShowSigningSecret tells the first secret, once.
func (s *Surface) ShowSigningSecret(ctx context.Context, r ShowSigningSecretRequestObject) (ShowSigningSecretResponseObject, error) {
	of, err := receiverOf(ctx, r.Params.EnvironmentId, r.Id, r.Role)
	if err != nil {
		return nil, err
	}
	secret, err := s.receivers.Secret(ctx, as(ctx), of)
	if err != nil {
		return nil, err
	}
	return ShowSigningSecret200JSONResponse{Secret: secret}, s.deliveries.Note(ctx, actor(ctx), of.Tenant, "secrets.show", subject(of), nil)
}

// RenewSigningSecret makes a new one; it is in this answer and nowhere else.
func (s *Surface) RenewSigningSecret(ctx context.Context, r RenewSigningSecretRequestObject) (RenewSigningSecretResponseObject, error) {
	of, err := receiverOf(ctx, r.Params.EnvironmentId, r.Id, r.Role)
	if err != nil {
		return nil, err
	}
	secret, err := s.receivers.RenewSecret(ctx, as(ctx), of)
	if err != nil {
		return nil, err
	}
	return RenewSigningSecret201JSONResponse{Secret: secret}, s.deliveries.Note(ctx, actor(ctx), of.Tenant, "secrets.renew", subject(of), nil)
}

// DisableReceiver stops what is sent to one.
func (s *Surface) DisableReceiver(ctx context.Context, r DisableReceiverRequestObject) (DisableReceiverResponseObject, error) {
	of, err := receiverOf(ctx, r.Params.EnvironmentId, r.Id, r.Role)
	if err != nil {
		return nil, err
	}
	if _, err := s.receivers.Role(ctx, as(ctx), of); err != nil {
		return nil, err
	}
	return DisableReceiver204Response{}, s.deliveries.Switch(ctx, actor(ctx), of, r.Body.Reason)
}

// EnableReceiver lets it go on.
func (s *Surface) EnableReceiver(ctx context.Context, r EnableReceiverRequestObject) (EnableReceiverResponseObject, error) {
	of, err := receiverOf(ctx, r.Params.EnvironmentId, r.Id, r.Role)
	if err != nil {
		return nil, err
	}
	if _, err := s.receivers.Role(ctx, as(ctx), of); err != nil {
		return nil, err
	}
	return EnableReceiver204Response{}, s.deliveries.Switch(ctx, actor(ctx), of, "")
}

// TestReceiver sends a marked message to a role.
func (s *Surface) TestReceiver(ctx context.Context, r TestReceiverRequestObject) (TestReceiverResponseObject, error) {
	of, err := receiverOf(ctx, r.Params.EnvironmentId, r.Id, r.Body.Role)
	if err != nil {
		return nil, err
	}
	if _, err := s.receivers.Role(ctx, as(ctx), of); err != nil {
		return nil, err
	}
	t, err := s.callbacks.Try(ctx, of)
	if err != nil {
		return nil, err
	}
	out := TestResult{Id: t.Delivery.String(), Outcome: Outcome(t.Outcome.String()), Status: api.Some(t.Status), Problem: api.Some(t.Problem), Answer: api.Some(t.Answer),
		Milliseconds: milliseconds(t.Took), Signed: t.Signed}
	return TestReceiver200JSONResponse(out), s.deliveries.Note(ctx, actor(ctx), of.Tenant, "receivers.test", subject(of), map[string]any{"outcome": out.Outcome})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
