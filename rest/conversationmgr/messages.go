package conversationmgr

import (
	"errors"
	"net/http"
	"strings"

	"parley"
	"parley/hub"
	"parley/rest/api"
	"parley/wire"
)

// sendMessage accepts messages: 202 says that they are stored, not that they were delivered (reference 9.6).
func (s *Surface) sendMessage(w http.ResponseWriter, r *http.Request) {
	posted, err := s.post(r)
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(appendPosted(make([]byte, 0, 256), posted))
}

func (s *Surface) post(r *http.Request) ([]hub.Posted, error) {
	raw, err := api.ReadJSON(r)
	if err != nil {
		return nil, err
	}
	drafts, err := wire.DecodeEnvelope(raw)
	if err != nil {
		return nil, err
	}
	posted, err := s.hub.Post(r.Context(), hub.PostRequest{Speaker: api.GrantOf(r.Context()).Speaker, Surface: "conversationmgr", Trace: api.Traceparent(r.Context()), Drafts: drafts})
	if err != nil {
		return nil, located(err, len(drafts))
	}
	return posted, nil
}

// located gives the member that the hub blames its full path. With several messages the hub says which one.
func located(err error, messages int) error {
	e, ok := errors.AsType[*parley.Error](err)
	if !ok || e.Field == "" || messages != 1 || strings.HasPrefix(e.Field, "messages.") {
		return err
	}
	full := *e
	full.Field = wire.Path(0) + "." + e.Field
	return &full
}

// appendPosted writes an entry for each message, in order; clients read messages.message[0].conversation.id.
func appendPosted(dst []byte, posted []hub.Posted) []byte {
	dst = append(dst, `{"messages":{"message":[`...)
	for i, p := range posted {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":"`...)
		dst = append(dst, p.ID.String()...)
		dst = append(dst, `","messageId":`...)
		dst = wire.Quote(dst, p.MessageID)
		dst = append(dst, `,"conversation":{`...)
		if !p.Conversation.IsZero() {
			dst = append(dst, `"id":"`...)
			dst = append(dst, p.Conversation.String()...)
			dst = append(dst, '"')
		}
		dst = append(dst, `}}`...)
	}
	return append(dst, `]}}`...)
}
