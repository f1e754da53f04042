package admin

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"time"

	"parley"
	"parley/directory"
	"parley/rest/api"
	"parley/rest/contract"
)

func toDeadLetter(d parley.DeadLetter) DeadLetter {
	out := DeadLetter{ApplicationId: d.Receiver.Application.String(), Role: ReceiverRole(d.Receiver.Role), ConversationId: d.Message.Conversation.String(),
		Seq: d.Message.Seq, MessageId: d.Message.ID.String(), Type: string(d.Message.Type), State: DeadState(d.State), Reason: d.Reason, At: Time(d.At), Blocks: d.Blocks}
	if !d.Delivery.IsZero() {
		out.Id = d.Delivery.String()
	}
	return out
}

func toAttempt(a parley.LaneAttempt) Attempt {
	return Attempt{ApplicationId: api.Some(a.Receiver.Application.String()), Role: api.Some(ReceiverRole(a.Receiver.Role)), At: Time(a.At), Milliseconds: milliseconds(a.Duration),
		Status: api.Some(a.Status), Problem: api.Some(a.Error), Answer: api.Some(a.Answer)}
}

// A selection is what the parameters and bodies that select dead letters have in common.
type selection struct {
	environment  *EnvironmentID
	application  *ID
	role         *ReceiverRole
	conversation *ID
	state        *DeadState
	reason       *string
	from, to     *Timestamp
}

func (s *selection) query(ctx context.Context) (q parley.DeadLetterQuery, err error) {
	if q.Tenant, err = tenantOf(ctx, s.environment); err != nil {
		return q, err
	}
	if s.application != nil {
		if q.Application, err = parley.ParseID[parley.ClientApplication](*s.application); err != nil {
			return q, &api.Refusal{Code: api.ParameterValue, Key: "applicationId", Msg: "applicationId must be a UUID of 36 characters"}
		}
	}
	if s.conversation != nil {
		if q.Conversation, err = parley.ParseID[parley.Conversation](*s.conversation); err != nil {
			return q, &api.Refusal{Code: api.ParameterValue, Key: "conversationId", Msg: "conversationId must be a UUID of 36 characters"}
		}
	}
	q.Role, q.State, q.Reason = parley.Role(api.Value(s.role)), parley.DeadState(api.Value(s.state)), api.Value(s.reason)
	q.From, q.To = time.Time(api.Value(s.from)), time.Time(api.Value(s.to))
	return q, nil
}

// ListDeadLetters lists them.
func (s *Surface) ListDeadLetters(ctx context.Context, r ListDeadLettersRequestObject) (ListDeadLettersResponseObject, error) {
	p := r.Params
	q, err := (&selection{p.EnvironmentId, p.ApplicationId, p.Role, p.ConversationId, p.State, p.Reason, p.From, p.To}).query(ctx)
	if err != nil {
		return nil, err
	}
	info := pageInfo(p.Pagenum, p.Pagesize)
	page, count, err := s.deliveries.DeadLetters(ctx, actor(ctx), q, (info.Pagenum-1)*info.Pagesize, info.Pagesize)
	info.Count = count
	return ListDeadLetters200JSONResponse{PaginationInfo: info, DeadLetter: append([]DeadLetter{}, api.List(page, toDeadLetter)...)}, err
}

// exportPage is how many are read together.
const exportPage = 500

// ExportDeadLetters writes them as lines. It reads page by page while the caller reads; what is decided meanwhile may so be
// missing, or in its new state.
func (s *Surface) ExportDeadLetters(ctx context.Context, r ExportDeadLettersRequestObject) (ExportDeadLettersResponseObject, error) {
	p := r.Params
	q, err := (&selection{p.EnvironmentId, p.ApplicationId, p.Role, p.ConversationId, p.State, p.Reason, p.From, p.To}).query(ctx)
	if err != nil {
		return nil, err
	}
	first, _, err := s.deliveries.DeadLetters(ctx, actor(ctx), q, 0, exportPage)
	if err != nil {
		return nil, err
	}
	reader, writer := io.Pipe()
	go func() { // ends when the caller closes reader, at the latest
		writer.CloseWithError(s.export(ctx, writer, q, first))
	}()
	return ExportDeadLetters200ApplicationxNdjsonResponse{Body: reader}, nil
}

func (s *Surface) export(ctx context.Context, w io.Writer, q parley.DeadLetterQuery, page []parley.DeadLetter) (err error) {
	lines := json.NewEncoder(w)
	for offset := 0; len(page) > 0; {
		for _, d := range page {
			line := toDeadLetter(d)
			if d.Message.Body.Content != nil {
				line.Text = api.Some(d.Message.Body.Content.Text)
			}
			if err := lines.Encode(line); err != nil {
				return err
			}
		}
		if offset += len(page); len(page) < exportPage {
			return nil
		}
		if page, _, err = s.deliveries.DeadLetters(ctx, actor(ctx), q, offset, exportPage); err != nil {
			return err
		}
	}
	return nil
}

// GetDeadLetter reads one with its attempts and its request.
func (s *Surface) GetDeadLetter(ctx context.Context, r GetDeadLetterRequestObject) (GetDeadLetterResponseObject, error) {
	tenant, id, err := deliveryOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	d, attempts, err := s.deliveries.DeadLetter(ctx, actor(ctx), tenant, id)
	if err != nil {
		return nil, err
	}
	out := GetDeadLetter200JSONResponse{DeadLetter: toDeadLetter(d), Attempts: append([]Attempt{}, api.List(attempts, toAttempt)...)}
	sent, err := s.callbacks.Request(ctx, &d)
	if parley.KindOf(err) == parley.NotFound {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	request := DeadLetterRequest{Method: "POST", Url: sent.URL, Headers: map[string]string{}}
	for name := range sent.Header {
		request.Headers[name] = sent.Header.Get(name)
	}
	for _, body := range sent.Bodies {
		request.Bodies = append(request.Bodies, string(body))
	}
	out.Request = &request
	return out, nil
}

func deliveryOf(ctx context.Context, environment *EnvironmentID, id ID) (tenant parley.TenantID, delivery parley.DeliveryID, err error) {
	if tenant, err = tenantOf(ctx, environment); err != nil {
		return tenant, delivery, err
	}
	delivery, err = contract.IDIn[parley.Delivery](id)
	return tenant, delivery, err
}

// ReplayDeadLetter has one tried again.
func (s *Surface) ReplayDeadLetter(ctx context.Context, r ReplayDeadLetterRequestObject) (ReplayDeadLetterResponseObject, error) {
	tenant, id, err := deliveryOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	if err := s.undecided(ctx, tenant, id, parley.StateReplayed, parley.StateSkipped); err != nil {
		return nil, err
	}
	_, err = s.deliveries.Replay(ctx, actor(ctx), parley.DeadLetterQuery{Tenant: tenant, Delivery: id}, directory.DefaultReplayRate, false)
	return ReplayDeadLetter204Response{}, err
}

// undecided refuses a decision about a dead letter that is in one of the states, in which nothing would come of it.
func (s *Surface) undecided(ctx context.Context, tenant parley.TenantID, id parley.DeliveryID, over ...parley.DeadState) error {
	d, _, err := s.deliveries.DeadLetter(ctx, actor(ctx), tenant, id)
	if err == nil && slices.Contains(over, d.State) {
		return &parley.Error{Kind: parley.Conflict, Msg: "the delivery is " + string(d.State) + " already"}
	}
	return err
}

// SkipDeadLetter gives one up for good.
func (s *Surface) SkipDeadLetter(ctx context.Context, r SkipDeadLetterRequestObject) (SkipDeadLetterResponseObject, error) {
	tenant, id, err := deliveryOf(ctx, r.Params.EnvironmentId, r.Id)
	if err != nil {
		return nil, err
	}
	if err := s.undecided(ctx, tenant, id, parley.StateReplayed); err != nil {
		return nil, err
	}
	_, err = s.deliveries.Skip(ctx, actor(ctx), parley.DeadLetterQuery{Tenant: tenant, Delivery: id}, false)
	return SkipDeadLetter204Response{}, err
}

// ReplayDeadLetters has many tried again.
func (s *Surface) ReplayDeadLetters(ctx context.Context, r ReplayDeadLettersRequestObject) (ReplayDeadLettersResponseObject, error) {
	b := r.Body
	q, err := (&selection{r.Params.EnvironmentId, b.ApplicationId, b.Role, b.ConversationId, nil, b.Reason, b.From, b.To}).query(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.deliveries.Replay(ctx, actor(ctx), q, api.Or(b.RatePerSecond, directory.DefaultReplayRate), api.Value(b.DryRun))
	return ReplayDeadLetters200JSONResponse{Count: n, DryRun: api.Value(b.DryRun)}, err
}

// SkipDeadLetters gives many up for good.
func (s *Surface) SkipDeadLetters(ctx context.Context, r SkipDeadLettersRequestObject) (SkipDeadLettersResponseObject, error) {
	b := r.Body
	q, err := (&selection{r.Params.EnvironmentId, b.ApplicationId, b.Role, b.ConversationId, nil, b.Reason, b.From, b.To}).query(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.deliveries.Skip(ctx, actor(ctx), q, api.Value(b.DryRun))
	return SkipDeadLetters200JSONResponse{Count: n, DryRun: api.Value(b.DryRun)}, err
}

// ListAudit lists what administrators did.
func (s *Surface) ListAudit(ctx context.Context, r ListAuditRequestObject) (ListAuditResponseObject, error) {
	tenant, err := tenantOf(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	page, count, err := s.deliveries.Audit(ctx, actor(ctx), tenant, (info.Pagenum-1)*info.Pagesize, info.Pagesize)
	info.Count = count
	return ListAudit200JSONResponse{PaginationInfo: info, Entry: append([]AuditEntry{}, api.List(page, func(e parley.AuditEntry) AuditEntry {
		return AuditEntry{At: Time(e.At), Actor: e.Actor, Action: e.Action, Subject: e.Subject, Detail: e.Detail}
	})...)}, err
}
