package agentapi

import (
	"context"
	"encoding/json"
	"net/textproto"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"golang.org/x/net/http/httpguts"

	"parley"
	"parley/rest/api"
)

// webhook is one as it is shown (reference 5).
type webhook struct {
	ID          string            `json:"id"`
	AgentID     string            `json:"agentId"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	URL         string            `json:"url"`
	Trigger     string            `json:"triggerCondition"`
	Headers     map[string]string `json:"headers,omitempty"`
	Status      string            `json:"status"`
	CreatedAt   api.Time          `json:"createdAt"`
	UpdatedAt   api.Time          `json:"updatedAt"`
}

// createWebhook has events of the agent sent somewhere. They are deliveries like all others: in order, signed, and tried again.
func (s *Surface) createWebhook(r *request) (answer, error) {
	b, err := read(r)
	if err != nil {
		return answer{}, err
	}
	hook := parley.Hook{Agent: r.agent.ID, Title: b.required("title", maxShort), Description: b.required("description", maxLong)}
	url := b.required("url", maxLong)
	var triggers []string
	for _, t := range parley.HookTriggers() {
		triggers = append(triggers, string(t))
	}
	hook.Trigger = parley.HookTrigger(b.requiredChoice("triggerCondition", triggers...))
	headers := readHeaders(b)
	if err := b.err(); err != nil {
		return answer{}, err
	}
	app, err := s.Channels.AddHook(r.Context(), r.tenant, hook, url, headers)
	if err != nil {
		return answer{}, err
	}
	out := webhook{ID: app.ID.String(), AgentID: r.agent.ID.String(), Title: hook.Title, Description: hook.Description, URL: url, Trigger: string(hook.Trigger), Status: "active",
		CreatedAt: api.Time(app.Created), UpdatedAt: api.Time(app.Modified)}
	for _, h := range headers {
		if out.Headers == nil {
			out.Headers = map[string]string{}
		}
		out.Headers[h.Name] = h.Value
	}
	return created(out), nil
}

// readHeaders reads the headers that events are to carry.
func readHeaders(b *body) (headers []parley.NameValue) {
	v, ok := b.raw("headers")
	if !ok {
		return nil
	}
	var members map[string]string
	if jsonv2.Unmarshal(v, &members) != nil {
		b.refuse("headers", "must be an object of strings")
		return nil
	}
	seen := map[string]bool{}
	for name, value := range members {
		switch canonical := textproto.CanonicalMIMEHeaderKey(name); {
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			b.refuse("headers."+name, "cannot be sent")
		case seen[canonical]:
			b.refuse("headers."+name, "is there twice")
		default:
			seen[canonical] = true
			headers = append(headers, parley.NameValue{Name: name, Value: strings.TrimSpace(value)})
		}
	}
	return headers
}

// Hooks renders what webhooks hear; see [dispatch.Hooks]. Safe for concurrent use.
type Hooks struct{ Store Store }

// An event is what a webhook hears (reference 5, the envelope is our decision).
type event struct {
	Event string `json:"event"`
	Agent struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"agent"`
	Conversation struct {
		ID       string     `json:"id"`
		Mode     string     `json:"mode"`
		Assigned *colleague `json:"assignedUser"`
	} `json:"conversation"`
	User      eventUser     `json:"user"`
	Message   *eventMessage `json:"message"` // null for events that are no message
	Score     *float64      `json:"score"`
	Timestamp api.Time      `json:"timestamp"`
}

type eventUser struct {
	ID        string `json:"id"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phoneNumber,omitempty"`
}

type eventMessage struct {
	ID         string   `json:"id"`
	Message    string   `json:"message"`
	SenderRole string   `json:"senderRole"`
	Source     string   `json:"source"`
	CreatedAt  api.Time `json:"createdAt"`
}

// Body is what a webhook hears of a message. Conversations of other channels of the agent have a user, too: the customer.
func (h Hooks) Body(ctx context.Context, hook parley.Receiver, c *parley.Conversation, m *parley.Message) ([]byte, error) {
	var e event
	err := h.Store.View(ctx, func(tx parley.Tx) error {
		app, err := tx.Applications().Find(ctx, hook.Tenant, hook.Application)
		if err != nil {
			return err
		}
		if app.Hook == nil {
			return &parley.Error{Kind: parley.NotFound, Msg: "the application is no webhook"}
		}
		agent, err := tx.Applications().Find(ctx, hook.Tenant, app.Hook.Agent)
		if err != nil {
			return err
		}
		a, err := tx.AgentConversation(ctx, hook.Tenant, app.Hook.Agent, c.ID)
		if parley.KindOf(err) == parley.NotFound {
			a, err = parley.AgentConversation{Channel: c.State.ChannelType}, nil
			contact, _ := c.State.Contact()
			a.User.FirstName, a.User.Email = c.State.Customer.Name, ""
			e.User.ID = contact.Address
		} else {
			e.User.ID = a.User.ID.String()
		}
		if err != nil {
			return err
		}
		e.Event, e.Agent.ID, e.Agent.Name = string(app.Hook.Trigger), agent.ID.String(), agent.Name
		e.User.FirstName, e.User.LastName, e.User.Email, e.User.Phone, e.Score = a.User.FirstName, a.User.LastName, a.User.Email, a.User.Phone, a.Score
		t := newTranscript(&a)
		var question *parley.Message
		if seq := m.Body.Question; seq > 0 {
			page, err := tx.Messages(ctx, parley.MessageQuery{Tenant: c.Tenant, Conversation: c.ID, After: seq - 1, Before: seq + 1, Limit: 1})
			if err != nil {
				return err
			}
			if len(page) > 0 {
				question = &page[0]
			}
		}
		t.only(m, question)
		if shown, ok := t.at(m.Seq); ok {
			e.Message = &eventMessage{shown.ID, shown.Message, shown.SenderRole, shown.Source, shown.CreatedAt}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.Conversation.ID, e.Conversation.Mode, e.Conversation.Assigned, e.Timestamp = c.ID.String(), modeAI, assigned(c), api.Time(m.Created)
	if c.Manual() {
		e.Conversation.Mode = modeManual
	}
	return json.Marshal(e)
}
