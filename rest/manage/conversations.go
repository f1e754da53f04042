package manage

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley"
	"parley/insight"
	"parley/rest/api"
)

// A member is somebody who took part in a conversation.
type member struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
}

func showMember(m parley.Member) member { return member{ID: m.ID, Name: m.Name, Email: m.Email} }

// A conversation is one as it is shown.
type conversation struct {
	ID        string            `json:"id"`
	Type      string            `json:"type"`
	Name      string            `json:"name"`
	StartTime api.Time          `json:"startTime"`
	EndTime   api.Time          `json:"endTime"`
	Members   []member          `json:"members"`
	Metadata  map[string]string `json:"metadata"`
}

func showConversation(in parley.Insight) conversation {
	c := conversation{ID: in.Number.String(), Type: in.Type, Name: in.Name, StartTime: api.Time(in.Started), EndTime: api.Time(in.Ended),
		Members: []member{}, Metadata: in.Metadata}
	if c.Name == "" {
		c.Name = c.ID
	}
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	for _, m := range in.Members {
		c.Members = append(c.Members, showMember(m))
	}
	return c
}

type manyConversations struct {
	Conversations []conversation `json:"conversations"`
}

func (s *Surface) listConversations(r *request) (answer, error) { return s.list(r, nil) }

func (s *Surface) listOfGroup(r *request) (answer, error) {
	n, err := r.number("group")
	if err != nil {
		return answer{}, err
	}
	return s.list(r, &n)
}

// list answers the query of reference 5.4.
func (s *Surface) list(r *request, group *parley.Number) (answer, error) {
	values, err := r.query()
	if err != nil {
		return answer{}, err
	}
	q := insight.NewListQuery()
	q.Sort, q.Filter = values.Get("sort"), values.Get("filter")
	for _, n := range []struct {
		name string
		to   *int
	}{{"limit", &q.Limit}, {"offset", &q.Offset}} {
		if text := values.Get(n.name); text != "" {
			var err error
			if *n.to, err = strconv.Atoi(text); err != nil {
				return answer{}, refuse(http.StatusBadRequest, "%q must be a whole number", n.name)
			}
		}
	}
	for _, t := range []struct {
		name string
		to   *time.Time
	}{{"startTime", &q.From}, {"endTime", &q.Until}} {
		if text := values.Get(t.name); text != "" {
			var err error
			if *t.to, err = parseTime(text); err != nil {
				return answer{}, refuse(http.StatusBadRequest, "%q must be a time such as 2026-02-03T10:00:04.000Z", t.name)
			}
		}
	}
	switch order := strings.ToLower(values.Get("order")); order {
	case "", "asc":
	case "desc":
		q.Descending = true
	default:
		return answer{}, refuse(http.StatusBadRequest, "%q must be asc or desc", "order")
	}
	page, err := s.conversations.List(r.Context(), r.tenant, group, q)
	shown := make([]conversation, len(page))
	for i := range page {
		shown[i] = showConversation(page[i])
	}
	return ok(manyConversations{shown}), err
}

func (s *Surface) getConversation(r *request) (answer, error) {
	n, err := r.number("conversation")
	if err != nil {
		return answer{}, err
	}
	in, err := s.conversations.Find(r.Context(), r.tenant, n)
	return ok(showConversation(in)), err
}

// A described conversation is the answer to a change of its metadata.
type described struct {
	ID       string            `json:"id"`
	Metadata map[string]string `json:"metadata"`
}

func (s *Surface) putConversation(r *request) (answer, error) {
	n, err := r.number("conversation")
	if err != nil {
		return answer{}, err
	}
	if _, err := s.conversations.Find(r.Context(), r.tenant, n); err != nil {
		return answer{}, err
	}
	in, err := object[struct {
		Metadata metadata `json:"metadata"`
	}](r)
	if err != nil {
		return answer{}, err
	}
	if err := given("metadata", in.Metadata != nil); err != nil {
		return answer{}, err
	}
	_, err = s.conversations.PutMetadata(r.Context(), r.tenant, n, in.Metadata)
	return ok(described{n.String(), in.Metadata}), err
}

func (s *Surface) deleteConversation(r *request) (answer, error) {
	n, err := r.number("conversation")
	if err != nil {
		return answer{}, err
	}
	return ok(problem{Message: "the conversation was deleted"}), s.conversations.Delete(r.Context(), s.hub, r.tenant, n, r.client)
}

// A message is one as it is shown.
type message struct {
	ID             string     `json:"id"`
	Text           string     `json:"text"`
	From           member     `json:"from"`
	StartTime      api.Time   `json:"startTime"`
	EndTime        api.Time   `json:"endTime"`
	TimeOffset     seconds    `json:"timeOffset"`
	Duration       seconds    `json:"duration"`
	ConversationID string     `json:"conversationId"`
	Phrases        []any      `json:"phrases"`
	Words          *[]word    `json:"words,omitempty"`
	Sentiment      *sentiment `json:"sentiment,omitempty"`
}

// seconds are written with two decimals.
type seconds time.Duration

// MarshalJSON implements [json.Marshaler].
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', 2, 64), nil
}

// A word is one of a message. Nobody measured when it was said, so it has the times of its message.
type word struct {
	Word      string   `json:"word"`
	StartTime api.Time `json:"startTime"`
	EndTime   api.Time `json:"endTime"`
}

func (s *Surface) messages(r *request) (answer, error) {
	n, err := r.number("conversation")
	if err != nil {
		return answer{}, err
	}
	values, err := r.query()
	if err != nil {
		return answer{}, err
	}
	var exclude []string
	if text := values.Get("exclude"); text != "" {
		if err := json.Unmarshal([]byte(text), &exclude); err != nil {
			return answer{}, refuse(http.StatusBadRequest, "%q must be a JSON list of entity names", "exclude")
		}
	}
	on := func(name string) bool { return values.Has(name) && !strings.EqualFold(values.Get(name), "false") }
	in, said, err := s.conversations.Messages(r.Context(), r.tenant, n, on("redact"), exclude)
	if err != nil {
		return answer{}, err
	}
	shown := make([]message, len(said))
	for i, m := range said {
		shown[i] = message{ID: m.Number.String(), Text: m.Text, From: showMember(m.From), StartTime: api.Time(m.Start), EndTime: api.Time(m.End),
			TimeOffset: seconds(m.Start.Sub(in.Started)), Duration: seconds(m.End.Sub(m.Start)), ConversationID: n.String(), Phrases: []any{}}
		if on("verbose") {
			words := []word{}
			for w := range strings.FieldsSeq(m.Text) {
				words = append(words, word{w, api.Time(m.Start), api.Time(m.End)})
			}
			shown[i].Words = &words
		}
		if on("sentiment") {
			shown[i].Sentiment = sentimentOf(m.Text)
		}
	}
	return ok(map[string]any{"messages": shown}), nil
}
