package manage

import (
	"net/http"

	"parley"
	"parley/rest/api"
)

// custom is the category of all entities that are made here; the others are built in.
const custom = "Custom"

// An entityInput is an entity as it is sent.
type entityInput struct {
	Type     *string  `json:"type"`
	SubType  *string  `json:"subType"`
	Category *string  `json:"category"`
	Values   []string `json:"values"`
}

// entity checks what was sent; whole = nothing may be left out.
func (e *entityInput) entity(whole bool) (parley.Entity, error) {
	for _, m := range []struct {
		name  string
		there bool
	}{{"type", e.Type != nil}, {"subType", e.SubType != nil}, {"category", e.Category != nil || !whole}, {"values", e.Values != nil}} {
		if err := given(m.name, m.there); err != nil {
			return parley.Entity{}, err
		}
	}
	if e.Category != nil && *e.Category != custom {
		return parley.Entity{}, refuse(http.StatusBadRequest, "%q must be %s", "category", custom)
	}
	return parley.Entity{Type: *e.Type, SubType: *e.SubType, Values: e.Values}, nil
}

// An entity is one as it is shown.
type entity struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	SubType  string   `json:"subType"`
	Category string   `json:"category"`
	Values   []string `json:"values"`
}

func showEntity(e parley.Entity) entity {
	return entity{ID: e.Number.String(), Type: e.Type, SubType: e.SubType, Category: custom, Values: e.Values}
}

type oneEntity struct {
	Entity entity `json:"entity"`
}

type manyEntities struct {
	Entities []entity `json:"entities"`
}

func (s *Surface) makeEntities(r *request, all []entityInput, bulk bool) (answer, error) {
	wanted := make([]parley.Entity, len(all))
	for i := range all {
		var err error
		if wanted[i], err = all[i].entity(false); err != nil {
			return answer{}, atItem(err, i, bulk)
		}
	}
	made, err := s.entities.Create(r.Context(), r.tenant, wanted, bulk)
	if err != nil {
		return answer{}, err
	}
	if bulk {
		return answer{http.StatusCreated, manyEntities{api.List(made, showEntity)}}, nil
	}
	return answer{http.StatusCreated, oneEntity{showEntity(made[0])}}, nil
}

func (s *Surface) listEntities(r *request) (answer, error) {
	all, err := s.entities.List(r.Context(), r.tenant)
	return ok(manyEntities{api.List(all, showEntity)}), err
}

// getEntity answers with the bare object, unlike all other reads of one (reference 4.2).
func (s *Surface) getEntity(r *request) (answer, error) {
	n, err := r.number("entity")
	if err != nil {
		return answer{}, err
	}
	e, err := s.entities.Find(r.Context(), r.tenant, n)
	return ok(showEntity(e)), err
}

func (s *Surface) putEntity(r *request) (answer, error) {
	n, err := r.number("entity")
	if err != nil {
		return answer{}, err
	}
	if _, err := s.entities.Find(r.Context(), r.tenant, n); err != nil {
		return answer{}, err
	}
	in, err := object[entityInput](r)
	if err != nil {
		return answer{}, err
	}
	e, err := in.entity(true)
	if err != nil {
		return answer{}, err
	}
	e.Tenant, e.Number = r.tenant, n
	e, err = s.entities.Replace(r.Context(), e)
	return ok(oneEntity{showEntity(e)}), err
}

func (s *Surface) deleteEntity(r *request) (answer, error) {
	n, err := r.number("entity")
	if err != nil {
		return answer{}, err
	}
	return ok(deletion{n.String(), "entity", true}), s.entities.Delete(r.Context(), r.tenant, n)
}

// A subTypeDeletion is the answer to the deletion of all entities of a subtype.
type subTypeDeletion struct {
	SubType string   `json:"subType"`
	Type    string   `json:"type"`
	Deleted bool     `json:"deleted"`
	IDs     []string `json:"ids"`
}

func (s *Surface) deleteSubType(r *request) (answer, error) {
	values, err := r.query()
	if err != nil {
		return answer{}, err
	}
	subType := values.Get("subType")
	if subType == "" {
		return answer{}, refuse(http.StatusBadRequest, "%q is required in the query", "subType")
	}
	gone, err := s.entities.DeleteSubType(r.Context(), r.tenant, subType)
	return ok(subTypeDeletion{subType, "entity", true, api.List(gone, parley.Number.String)}), err
}
