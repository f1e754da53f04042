package directory

import (
	"context"
	"errors"
	"fmt"

	"parley"
	"parley/flow"
)

// KeptFlows is how many versions of a bot's flow are kept besides the live one.
const KeptFlows = 50

// CheckFlow says what is wrong with a flow: Invalid, each problem with its line. warnings are what works nevertheless.
func CheckFlow(source []byte) (warnings []flow.Problem, err error) {
	f, err := flow.Parse(source)
	if err == nil {
		return f.Warnings, nil
	}
	invalid, ok := errors.AsType[*flow.Invalid](err)
	if !ok {
		return nil, err
	}
	var p problems
	for _, wrong := range invalid.Problems {
		if !wrong.Warning {
			p.add(parley.BadValue, "source", "%s", wrong)
		}
	}
	return nil, p.err()
}

// SaveFlow keeps a flow as the newest version of a bot's, its draft, and is what it is called. Invalid, see [CheckFlow].
func (s *Bots) SaveFlow(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, source []byte, author string) (number int64, warnings []flow.Problem, err error) {
	if warnings, err = CheckFlow(source); err != nil {
		return 0, nil, err
	}
	err = s.ofBot(ctx, s.records.Update, tenant, bot, func(tx parley.Tx) (err error) {
		number, err = tx.SaveFlow(ctx, parley.FlowVersion{Tenant: tenant, Bot: bot, Source: source, Author: author, Created: s.now()}, KeptFlows)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("save a flow of bot %s: %w", bot, err)
	}
	return number, warnings, nil
}

// PublishFlow makes a version live; [parley.NewestFlow] publishes the draft, the number of an earlier one goes back to it.
func (s *Bots) PublishFlow(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, number int64) error {
	err := s.ofBot(ctx, s.records.Update, tenant, bot, func(tx parley.Tx) error { return tx.PublishFlow(ctx, tenant, bot, number) })
	if err != nil {
		return fmt.Errorf("publish flow %d of bot %s: %w", number, bot, err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	return nil
}

// FlowVersions are the flows of a bot, newest first, without their sources.
func (s *Bots) FlowVersions(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID) (all []parley.FlowVersion, err error) {
	err = s.ofBot(ctx, s.records.View, tenant, bot, func(tx parley.Tx) (err error) {
		all, err = tx.FlowVersions(ctx, tenant, bot)
		return err
	})
	return all, err
}

// FlowVersion is one of them.
func (s *Bots) FlowVersion(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, number int64) (v parley.FlowVersion, err error) {
	err = s.ofBot(ctx, s.records.View, tenant, bot, func(tx parley.Tx) (err error) {
		v, err = tx.Flow(ctx, tenant, bot, number)
		return err
	})
	return v, err
}

// ofBot does something with what a bot has. NotFound if there is no such bot.
func (s *Bots) ofBot(ctx context.Context, run func(context.Context, func(parley.Tx) error) error, tenant parley.TenantID, bot parley.ApplicationID, fn func(parley.Tx) error) error {
	return run(ctx, func(tx parley.Tx) error {
		if _, _, err := find(ctx, tx, tenant, bot); err != nil {
			return err
		}
		return fn(tx)
	})
}
