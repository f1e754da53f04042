package admin

import (
	"context"

	"parley"
	"parley/insight"
	"parley/rest/api"
	"parley/rest/contract"
)

func toTracker(t parley.Tracker) Tracker {
	return Tracker{Id: t.Number.String(), Name: t.Name, Languages: t.Languages, Phrases: len(t.Vocabulary), Label: api.Some(t.Action.Label),
		Callback: t.Action.Callback, HandOver: t.Action.HandOver, ToApplicationId: api.Some(t.Action.To.String())}
}

// tenantFor is the environment that a request is about, if whoever asks looks after it.
func (s *Surface) tenantFor(ctx context.Context, id *EnvironmentID) (parley.TenantID, error) {
	tenant, err := tenantOf(ctx, id)
	if err != nil {
		return tenant, err
	}
	_, err = s.administration.Environment(ctx, as(ctx), tenant)
	return tenant, err
}

// trackerOf is the tracker that a path names.
func trackerOf(id string) (parley.Number, error) {
	n, err := parley.ParseNumber(id)
	if err != nil {
		return 0, &parley.Error{Kind: parley.NotFound, Msg: "tracker not found"}
	}
	return n, nil
}

// ListTrackers lists those of one environment.
func (s *Surface) ListTrackers(ctx context.Context, r ListTrackersRequestObject) (ListTrackersResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	all, err := s.trackers.List(ctx, tenant, nil)
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	return ListTrackers200JSONResponse{PaginationInfo: info, Tracker: append([]Tracker{}, api.List(cut(all, &info), toTracker)...)}, err
}

// GetTracker reads one.
func (s *Surface) GetTracker(ctx context.Context, r GetTrackerRequestObject) (GetTrackerResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	n, err := trackerOf(r.Id)
	if err != nil {
		return nil, err
	}
	t, err := s.trackers.Find(ctx, tenant, n)
	return GetTracker200JSONResponse(toTracker(t)), err
}

// UpdateTracker changes what its hits do.
func (s *Surface) UpdateTracker(ctx context.Context, r UpdateTrackerRequestObject) (UpdateTrackerResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	n, err := trackerOf(r.Id)
	if err != nil {
		return nil, err
	}
	var to *parley.ApplicationID
	if id := r.Body.ToApplicationId; id != nil {
		to = new(parley.ApplicationID)
		if *id != "" {
			if *to, err = parley.ParseID[parley.ClientApplication](*id); err != nil {
				return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "toApplicationId", Msg: "there is no client application of that id in the environment"}
			}
		}
	}
	_, err = s.trackers.Act(ctx, tenant, n, func(a *parley.TrackerAction) {
		a.Label, a.Callback, a.HandOver, a.To = api.Or(r.Body.Label, a.Label), api.Or(r.Body.Callback, a.Callback), api.Or(r.Body.HandOver, a.HandOver), api.Or(to, a.To)
	})
	if err != nil {
		return nil, err
	}
	return UpdateTracker204Response{}, s.deliveries.Note(ctx, actor(ctx), tenant, "trackers.update", n.String(), map[string]any{"changes": r.Body})
}

// TryDetection finds what there is in a sentence.
func (s *Surface) TryDetection(ctx context.Context, r TryDetectionRequestObject) (TryDetectionResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	t := insight.Trial{Text: r.Body.Text, Language: api.Value(r.Body.Language), Only: api.Value(r.Body.OnlyThese)}
	for _, x := range api.Value(r.Body.Trackers) {
		t.Trackers = append(t.Trackers, parley.Tracker{Name: x.Name, Vocabulary: x.Vocabulary, Exclude: api.Value(x.ExcludeVocabulary)})
	}
	trackers, entities, err := s.found.Try(ctx, tenant, t)
	return TryDetection200JSONResponse{Tracker: toTrackerHits(trackers, nil), Entity: toEntityHits(entities, nil)}, err
}

// messageOf names the message of a hit, if it is in one.
func messageOf(seq int64, messages map[int64]parley.MessageID) (*int64, *ID) {
	if messages == nil {
		return nil, nil
	}
	return &seq, new(messages[seq].String())
}

func toTrackerHits(all []parley.TrackerHit, messages map[int64]parley.MessageID) []TrackerHit {
	hits := []TrackerHit{}
	for _, h := range all {
		hit := TrackerHit{Id: h.Tracker.String(), Name: h.Name, Phrase: h.Value, Offset: h.Offset, Length: h.Length, Similarity: h.Similarity, Words: append([]string{}, h.Words...)}
		hit.Seq, hit.MessageId = messageOf(h.Seq, messages)
		hits = append(hits, hit)
	}
	return hits
}

func toEntityHits(all []parley.EntityHit, messages map[int64]parley.MessageID) []EntityHit {
	hits := []EntityHit{}
	for _, h := range all {
		hit := EntityHit{Type: h.Type, SubType: h.SubType, Category: h.Category, Value: h.Value, Offset: h.Offset, Length: h.Length}
		if h.Entity != 0 {
			hit.Id = new(h.Entity.String())
		}
		hit.Seq, hit.MessageId = messageOf(h.Seq, messages)
		hits = append(hits, hit)
	}
	return hits
}

// ReadHits tells what was found in a conversation.
func (s *Surface) ReadHits(ctx context.Context, r ReadHitsRequestObject) (ReadHitsResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	id, err := contract.IDIn[parley.Conversation](r.Id)
	if err != nil {
		return nil, err
	}
	h, err := s.found.Hits(ctx, tenant, id)
	if parley.KindOf(err) == parley.NotFound { // not as a sender would hear it, who starts a new one
		return nil, &parley.Error{Kind: parley.NotFound, Msg: "conversation not found"}
	}
	if err != nil {
		return nil, err
	}
	out := ReadHits200JSONResponse{ConversationId: id.String(), Seq: h.Insight.Seq, LastSeq: h.LastSeq, Label: append([]string{}, h.Insight.Labels...),
		Tracker: toTrackerHits(h.Trackers, h.Messages), Entity: toEntityHits(h.Entities, h.Messages)}
	if h.Insight.Number != 0 {
		out.Number = new(h.Insight.Number.String())
	}
	return out, nil
}
