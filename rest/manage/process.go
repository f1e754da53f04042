package manage

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"parley"
	"parley/insight"
	"parley/rest/api"
)

// A textInput is a text as it is sent (reference 7.1).
type textInput struct {
	Messages []struct {
		Payload struct {
			Content     *string `json:"content"`
			ContentType *string `json:"contentType"`
		} `json:"payload"`
		From struct {
			UserID *string `json:"userId"`
			Name   *string `json:"name"`
		} `json:"from"`
		Duration struct {
			Start *instant `json:"startTime"`
			End   *instant `json:"endTime"`
		} `json:"duration"`
	} `json:"messages"`
	Name                *string  `json:"name"`
	DetectPhrases       *flag    `json:"detectPhrases"`
	DetectEntities      *flag    `json:"detectEntities"`
	EnableAllTrackers   *flag    `json:"enableAllTrackers"`
	EnableSummary       *flag    `json:"enableSummary"`
	ConfidenceThreshold *figure  `json:"confidenceThreshold"`
	Metadata            metadata `json:"metadata"`
	LanguageCode        *string  `json:"languageCode"`
	WebhookURL          *string  `json:"webhookUrl"`
	Trackers            []struct {
		ID         *identifier `json:"id"`
		Name       *string     `json:"name"`
		Vocabulary []string    `json:"vocabulary"`
	} `json:"trackers"`
	Entities []struct {
		CustomType *string `json:"customType"`
		Value      *string `json:"value"`
		Text       *string `json:"text"`
	} `json:"entities"`
}

// text checks what was sent.
func (in *textInput) text() (t insight.Text, err error) {
	t = insight.Text{Name: api.Value(in.Name), Language: api.Value(in.LanguageCode), Metadata: in.Metadata, Webhook: api.Value(in.WebhookURL),
		NoEntities: in.DetectEntities != nil && !bool(*in.DetectEntities)}
	if in.EnableAllTrackers != nil {
		t.AllTrackers = new(bool(*in.EnableAllTrackers))
	}
	if in.ConfidenceThreshold != nil {
		if t.Similarity = float64(*in.ConfidenceThreshold); t.Similarity == 0 { // which would mean the default
			return t, refuse(http.StatusBadRequest, "%q must be from 0.5 to 1.0", "confidenceThreshold")
		}
	}
	if err := given("messages", in.Messages != nil); err != nil {
		return t, err
	}
	for i, m := range in.Messages {
		if err := given(fmt.Sprintf("messages[%d].payload.content", i), m.Payload.Content != nil); err != nil {
			return t, err
		}
		if kind := api.Value(m.Payload.ContentType); kind != "" && kind != "text/plain" {
			return t, refuse(http.StatusBadRequest, "%q must be text/plain", fmt.Sprintf("messages[%d].payload.contentType", i))
		}
		t.Messages = append(t.Messages, insight.TextMessage{Content: *m.Payload.Content, UserID: api.Value(m.From.UserID), Name: api.Value(m.From.Name),
			Start: time.Time(api.Value(m.Duration.Start)), End: time.Time(api.Value(m.Duration.End))})
	}
	return t, in.inline(&t)
}

// inline reads the trackers and entities that a text brings along.
func (in *textInput) inline(t *insight.Text) error {
	for i, x := range in.Trackers {
		if x.ID != nil && x.Vocabulary == nil {
			n, err := parley.ParseNumber(string(*x.ID))
			if err != nil {
				return refuse(http.StatusBadRequest, "%q is no id of a tracker", fmt.Sprintf("trackers[%d].id", i))
			}
			t.Stored = append(t.Stored, n)
			continue
		}
		if err := given(fmt.Sprintf("trackers[%d].name", i), x.Name != nil); err != nil {
			return err
		}
		if err := given(fmt.Sprintf("trackers[%d].vocabulary", i), x.Vocabulary != nil); err != nil {
			return err
		}
		t.Trackers = append(t.Trackers, parley.Tracker{Name: *x.Name, Vocabulary: x.Vocabulary})
	}
	for i, e := range in.Entities {
		if err := given(fmt.Sprintf("entities[%d].customType", i), e.CustomType != nil); err != nil {
			return err
		}
		value := e.Text // what is looked for; value is the name of what it means
		if value == nil {
			value = e.Value
		}
		if err := given(fmt.Sprintf("entities[%d].text", i), value != nil); err != nil {
			return err
		}
		t.Entities = append(t.Entities, parley.Entity{Type: *e.CustomType, SubType: *e.CustomType, Values: []string{*value}})
	}
	return nil
}

// processed is the answer to a text: what it can be found by.
type processed struct {
	ConversationID string `json:"conversationId"`
	JobID          string `json:"jobId"`
}

func (s *Surface) processText(r *request) (answer, error) { return s.process(r, nil) }

func (s *Surface) appendText(r *request) (answer, error) {
	n, err := r.number("conversation")
	if err != nil {
		return answer{}, err
	}
	if _, err := s.conversations.Find(r.Context(), r.tenant, n); err != nil {
		return answer{}, err
	}
	return s.process(r, &n)
}

func (s *Surface) process(r *request, more *parley.Number) (answer, error) {
	in, err := object[textInput](r)
	if err != nil {
		return answer{}, err
	}
	t, err := in.text()
	if err != nil {
		return answer{}, err
	}
	n, job, err := s.conversations.Process(r.Context(), r.tenant, more, t)
	return answer{http.StatusCreated, processed{n.String(), job.String()}}, err
}

// A progress is how far a job is.
type progress struct {
	ID     string           `json:"id"`
	Status parley.JobStatus `json:"status"`
}

// job knows those of texts only: others are not known of here.
func (s *Surface) job(r *request) (answer, error) {
	unknown := refuse(http.StatusNotFound, "there is no job of that id")
	id, err := parley.ParseID[parley.Job](mux.Vars(r.Request)["id"])
	if err != nil {
		return answer{}, unknown
	}
	j, err := s.conversations.Job(r.Context(), r.tenant, id)
	if err == nil && j.Kind != parley.JobText {
		return answer{}, unknown
	}
	return ok(progress{j.ID.String(), j.Status}), err
}
