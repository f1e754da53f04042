package directory

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/text/cases"

	"parley"
	"parley/ident"
)

// color is how the color of a state is written.
var color = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// States are those that label stages of the work on the conversations of an environment's agents, in their order.
func (s *Bots) States(ctx context.Context, tenant parley.TenantID) (all []parley.AgentState, err error) {
	err = s.records.Update(ctx, func(tx parley.Tx) (err error) { // it makes those that every environment begins with
		all, err = tx.AgentStates(ctx, tenant)
		return err
	})
	return all, err
}

// PutStates puts these in place of all that the environment has, and returns them: those with an ID are changed, those without are new, and those that
// are left out go, from conversations too. What is persistent stays under its name. Invalid, also /NameTaken and /BadReference.
func (s *Bots) PutStates(ctx context.Context, tenant parley.TenantID, states []parley.AgentState) (all []parley.AgentState, err error) {
	err = s.records.Update(ctx, func(tx parley.Tx) error {
		before, err := tx.AgentStates(ctx, tenant)
		if err != nil {
			return err
		}
		if all, err = s.formStates(before, states); err != nil {
			return err
		}
		if err := tx.PutAgentStates(ctx, tenant, all); err != nil {
			return err
		}
		all, err = tx.AgentStates(ctx, tenant)
		return err
	})
	return all, err
}

// formStates checks states that are to come after others.
func (s *Bots) formStates(before, states []parley.AgentState) ([]parley.AgentState, error) {
	var p problems
	known, names := map[parley.AgentStateID]parley.AgentState{}, map[string]bool{}
	for _, b := range before {
		known[b.ID] = b
	}
	now := s.now()
	all := make([]parley.AgentState, len(states))
	for i, a := range states {
		field := func(name string) string { return fmt.Sprintf("state[%d].%s", i, name) }
		a.Name, a.Description, a.Color = strings.TrimSpace(a.Name), strings.TrimSpace(a.Description), strings.ToUpper(a.Color)
		was, there := known[a.ID]
		folded := cases.Fold().String(a.Name)
		switch {
		case a.Name == "":
			p.add(parley.Missing, field("name"), "is required")
		case names[folded]:
			p.add(parley.NameTaken, field("name"), "another state has this name")
		case was.Persistent && a.Name != was.Name:
			p.add(parley.BadValue, field("name"), "must stay %s: programs rely on it", was.Name)
		}
		if names[folded] = true; a.Color != "" && !color.MatchString(a.Color) {
			p.add(parley.BadValue, field("color"), "must be a color such as #2D9CDB")
		}
		a.Persistent, a.Created, a.Modified = was.Persistent, was.Created, now
		switch {
		case a.ID.IsZero():
			a.ID, a.Created = ident.New[parley.AgentState](), now
		case !there:
			p.add(parley.BadReference, field("id"), "there is no state of that id, or it is here twice")
		case a.Name == was.Name && a.Description == was.Description && a.Color == was.Color:
			a.Modified = was.Modified
		}
		delete(known, a.ID)
		all[i] = a
	}
	for _, b := range known {
		if b.Persistent {
			p.add(parley.Missing, "state", "must have %s: it cannot be removed", b.Name)
		}
	}
	return all, p.err()
}
