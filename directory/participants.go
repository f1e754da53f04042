package directory

import (
	"context"

	"parley"
)

func participants(s shared) *Collection[parley.Participant] {
	return &Collection[parley.Participant]{
		shared: s, kind: parley.KindParticipant,
		objects: parley.Tx.Participants,
		id:      func(o *parley.Participant) *parley.ParticipantID { return &o.ID },
		base:    func(o *parley.Participant) *parley.Base { return &o.Base },
		form:    func(*parley.Participant, *parley.Participant) error { return nil },
		refers: func(o *parley.Participant) []reference {
			return []reference{{parley.Reference{Kind: parley.KindApplication, ID: o.Application}, "application.id"}}
		},
		suits: suitsParticipant,
	}
}

// suitsParticipant: the application must play the role that the participant is.
func suitsParticipant(ctx context.Context, tx parley.Tx, o, _ *parley.Participant) error {
	app, err := tx.Applications().Find(ctx, o.Tenant, o.Application)
	if err != nil {
		return err
	}
	var p problems
	if _, ok := app.Role(o.Type); !ok {
		p.add(parley.BadReference, "application.id", "the client application has no role %s", o.Type)
	}
	return p.err()
}
