package manage

import (
	"net/http"

	"parley"
	"parley/insight"
	"parley/rest/api"
)

// A trackerInput is a tracker as it is sent.
type trackerInput struct {
	ID          *identifier `json:"id"`
	Name        *string     `json:"name"`
	Description *string     `json:"description"`
	Categories  []string    `json:"categories"`
	Languages   []string    `json:"languages"`
	Vocabulary  []string    `json:"vocabulary"`
	Exclude     []string    `json:"excludeVocabulary"`
}

func (t *trackerInput) check() error {
	if err := given("name", t.Name != nil); err != nil {
		return err
	}
	return given("vocabulary", t.Vocabulary != nil)
}

// A tracker is one as it is shown.
type tracker struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Categories  []string `json:"categories"`
	Languages   []string `json:"languages"`
	Vocabulary  []string `json:"vocabulary"`
	Exclude     []string `json:"excludeVocabulary,omitempty"`
	CreatedOn   api.Time `json:"createdOn"`
	UpdatedOn   api.Time `json:"updatedOn"`
}

func showTracker(t parley.Tracker) tracker {
	return tracker{ID: t.Number.String(), Name: t.Name, Description: t.Description, Categories: t.Categories, Languages: t.Languages, Vocabulary: t.Vocabulary,
		Exclude: t.Exclude, CreatedOn: api.Time(t.Created), UpdatedOn: api.Time(t.Modified)}
}

type oneTracker struct {
	Tracker tracker `json:"tracker"`
}

type manyTrackers struct {
	Trackers []tracker `json:"trackers"`
}

func (s *Surface) makeTrackers(r *request, all []trackerInput, bulk bool) (answer, error) {
	wanted := make([]parley.Tracker, len(all))
	for i, t := range all {
		if err := t.check(); err != nil {
			return answer{}, atItem(err, i, bulk)
		}
		wanted[i] = parley.Tracker{Name: *t.Name, Description: api.Value(t.Description), Categories: t.Categories, Languages: t.Languages,
			Vocabulary: t.Vocabulary, Exclude: t.Exclude}
	}
	made, err := s.trackers.Create(r.Context(), r.tenant, wanted, bulk)
	if err != nil {
		return answer{}, err
	}
	if bulk {
		return ok(manyTrackers{api.List(made, showTracker)}), nil
	}
	return ok(oneTracker{showTracker(made[0])}), nil
}

func (s *Surface) listTrackers(r *request) (answer, error) {
	values, err := r.query()
	if err != nil {
		return answer{}, err
	}
	var name *string
	if values.Has("name") {
		name = new(values.Get("name"))
	}
	all, err := s.trackers.List(r.Context(), r.tenant, name)
	return ok(manyTrackers{api.List(all, showTracker)}), err
}

func (s *Surface) getTracker(r *request) (answer, error) {
	n, err := r.number("tracker")
	if err != nil {
		return answer{}, err
	}
	t, err := s.trackers.Find(r.Context(), r.tenant, n)
	return ok(oneTracker{showTracker(t)}), err
}

// sameID wants an id in a body to be that of the path.
func sameID(id *identifier, n parley.Number) error {
	if id != nil && string(*id) != n.String() {
		return refuse(http.StatusBadRequest, "%q must be the id in the path", "id")
	}
	return nil
}

func (s *Surface) putTracker(r *request) (answer, error) {
	n, err := r.number("tracker")
	if err != nil {
		return answer{}, err
	}
	if _, err := s.trackers.Find(r.Context(), r.tenant, n); err != nil { // what is not there is said before what is wrong
		return answer{}, err
	}
	t, err := object[trackerInput](r)
	if err != nil {
		return answer{}, err
	}
	if err := sameID(t.ID, n); err != nil {
		return answer{}, err
	}
	if err := t.check(); err != nil {
		return answer{}, err
	}
	changed, err := s.trackers.Merge(r.Context(), r.tenant, n, insight.TrackerChange{Name: t.Name, Description: t.Description, Categories: t.Categories,
		Languages: t.Languages, Vocabulary: t.Vocabulary, Exclude: t.Exclude})
	return ok(oneTracker{showTracker(changed)}), err
}

func (s *Surface) patchTracker(r *request) (answer, error) {
	n, err := r.number("tracker")
	if err != nil {
		return answer{}, err
	}
	if _, err := s.trackers.Find(r.Context(), r.tenant, n); err != nil {
		return answer{}, err
	}
	ops, err := patch(r)
	if err != nil {
		return answer{}, err
	}
	changed, err := s.trackers.Patch(r.Context(), r.tenant, n, ops)
	return ok(oneTracker{showTracker(changed)}), err
}

// A deletion is the answer to one.
type deletion struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Deleted bool   `json:"deleted"`
}

func (s *Surface) deleteTracker(r *request) (answer, error) {
	n, err := r.number("tracker")
	if err != nil {
		return answer{}, err
	}
	return ok(deletion{n.String(), "tracker", true}), s.trackers.Delete(r.Context(), r.tenant, n)
}
