package analytics

import (
	"github.com/gorilla/mux"

	"parley"
	"parley/ident"
)

// A flow is the way one conversation went (reference 5).
type flow struct {
	BotID          string       `json:"bot_id"`
	ConversationID string       `json:"conversation_id"`
	UserID         string       `json:"user_id"` // "" = anonymous
	Transitions    []transition `json:"transitions"`
}

type transition struct {
	ID        string `json:"id"`
	FromStep  step   `json:"from_step"`
	ToStep    step   `json:"to_step"`
	Depth     int64  `json:"depth"`
	Timestamp string `json:"timestamp"`
}

type step struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

func toStep(p parley.FlowPlace) step { return step{ID: p.Name(), Type: string(p.Type)} }

// flow is operation C.
func (s *Surface) flow(r *request) (any, error) {
	q, err := r.filtered()
	if err != nil {
		return nil, err
	}
	q.Channels, q.Languages = nil, nil // it has no filters
	asked := mux.Vars(r.Request)["conversation_id"]
	id, err := parley.ParseID[parley.Conversation](asked)
	if err != nil || id.IsZero() {
		id = ident.Imported(r.tenant, asked) // it may be what whoever imported it calls it
	}
	f, err := s.statistics.Flow(r.Context(), q, id, r.params.one("message_id"))
	if parley.KindOf(err) == parley.NotFound {
		return nil, errNoConversation
	}
	if err != nil {
		return nil, err
	}
	out := flow{BotID: r.botID, ConversationID: asked, UserID: f.User, Transitions: []transition{}}
	for _, t := range f.Transitions {
		out.Transitions = append(out.Transitions, toTransition(id, f.Visit.Part, t.Depth, &t.Transition))
	}
	return out, nil
}
