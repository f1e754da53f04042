package directory

import (
	"context"
	"fmt"
	"slices"

	"parley"
)

// Defaults of reference section 7.
const (
	defaultTimeout  = 30 // minutes
	defaultLanguage = "en-US"
)

func accounts(s shared) *Collection[parley.Account] {
	c := &Collection[parley.Account]{
		shared: s, kind: parley.KindAccount,
		objects: parley.Tx.Accounts,
		id:      func(a *parley.Account) *parley.AccountID { return &a.ID },
		base:    func(a *parley.Account) *parley.Base { return &a.Base },
		form: func(a, _ *parley.Account) error {
			if a.TimeoutMinutes == 0 {
				a.TimeoutMinutes = defaultTimeout
			}
			if a.DefaultLanguage == "" {
				a.DefaultLanguage = defaultLanguage
			}
			if a.Unavailable == "" {
				a.Unavailable = parley.OffHours
			}
			return nil
		},
		refers: func(a *parley.Account) []reference {
			return []reference{
				{parley.Reference{Kind: parley.KindChannel, ID: a.Channel}, "channel.id"},
				{parley.Reference{Kind: parley.KindOrchestration, ID: a.Orchestration}, orchestrationField},
			}
		},
		suits: func(ctx context.Context, tx parley.Tx, a, _ *parley.Account) error {
			return suitsAccount(ctx, tx, a, s.cfg.BuiltInTypes)
		},
	}
	c.retire = c.retireAccount
	return c
}

const orchestrationField = "chatConfigurations.orchestration.id"

// suitsAccount: on a custom channel somebody must take the answers to the customer (reference section 6).
func suitsAccount(ctx context.Context, tx parley.Tx, a *parley.Account, builtInTypes []string) error {
	channel, err := tx.Channels().Find(ctx, a.Tenant, a.Channel)
	if err != nil {
		return err
	}
	if channel.BuiltIn || slices.Contains(builtInTypes, channel.Type) {
		return nil
	}
	orchestration, err := tx.Orchestrations().Find(ctx, a.Tenant, a.Orchestration)
	if err != nil {
		return err
	}
	var p problems
	if orchestration.Customer.IsZero() {
		p.add(parley.BadReference, orchestrationField, "the orchestration has no customerConfiguration, which the channel %s needs", channel.Type)
	}
	return p.err()
}

// retireAccount ends what goes on under an account that is about to be deleted. It is switched off first, so that no
// conversation begins meanwhile; should the delete fail after that, it stays switched off.
func (s *shared) retireAccount(ctx context.Context, tenant parley.TenantID, id parley.AccountID) error {
	err := s.records.Update(ctx, func(tx parley.Tx) error {
		a, err := tx.Accounts().Find(ctx, tenant, id)
		if err != nil || !a.Active {
			return err
		}
		a.Active = false
		return tx.Accounts().Replace(ctx, &a, []parley.Reference{{Kind: parley.KindChannel, ID: a.Channel}, {Kind: parley.KindOrchestration, ID: a.Orchestration}})
	})
	if err != nil {
		return fmt.Errorf("switch off account %s: %w", id, err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	if err := s.hub.EndAccount(ctx, tenant, id); err != nil {
		return fmt.Errorf("end conversations of account %s: %w", id, err)
	}
	return nil
}
