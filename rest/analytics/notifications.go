package analytics

import (
	"encoding/json"
	"fmt"

	"parley"
)

// Notifications are what subscriptions' targets are sent, in the form of the surface.
type Notifications struct{}

// shownSubscription is a subscription in what its target gets, which knows its own address.
func shownSubscription(s *parley.Subscription) map[string]any {
	return map[string]any{"id": s.ID.String(), "bot_id": s.Bot.String(), "bot_version": s.Version, "event_type": string(s.Type), "event_names": append([]string{}, s.Names...),
		"version": payloadVersion, "status": string(s.Status), "created_at": timestamp(s.Created.UnixMilli())}
}

// Challenge asks a target whether it wants to be told.
func (Notifications) Challenge(s *parley.Subscription, challenge string) ([]byte, error) {
	return json.Marshal(map[string]any{"subscription": shownSubscription(s), "challenge": challenge})
}

// Revocation says that a target is told no more.
func (Notifications) Revocation(s *parley.Subscription) ([]byte, error) {
	return json.Marshal(map[string]any{"subscription": shownSubscription(s)})
}

// A toldMessage is a message in a notification: not what it says.
type toldMessage struct {
	BotID          string `json:"bot_id"`
	ConversationID string `json:"conversation_id"`
	UserID         string `json:"user_id"`
	MessageID      string `json:"message_id"`
	Sender         string `json:"sender"`
	Type           string `json:"type"`
	Timestamp      string `json:"timestamp"`
}

// A toldTransition is a transition in a notification.
type toldTransition struct {
	BotID          string     `json:"bot_id"`
	ConversationID string     `json:"conversation_id"`
	UserID         string     `json:"user_id"`
	Transition     transition `json:"transition"`
}

// Notification tells of one thing; false if what it was about is gone.
func (Notifications) Notification(s *parley.Subscription, n *parley.Notification) ([]byte, bool, error) {
	var told any
	switch {
	case n.Event != nil:
		told = toEvent(n.Event)
	case n.Message != nil:
		m := n.Message
		told = toldMessage{s.Bot.String(), m.Conversation.String(), m.User, m.ID.String(), m.Sender, string(m.Type), timestamp(m.At.UnixMilli())}
	case n.Transition != nil:
		t := n.Transition
		told = toldTransition{s.Bot.String(), t.Conversation.String(), t.User, toTransition(t.Conversation, t.Part, t.Depth, &t.Transition)}
	default:
		return nil, false, nil
	}
	body, err := json.Marshal(map[string]any{"subscription": shownSubscription(s), "event": told})
	return body, true, err
}

func toTransition(conversation parley.ConversationID, part, depth int, t *parley.Transition) transition {
	return transition{ID: fmt.Sprintf("%s.%d.%d", conversation, part, depth), FromStep: toStep(t.From), ToStep: toStep(t.To), Depth: int64(depth), Timestamp: timestamp(t.At)}
}
