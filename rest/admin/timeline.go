package admin

import (
	"context"
	"strings"
	"time"

	"parley"
	"parley/directory"
	"parley/rest/api"
	"parley/rest/contract"
)

// ReadTimeline tells what happened to the messages of a conversation.
func (s *Surface) ReadTimeline(ctx context.Context, r ReadTimelineRequestObject) (ReadTimelineResponseObject, error) {
	tenant, err := tenantOf(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	id, err := contract.IDIn[parley.Conversation](r.Id)
	if err != nil {
		return nil, err
	}
	c, page, refused, err := s.deliveries.Timeline(ctx, actor(ctx), tenant, id, api.Value(r.Params.After), api.Or(r.Params.Pagesize, defaultSize))
	if err != nil {
		return nil, err
	}
	out := ReadTimeline200JSONResponse{ConversationId: c.ID.String(), Status: TimelineStatus(c.Status), LastSeq: c.Seq, Message: []TimelineMessage{}, Refused: append([]TimelineRefused{}, api.List(refused, toRefused)...)}
	for i := range page {
		out.Message = append(out.Message, toTimeline(&c, &page[i]))
	}
	return out, nil
}

func toRefused(r parley.Refused) TimelineRefused {
	out := TimelineRefused{After: r.Seq, Sender: string(r.Sender), Type: string(r.Type), Text: api.Some(r.Text), Reason: r.Reason, At: Time(r.At)}
	if !r.Application.IsZero() {
		out.ApplicationId = new(r.Application.String())
	}
	return out
}

func toTimeline(c *parley.Conversation, moment *directory.Moment) TimelineMessage {
	m := &moment.Message
	out := TimelineMessage{Seq: m.Seq, Id: m.ID.String(), Type: string(m.Type), Sender: string(m.Sender), Accepted: Time(m.Created), Explanation: m.Explanation,
		TraceId: api.Some(traceID(m.Body.Trace)), Recipients: []TimelineRecipient{}, Attempts: append([]Attempt{}, api.List(moment.Attempts, toAttempt)...)}
	for slot, p := range c.State.Parties {
		if m.To&(int64(1)<<slot) == 0 {
			continue
		}
		to := TimelineRecipient{Role: string(p.Role), Name: api.Some(p.Name)}
		if !p.Application.IsZero() {
			to.ApplicationId = new(p.Application.String())
		}
		for _, a := range moment.Attempts {
			if a.Slot != slot {
				continue
			}
			to.Delivered = nil // of several requests, as for a transcript, the last one counts
			if a.Error == "" { // 2xx, or a session, which has no status, said so
				to.Delivered = someTime(a.At.Add(a.Duration).Truncate(time.Millisecond))
			}
		}
		for _, d := range moment.Dead {
			if d.Receiver.Application == p.Application && d.Receiver.Role == p.Role {
				to.Dead, to.Reason = new(DeadState(d.State)), api.Some(d.Reason)
			}
		}
		for _, mark := range moment.Shown {
			if mark.Slot == slot {
				to.Shown = someTime(mark.At)
			}
		}
		for _, mark := range moment.Read {
			if mark.Slot == slot {
				to.Read = someTime(mark.At)
			}
		}
		out.Recipients = append(out.Recipients, to)
	}
	return out
}

// traceID is the trace of a traceparent (W3C Trace Context: version-trace-span-flags).
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 {
		return ""
	}
	return parts[1]
}
