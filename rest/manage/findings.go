package manage

import (
	"parley/insight"
	"parley/rest/api"
)

// A messageRef is where something was found.
type messageRef struct {
	ID        string   `json:"id"`
	Text      string   `json:"text"`
	Offset    int      `json:"offset"` // UTF-16 code units; -1 = of similar meaning
	StartTime api.Time `json:"startTime"`
	EndTime   api.Time `json:"endTime"`
}

func showRefs(refs []insight.Ref) []messageRef {
	return api.List(refs, func(r insight.Ref) messageRef {
		return messageRef{ID: r.Message.Number.String(), Text: r.Message.Text, Offset: r.Offset, StartTime: api.Time(r.Message.Start), EndTime: api.Time(r.Message.End)}
	})
}

// A foundTracker is a tracker with its matches.
type foundTracker struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Matches []trackerMatch `json:"matches"`
}

type trackerMatch struct {
	Type        string       `json:"type"`
	Value       string       `json:"value"`
	MessageRefs []messageRef `json:"messageRefs"`
	InsightRefs []struct{}   `json:"insightRefs"` // questions and tasks, which this server does not look for
}

// trackersOf answers with a bare array (reference 3.6).
func (s *Surface) trackersOf(r *request) (answer, error) {
	n, err := r.number("conversation")
	if err != nil {
		return answer{}, err
	}
	found, err := s.conversations.Trackers(r.Context(), r.tenant, n)
	if err != nil {
		return answer{}, err
	}
	shown := []foundTracker{}
	for _, f := range found {
		t := foundTracker{ID: f.Number.String(), Name: f.Name}
		for _, m := range f.Matches {
			t.Matches = append(t.Matches, trackerMatch{"vocabulary", m.Value, showRefs(m.Refs), []struct{}{}})
		}
		shown = append(shown, t)
	}
	return ok(shown), nil
}

// A foundEntity is an entity with its matches.
type foundEntity struct {
	ID       string        `json:"id"`
	Type     string        `json:"type"`
	SubType  string        `json:"subType"`
	Category string        `json:"category"`
	Matches  []entityMatch `json:"matches"`
}

// An entityMatch has its value twice: both names are known of (reference 4.3).
type entityMatch struct {
	DetectedValue string       `json:"detectedValue"`
	Value         string       `json:"value"`
	MessageRefs   []messageRef `json:"messageRefs"`
}

func (s *Surface) entitiesOf(r *request) (answer, error) {
	n, err := r.number("conversation")
	if err != nil {
		return answer{}, err
	}
	found, err := s.conversations.Entities(r.Context(), r.tenant, n)
	if err != nil {
		return answer{}, err
	}
	shown := []foundEntity{}
	for _, f := range found {
		e := foundEntity{ID: f.Number.String(), Type: f.Type, SubType: f.SubType, Category: f.Category}
		for _, m := range f.Matches {
			e.Matches = append(e.Matches, entityMatch{m.Value, m.Value, showRefs(m.Refs)})
		}
		shown = append(shown, e)
	}
	return ok(map[string]any{"entities": shown}), nil
}
