package broker

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"parley"
	"parley/rest/api"
	"parley/tokens"
)

// A place is the environment of a request, whose credentials were good.
type place struct {
	tenant parley.Tenant
	key    parley.APIClientID // zero for tokens
}

// key opens the API-KEY of a request.
func (s *Surface) key(r *http.Request) (parley.APIClient, error) {
	k, err := s.keys.Open(r.Context(), r.Header.Get("Api-Key"))
	if parley.KindOf(err) == parley.Unauthenticated {
		err = errKey
	}
	return k, err
}

// withKey is the place of a request that comes with an API-KEY: of that very environment, and with a token if it wants one.
func (s *Surface) withKey(r *http.Request) (place, error) {
	k, err := s.key(r)
	if err != nil {
		return place{}, err
	}
	p, err := s.environment(r, k.Tenant)
	if err != nil {
		return p, err
	}
	p.key = k.ID
	return p, s.admits(r, &p)
}

// admits wants a token besides the API-KEY where the environment wants one.
func (s *Surface) admits(r *http.Request, p *place) error {
	if !p.tenant.RequireBearer {
		return nil
	}
	return s.bearer(r, p.tenant.ID, parley.ScopeBroker, parley.ScopeAdmin)
}

// whom reads whose turn it is, and which bot's. Every turn does, so it is one view.
func (s *Surface) whom(r *http.Request, a *ask) error {
	k, err := s.key(r)
	if err != nil {
		return err
	}
	var ofBot error // is told when it is known who asks
	if err := s.Store.View(r.Context(), func(tx parley.Tx) (err error) {
		if a.place, err = environmentIn(tx, r, k.Tenant); err == nil {
			a.bot, ofBot = botIn(tx, r, a.tenant.ID)
		}
		return err
	}); err != nil {
		return err
	}
	a.key = k.ID
	if err := s.admits(r, &a.place); err != nil {
		return err
	}
	return ofBot
}

// environment is the one that the path names, if it is the credential's.
func (s *Surface) environment(r *http.Request, tenant parley.TenantID) (p place, err error) {
	err = s.Store.View(r.Context(), func(tx parley.Tx) (err error) {
		p, err = environmentIn(tx, r, tenant)
		return err
	})
	return p, err
}

func environmentIn(tx parley.Tx, r *http.Request, tenant parley.TenantID) (p place, err error) {
	id, err := parley.ParseID[parley.Tenant](strings.ToLower(mux.Vars(r)["env"]))
	if err != nil {
		return p, errNotFound
	}
	if id != tenant {
		return p, errForeign
	}
	if p.tenant, err = tx.Tenant(r.Context(), id); err != nil {
		return p, err
	}
	if org, err := parley.ParseID[parley.Organisation](strings.ToLower(mux.Vars(r)["org"])); err != nil || org != p.tenant.Organisation {
		return p, errNotFound
	}
	return p, nil
}

// bearer wants a token of the environment with one of the scopes. Administrators of the default environment administer all.
func (s *Surface) bearer(r *http.Request, tenant parley.TenantID, scopes ...string) error {
	g, err := s.grant(r)
	if err != nil {
		return err
	}
	if !g.Has(scopes...) {
		return errRole
	}
	if g.Tenant != tenant && (g.Tenant != parley.DefaultTenant || !g.Has(parley.ScopeAdmin)) {
		return errForeign
	}
	return nil
}

func (s *Surface) grant(r *http.Request) (tokens.Grant, error) {
	g, err := api.Authorize(r, s.Authority)
	if err != nil && parley.KindOf(err) != parley.Internal {
		return g, errBearer
	}
	return g, err
}

// asAdministrator is the place of a request that comes with the token of an administrator.
func (s *Surface) asAdministrator(r *http.Request) (p place, err error) {
	g, err := s.grant(r)
	if err != nil {
		return p, err
	}
	tenant := g.Tenant
	if id, err := parley.ParseID[parley.Tenant](strings.ToLower(mux.Vars(r)["env"])); err == nil && g.Tenant == parley.DefaultTenant && g.Has(parley.ScopeAdmin) {
		tenant = id
	}
	if p, err = s.environment(r, tenant); err != nil {
		if parley.KindOf(err) == parley.NotFound {
			err = errNotFound
		}
		return p, err
	}
	if !g.Has(parley.ScopeAdmin) {
		return p, errRole
	}
	return p, nil
}

// A bot is what a turn needs to know of the one that a path names, and of the channel it is reached on: a turn that waits keeps it.
type bot struct {
	id      parley.ApplicationID
	renews  bool // begins a session in place of one that is over
	account parley.AccountID
	address string
	channel string        // its type
	speaks  string        // the language of whose locale is none
	timeout time.Duration // of a session without a turn
}

// optionBot and optionChannel name the options by which an account is a channel of a bot; see directory.Bots.
const (
	optionBot     = "bot"
	optionChannel = "channel"
)

// botIn finds the bot and channel of a path, or of the older route, whose channel is in a header.
func botIn(tx parley.Tx, r *http.Request, tenant parley.TenantID) (b bot, err error) {
	ctx, vars := r.Context(), mux.Vars(r)
	id, err := parley.ParseID[parley.ClientApplication](strings.ToLower(vars["bot"]))
	if err != nil {
		return b, errNotFound
	}
	named, inPath := vars["channel"]
	if !inPath {
		if named = strings.TrimSpace(r.Header.Get("Channel")); named == "" {
			return b, errNotFound
		}
	}
	var account parley.Account
	var channel parley.Channel
	app, err := tx.Applications().Find(ctx, tenant, id)
	if err == nil && app.Bot == nil {
		err = errNotFound
	}
	if err == nil {
		account, err = findChannel(ctx, tx, &app, named, !inPath)
	}
	if err == nil {
		channel, err = tx.Channels().Find(ctx, tenant, account.Channel)
	}
	if parley.KindOf(err) == parley.NotFound {
		return b, errNotFound
	}
	if err != nil {
		return b, err
	}
	if !app.Active || !account.Active || !channel.Active {
		return b, errOff
	}
	b = bot{id: app.ID, renews: app.Bot.RenewExpired, account: account.ID, address: account.Address, channel: channel.Type, speaks: account.DefaultLanguage,
		timeout: timeoutOf(&account)}
	return b, mayCall(r.Header.Get("Origin"), account.Option(parley.OptionAllowedOrigins))
}

// findChannel is a channel of a bot by its id or, on the older route, its name.
func findChannel(ctx context.Context, tx parley.Tx, app *parley.ClientApplication, named string, byName bool) (parley.Account, error) {
	if id, err := parley.ParseID[parley.Account](strings.ToLower(named)); err == nil {
		a, err := tx.Accounts().Find(ctx, app.Tenant, id)
		if err == nil && a.Option(optionBot) != app.ID.String() {
			err = errNotFound
		}
		return a, err
	}
	const page = 200
	for offset := 0; byName; offset += page {
		accounts, count, err := tx.Accounts().List(ctx, app.Tenant, offset, page)
		if err != nil {
			return parley.Account{}, err
		}
		for _, a := range accounts {
			if a.Option(optionBot) == app.ID.String() && a.Option(optionChannel) == named {
				return a, nil
			}
		}
		if offset+page >= count {
			break
		}
	}
	return parley.Account{}, errNotFound
}

// mayCall says whether a page of that origin may talk to a channel that lists those.
func mayCall(origin, origins string) error {
	allowed := strings.Fields(origins)
	if origin == "" || len(allowed) == 0 {
		return nil
	}
	for _, a := range allowed {
		if strings.EqualFold(strings.TrimSuffix(a, "/"), origin) {
			return nil
		}
	}
	return fail(http.StatusForbidden, "FORBIDDEN", "pages of this origin may not talk to the channel")
}
