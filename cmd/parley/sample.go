package main

import (
	"context"
	"time"

	"parley"
	"parley/hub"
)

// say posts one message and returns its conversation.
func (n *node) say(ctx context.Context, d parley.Draft) (parley.ConversationID, error) {
	posted, err := n.hub.Post(ctx, hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "demo", Drafts: []parley.Draft{d}})
	if err != nil {
		return parley.ConversationID{}, err
	}
	return posted[0].Conversation, nil
}

// A listener tells that something happened in a conversation; it implements hub.Subscriber.
type listener chan struct{}

// Deliver implements hub.Subscriber.
func (l listener) Deliver(*hub.Event) {
	select {
	case l <- struct{}{}:
	default:
	}
}

// heard returns once a conversation is as it is waited for.
func (n *node) heard(ctx context.Context, id parley.ConversationID, done func(parley.Conversation) bool) error {
	something := make(listener, 1)
	cancel := n.hub.Subscribe(parley.DefaultTenant, id, something)
	defer cancel()
	for {
		c, _, err := n.hub.Conversation(ctx, parley.Speaker{Tenant: parley.DefaultTenant}, id)
		if err != nil || done(c) {
			return err
		}
		select {
		case <-something:
		case <-time.After(time.Second): // should an event be lost
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
