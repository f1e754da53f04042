package manage

import (
	"net/http"

	"parley"
	"parley/rest/api"
)

// A groupInput is a group as it is sent.
type groupInput struct {
	ID          *identifier `json:"id"`
	Name        *string     `json:"name"`
	Description *string     `json:"description"`
	Criteria    *string     `json:"criteria"`
}

func (g *groupInput) group() (parley.Group, error) {
	if err := given("name", g.Name != nil); err != nil {
		return parley.Group{}, err
	}
	if err := given("criteria", g.Criteria != nil); err != nil {
		return parley.Group{}, err
	}
	return parley.Group{Name: *g.Name, Description: api.Value(g.Description), Criteria: *g.Criteria}, nil
}

// A group is one as it is shown.
type group struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Criteria    string `json:"criteria"`
}

func showGroup(g parley.Group) group {
	return group{ID: g.Number.String(), Name: g.Name, Description: g.Description, Criteria: g.Criteria}
}

type oneGroup struct {
	Group group `json:"group"`
}

type manyGroups struct {
	Groups []group `json:"groups"`
}

func (s *Surface) makeGroups(r *request, all []groupInput, bulk bool) (answer, error) {
	wanted := make([]parley.Group, len(all))
	for i := range all {
		var err error
		if wanted[i], err = all[i].group(); err != nil {
			return answer{}, atItem(err, i, bulk)
		}
	}
	made, err := s.groups.Create(r.Context(), r.tenant, wanted, bulk)
	if err != nil {
		return answer{}, err
	}
	if bulk {
		return answer{http.StatusCreated, manyGroups{api.List(made, showGroup)}}, nil
	}
	return answer{http.StatusCreated, oneGroup{showGroup(made[0])}}, nil
}

func (s *Surface) listGroups(r *request) (answer, error) {
	all, err := s.groups.List(r.Context(), r.tenant)
	return ok(manyGroups{api.List(all, showGroup)}), err
}

func (s *Surface) getGroup(r *request) (answer, error) {
	n, err := r.number("group")
	if err != nil {
		return answer{}, err
	}
	g, err := s.groups.Find(r.Context(), r.tenant, n)
	return ok(oneGroup{showGroup(g)}), err
}

func (s *Surface) putGroup(r *request) (answer, error) {
	n, err := r.number("group")
	if err != nil {
		return answer{}, err
	}
	if _, err := s.groups.Find(r.Context(), r.tenant, n); err != nil {
		return answer{}, err
	}
	in, err := object[groupInput](r)
	if err != nil {
		return answer{}, err
	}
	if err := sameID(in.ID, n); err != nil {
		return answer{}, err
	}
	g, err := in.group()
	if err != nil {
		return answer{}, err
	}
	g.Tenant, g.Number = r.tenant, n
	g, err = s.groups.Replace(r.Context(), g)
	return ok(oneGroup{showGroup(g)}), err
}

func (s *Surface) deleteGroup(r *request) (answer, error) {
	n, err := r.number("group")
	if err != nil {
		return answer{}, err
	}
	return ok(deletion{n.String(), "group", true}), s.groups.Delete(r.Context(), r.tenant, n)
}
