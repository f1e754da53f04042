package analytics

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"parley"
)

// A subscription as it is shown: without its secret.
type subscription struct {
	ID         string   `json:"id"`
	BotID      string   `json:"bot_id"`
	BotVersion string   `json:"bot_version"`
	Target     string   `json:"target"`
	EventType  string   `json:"event_type"`
	EventNames []string `json:"event_names"`
	Version    string   `json:"version"`
	Status     string   `json:"status"`
	CreatedAt  string   `json:"created_at"`
}

// payloadVersion is that of what notifications look like; there is one.
const payloadVersion = "v1"

func toSubscription(s *parley.Subscription) subscription {
	return subscription{ID: s.ID.String(), BotID: s.Bot.String(), BotVersion: s.Version, Target: s.Target, EventType: string(s.Type), EventNames: append([]string{}, s.Names...),
		Version: payloadVersion, Status: string(s.Status), CreatedAt: timestamp(s.Created.UnixMilli())}
}

// A subscriptionBody is what a subscription is made of.
type subscriptionBody struct {
	BotVersion string   `json:"bot_version"`
	Target     string   `json:"target"`
	Secret     string   `json:"secret"`
	EventType  string   `json:"event_type"`
	EventNames []string `json:"event_names"`
	Version    string   `json:"version"`
}

var errNoSubscription = &refusal{status: http.StatusNotFound, msg: "subscription not found"}

// subscribe makes a subscription, whose target is asked whether it wants to be told before it is told anything.
func (s *Surface) subscribe(r *request) (any, error) {
	var body subscriptionBody
	if err := r.body(&body); err != nil {
		return nil, err
	}
	if body.Version != "" && body.Version != payloadVersion {
		return nil, invalid("version must be v1")
	}
	made, err := s.Subscriptions.Create(r.Context(), parley.Subscription{Tenant: r.tenant, Bot: r.bot, Version: strings.ToUpper(body.BotVersion),
		Type: parley.EventType(body.EventType), Names: body.EventNames, Target: body.Target, Secret: body.Secret})
	if e, ok := errors.AsType[*parley.Error](err); ok && e.Kind == parley.Invalid {
		return nil, invalid("%s %s", e.Field, e.Msg)
	}
	return struct {
		Subscription subscription `json:"subscription"`
	}{toSubscription(&made)}, err
}

// subscriptions are those of a bot.
func (s *Surface) subscriptions(r *request) (any, error) {
	all, err := s.Subscriptions.List(r.Context(), r.tenant, r.bot)
	out := struct {
		Subscriptions []subscription `json:"subscriptions"`
	}{Subscriptions: []subscription{}}
	for i := range all {
		out.Subscriptions = append(out.Subscriptions, toSubscription(&all[i]))
	}
	return out, err
}

// unsubscribe ends a subscription.
func (s *Surface) unsubscribe(r *request) (any, error) {
	id, err := parley.ParseID[parley.Subscription](mux.Vars(r.Request)["subscription_id"])
	if err != nil {
		return nil, errNoSubscription
	}
	err = s.Subscriptions.Delete(r.Context(), r.tenant, r.bot, id)
	if parley.KindOf(err) == parley.NotFound {
		return nil, errNoSubscription
	}
	return struct{}{}, err
}
