package conversationmgr

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"parley"
	"parley/rest/api"
	"parley/rest/contract"
	"parley/wire"
)

// fetchConversation answers a completed conversation; while it is open, 404-101 (reference section 11).
func (s *Surface) fetchConversation(w http.ResponseWriter, r *http.Request) {
	id, err := contract.IDIn[parley.Conversation](mux.Vars(r)["id"])
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	c, messages, states, err := s.hub.Ended(r.Context(), tenant(r.Context()), id)
	if parley.KindOf(err) == parley.NotFound {
		err = &parley.Error{Kind: parley.NotFound, Msg: "there is no completed conversation of that id", Err: err}
	}
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.appendCompleted(r.Context(), nil, &c, messages, states))
}

// appendCompleted writes the conversation's members at top level, beside its messages.
func (s *Surface) appendCompleted(ctx context.Context, dst []byte, c *parley.Conversation, messages []parley.Message, states parley.DeliveryStates) []byte {
	dst = append(dst, '{')
	dst = wire.AppendConversationMembers(dst, c, true)
	dst = append(dst, `,"messages":{"message":[`...)
	view := wire.View{Conversation: c, Bare: true, AsSent: true, Masked: true, Internal: true, AssetURL: func(id parley.AssetID) string {
		url, err := s.assets.DownloadURL(ctx, c.Tenant, id)
		if err != nil {
			s.log.ErrorContext(ctx, "link to an asset", "asset", id.String(), "error", err)
		}
		return url
	}}
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		m := &messages[i]
		view.Status = status(c, m, states)
		view.Sent = states.Sent[m.Seq]
		if view.Status == statusSent && view.Sent.IsZero() {
			view.Sent = m.Created // over WebSocket: to be seen from the moment it was stored
		}
		dst = wire.Append(dst, m, view)
	}
	return append(dst, `]}}`...)
}

// The states of a message (reference section 11).
const (
	statusSent    = "sent"
	statusPending = "pending"
	statusFailed  = "failed"
)

// status is how far a message got: failed if it was given up for someone, pending while someone is owed it, else sent.
// Parties without a lane are reached over WebSocket and read from the record themselves.
func status(c *parley.Conversation, m *parley.Message, states parley.DeliveryStates) string {
	if _, dead := states.Dead[m.Seq]; dead {
		return statusFailed
	}
	for slot := range c.State.Parties {
		if acked, lane := states.Acked[slot]; lane && m.To&(1<<slot) != 0 && acked < m.Seq {
			return statusPending
		}
	}
	return statusSent
}
