package conversationmgr

import (
	"context"

	"parley"
	"parley/rest/api"
)

func fromOrchestration(in *OrchestrationInput) (parley.Orchestration, error) {
	o := parley.Orchestration{Base: fromBase(in.Name, in.Description, in.Active)}
	var r refs
	if b := in.Applications.BotConfiguration; b != nil {
		o.Bots = &parley.BotConfiguration{ForwardTranscript: api.Value(b.ForwardTranscript), BypassMinutes: api.Value(b.BypassVaDuration)}
		for i, bot := range b.Bots {
			one := parley.BotReference{
				Application: id[parley.ClientApplication](&r, bot.Id, "applications.botConfiguration.bots[%d].id", i),
				Participant: id[parley.Participant](&r, bot.Participant.Id, "applications.botConfiguration.bots[%d].participant.id", i),
			}
			if bot.OnEscalation != nil {
				one.EscalateTo = id[parley.ClientApplication](&r, bot.OnEscalation.Agent.Id, "applications.botConfiguration.bots[%d].onEscalation.agent.id", i)
			}
			o.Bots.Bots = append(o.Bots.Bots, one)
		}
	}
	if a := in.Applications.AgentConfiguration; a != nil {
		for i, agent := range a.Agents {
			o.Agents = append(o.Agents, parley.AgentReference{Application: id[parley.ClientApplication](&r, agent.Id, "applications.agentConfiguration.agents[%d].id", i)})
		}
	}
	if c := in.Applications.CustomerConfiguration; c != nil {
		o.Customer = id[parley.ClientApplication](&r, c.Customer.Id, "applications.customerConfiguration.customer.id")
	}
	return o, r.err
}

func toOrchestration(o parley.Orchestration) Orchestration {
	out := Orchestration{Id: o.ID.String(), Name: o.Name, Description: api.Some(o.Description), Active: o.Active, Created: Time(o.Created), Modified: Time(o.Modified)}
	if o.Bots != nil {
		out.Applications.BotConfiguration = &BotConfiguration{ForwardTranscript: &o.Bots.ForwardTranscript, BypassVaDuration: api.Some(o.Bots.BypassMinutes),
			Bots: api.List(o.Bots.Bots, func(b parley.BotReference) Bot {
				bot := Bot{Id: b.Application.String(), Participant: reference(b.Participant)}
				if !b.EscalateTo.IsZero() {
					bot.OnEscalation = &Escalation{Agent: reference(b.EscalateTo)}
				}
				return bot
			})}
	}
	if o.Agents != nil {
		out.Applications.AgentConfiguration = &AgentConfiguration{Agents: api.List(o.Agents, func(a parley.AgentReference) Reference { return reference(a.Application) })}
	}
	if !o.Customer.IsZero() {
		out.Applications.CustomerConfiguration = &CustomerConfiguration{Customer: reference(o.Customer)}
	}
	return out
}

// CreateOrchestration makes one.
func (s *Surface) CreateOrchestration(ctx context.Context, r CreateOrchestrationRequestObject) (CreateOrchestrationResponseObject, error) {
	o, err := fromOrchestration(r.Body)
	if err != nil {
		return nil, err
	}
	id, err := s.directory.Orchestrations.Create(ctx, tenant(ctx), o)
	return CreateOrchestration201JSONResponse{Id: id.String()}, err
}

// GetAllOrchestration lists them.
func (s *Surface) GetAllOrchestration(ctx context.Context, r GetAllOrchestrationRequestObject) (GetAllOrchestrationResponseObject, error) {
	page, info, err := paged(ctx, s.directory.Orchestrations, r.Params.Pagenum, r.Params.Pagesize)
	return GetAllOrchestration200JSONResponse{PaginationInfo: info, Orchestration: api.List(page, toOrchestration)}, err
}

// GetOrchestration reads one.
func (s *Surface) GetOrchestration(ctx context.Context, r GetOrchestrationRequestObject) (GetOrchestrationResponseObject, error) {
	o, err := find(ctx, s.directory.Orchestrations, r.Id)
	return GetOrchestration200JSONResponse(toOrchestration(o)), err
}

// UpdateOrchestration replaces one.
func (s *Surface) UpdateOrchestration(ctx context.Context, r UpdateOrchestrationRequestObject) (UpdateOrchestrationResponseObject, error) {
	o, err := fromOrchestration(r.Body)
	return UpdateOrchestration204Response{}, replace(ctx, s.directory.Orchestrations, r.Id, o, err)
}

// DeleteOrchestration removes one.
func (s *Surface) DeleteOrchestration(ctx context.Context, r DeleteOrchestrationRequestObject) (DeleteOrchestrationResponseObject, error) {
	return DeleteOrchestration204Response{}, remove(ctx, s.directory.Orchestrations, r.Id)
}
