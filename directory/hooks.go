package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parley"
	"parley/ident"
)

// AddHook makes a hook of a bot, under a name of its own, that posts to a URL with those headers: [parley.Hook]. Invalid, also when the bot
// has [parley.MaxHooks].
func (s *Bots) AddHook(ctx context.Context, tenant parley.TenantID, hook parley.Hook, url string, headers []parley.NameValue) (app parley.ClientApplication, err error) {
	now := s.now()
	app = parley.ClientApplication{ID: ident.New[parley.ClientApplication](), Hook: &hook,
		Roles: []parley.ApplicationRole{{Name: parley.BusinessNotification, Version: "v3", Callback: url, Headers: headers, Signing: parley.Signing{Secret: newSigningSecret()}}}}
	app.Base = parley.Base{Tenant: tenant, Name: "webhook " + app.ID.String(), Description: hook.Title, Active: true, Created: now, Modified: now}
	if err := s.formHook(&app); err != nil {
		return app, err
	}
	err = s.records.Update(ctx, func(tx parley.Tx) error {
		_, bot, err := find(ctx, tx, tenant, hook.Agent)
		if err != nil {
			return err
		}
		if len(bot.Bot.Hooks) >= parley.MaxHooks {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "url", Msg: fmt.Sprintf("would be the hook number %d, and a bot may have %d", len(bot.Bot.Hooks)+1, parley.MaxHooks)}
		}
		settings := *bot.Bot
		settings.Hooks, bot.Bot = append(slices.Clone(settings.Hooks), app.ID), &settings
		if err := tx.Applications().Insert(ctx, &app, nil); err != nil {
			return err
		}
		return tx.Applications().Replace(ctx, &bot, nil)
	})
	if err != nil {
		return app, fmt.Errorf("add hook to bot %s: %w", hook.Agent, err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	return app, nil
}

// formHook checks what a hook posts to. The published API wants https, always (reference/agent-conversations.md 5); who allows callbacks
// to private addresses may have plain http as well.
func (s *Bots) formHook(app *parley.ClientApplication) error {
	if err := formApplication(app, s.cfg.PlainHTTP, s.guard()); err != nil {
		e, _ := err.(*parley.Error) //nolint:errorlint // formApplication makes it
		hook := *e
		hook.Field = strings.NewReplacer("roles[0].callback", "url", "roles[0].", "").Replace(e.Field)
		return &hook
	}
	return nil
}

// deleteHooks removes the hooks of a bot.
func deleteHooks(ctx context.Context, tx parley.Tx, tenant parley.TenantID, bot *parley.BotSettings) error {
	for _, id := range bot.Hooks {
		if err := tx.Applications().Delete(ctx, tenant, id); err != nil && parley.KindOf(err) != parley.NotFound {
			return err
		}
	}
	return nil
}
