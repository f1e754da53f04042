package directory

import (
	"context"
	"fmt"

	"parley"
)

func orchestrations(s shared) *Collection[parley.Orchestration] {
	return &Collection[parley.Orchestration]{
		shared: s, kind: parley.KindOrchestration,
		objects: parley.Tx.Orchestrations,
		id:      func(o *parley.Orchestration) *parley.OrchestrationID { return &o.ID },
		base:    func(o *parley.Orchestration) *parley.Base { return &o.Base },
		form: func(o, _ *parley.Orchestration) error {
			var p problems
			if o.Bots == nil && o.Agents == nil {
				p.add(parley.Missing, "applications.botConfiguration", "is required where there is no agentConfiguration")
			}
			for _, use := range uses(o) {
				if use.participantField != "" && use.participant.IsZero() {
					p.add(parley.Missing, use.participantField, "is required")
				}
			}
			return p.err()
		},
		refers: func(o *parley.Orchestration) (refers []reference) {
			for _, use := range uses(o) {
				refers = append(refers, reference{parley.Reference{Kind: parley.KindApplication, ID: use.application}, use.field})
				if !use.participant.IsZero() {
					refers = append(refers, reference{parley.Reference{Kind: parley.KindParticipant, ID: use.participant}, use.participantField})
				}
			}
			return refers
		},
		suits: suitsOrchestration,
	}
}

// A use is an application that an orchestration names, and what it must be for that.
type use struct {
	application      parley.ApplicationID
	field            string
	suits            func(parley.Role) bool
	as               string
	participant      parley.ParticipantID // bots only
	participantField string
}

// uses lists every application that an orchestration names, in the order of the document.
func uses(o *parley.Orchestration) (all []use) {
	const bots, agents, customer = "applications.botConfiguration.bots[%d]", "applications.agentConfiguration.agents[%d].id", "applications.customerConfiguration.customer.id"
	if o.Bots != nil {
		for i, b := range o.Bots.Bots {
			at := fmt.Sprintf(bots, i)
			all = append(all, use{b.Application, at + ".id", parley.Role.IsBot, "a bot", b.Participant, at + ".participant.id"})
			if !b.EscalateTo.IsZero() {
				all = append(all, use{application: b.EscalateTo, field: at + ".onEscalation.agent.id", suits: parley.Role.IsAgent, as: "an agent"})
			}
		}
	}
	for i, a := range o.Agents {
		all = append(all, use{application: a.Application, field: fmt.Sprintf(agents, i), suits: parley.Role.IsAgent, as: "an agent"})
	}
	if !o.Customer.IsZero() {
		all = append(all, use{application: o.Customer, field: customer, suits: func(r parley.Role) bool { return r == parley.Customer }, as: "the customer"})
	}
	return all
}

// suitsOrchestration: each application must have a role of the kind it is named for, and a bot's participant must be
// played by that bot's application (reference section 6).
func suitsOrchestration(ctx context.Context, tx parley.Tx, o, _ *parley.Orchestration) error {
	var p problems
	for _, use := range uses(o) {
		app, err := tx.Applications().Find(ctx, o.Tenant, use.application)
		if err != nil {
			return err
		}
		fit := false
		for _, r := range app.Roles {
			fit = fit || use.suits(r.Name)
		}
		if !fit {
			p.add(parley.BadReference, use.field, "the client application has no role as %s", use.as)
		}
		if use.participantField == "" {
			continue
		}
		participant, err := tx.Participants().Find(ctx, o.Tenant, use.participant)
		if err != nil {
			return err
		}
		if participant.Application != use.application {
			p.add(parley.BadReference, use.participantField, "the participant belongs to another client application")
		}
	}
	return p.err()
}
