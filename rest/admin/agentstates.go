package admin

import (
	"context"

	"parley"
	"parley/rest/api"
	"parley/rest/contract"
)

func toAgentState(s parley.AgentState) AgentState {
	return AgentState{Id: s.ID.String(), Name: s.Name, Description: api.Some(s.Description), Color: api.Some(s.Color), Persistent: s.Persistent, Created: Time(s.Created), Modified: Time(s.Modified)}
}

// GetAgentStates lists the states of an environment.
func (s *Surface) GetAgentStates(ctx context.Context, r GetAgentStatesRequestObject) (GetAgentStatesResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	all, err := s.bots.States(ctx, tenant)
	return GetAgentStates200JSONResponse{State: append([]AgentState{}, api.List(all, toAgentState)...)}, err
}

// PutAgentStates puts others in their place.
func (s *Surface) PutAgentStates(ctx context.Context, r PutAgentStatesRequestObject) (PutAgentStatesResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	var states []parley.AgentState
	for _, in := range r.Body.State {
		a := parley.AgentState{Name: in.Name, Description: api.Value(in.Description), Color: api.Value(in.Color)}
		if in.Id != nil {
			if a.ID, err = contract.IDIn[parley.AgentState](*in.Id); err != nil {
				return nil, err
			}
		}
		states = append(states, a)
	}
	all, err := s.bots.PutStates(ctx, tenant, states)
	if err != nil {
		return nil, err
	}
	return PutAgentStates200JSONResponse{State: append([]AgentState{}, api.List(all, toAgentState)...)}, s.deliveries.Note(ctx, actor(ctx), tenant, "states.put", "", map[string]any{"states": len(all)})
}
