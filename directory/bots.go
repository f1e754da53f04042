package directory

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"parley"
	"parley/ident"
)

// Bots has the rules of bots and the channels they are reached on. A bot is a client application with a persona and an
// orchestration of its own, in which it comes first and the console's agents second. Safe for concurrent use.
type Bots struct{ shared }

// NewBots returns the rules over the given records.
func NewBots(cfg Config, records Records, hub Hub) *Bots { return &Bots{newShared(cfg, records, hub)} }

// A Bot is one as administrators see it.
type Bot struct {
	ID       parley.ApplicationID
	Name     string
	Active   bool
	Settings parley.BotSettings // without secrets where it is read
	Created  time.Time
	Modified time.Time
}

// A BotChannel is where a bot is reached.
type BotChannel struct {
	ID             parley.AccountID
	Name, Type     string
	AllowedOrigins []string // of pages that may call; empty = all
	Active         bool
	Created        time.Time
	Modified       time.Time
}

// Options of the accounts that are channels of bots; they are ours.
const (
	optionBot     = "bot"     // id of its application
	optionChannel = "channel" // name of the channel
)

const (
	// DefaultBotChannel is the name and type of the channel that every bot has.
	DefaultBotChannel = "default"
	// AgentChannel is the type of the channels of the agent-conversations surface; their conversations do not end by themselves.
	AgentChannel = "api"
	// endless is a timeout of ten years, in minutes.
	endless = 10 * 365 * 24 * 60
	// maxSession bounds the timeout of a session.
	maxSession = 365 * 24 * time.Hour
	// Bounds of how long after an answer a turn of a bot with a callback is open: a bot takes a moment to go on, and somebody waits.
	minSettle, maxSettle = 50 * time.Millisecond, 30 * time.Second
)

// Create makes a bot with its default channel. Invalid.
func (s *Bots) Create(ctx context.Context, tenant parley.TenantID, b Bot) (Bot, parley.AccountID, error) {
	if err := s.form(&b); err != nil {
		return b, parley.AccountID{}, err
	}
	now := s.now()
	b.ID, b.Created, b.Modified = ident.New[parley.ClientApplication](), now, now
	b.Settings.Participant, b.Settings.Orchestration = ident.New[parley.Participant](), ident.New[parley.Orchestration]()
	base := func(name string) parley.Base {
		return parley.Base{Tenant: tenant, Name: name, Active: b.Active, Created: now, Modified: now}
	}
	var channel parley.AccountID
	err := s.records.Update(ctx, func(tx parley.Tx) error {
		app := application(&b, base(b.Name))
		if err := tx.Applications().Insert(ctx, &app, nil); err != nil {
			return err
		}
		err := tx.Participants().Insert(ctx, &parley.Participant{ID: b.Settings.Participant, Base: base(b.Name), Type: parley.CustomBot, Application: b.ID},
			[]parley.Reference{{Kind: parley.KindApplication, ID: b.ID}})
		if err != nil {
			return err
		}
		err = tx.Orchestrations().Insert(ctx, &parley.Orchestration{ID: b.Settings.Orchestration, Base: base("bot " + b.ID.String()),
			Bots:   &parley.BotConfiguration{Bots: []parley.BotReference{{Application: b.ID, Participant: b.Settings.Participant}}},
			Agents: []parley.AgentReference{{Application: parley.ConsoleApplication}}},
			[]parley.Reference{{Kind: parley.KindApplication, ID: b.ID}, {Kind: parley.KindParticipant, ID: b.Settings.Participant}})
		if err != nil {
			return err
		}
		channel, err = s.addChannel(ctx, tx, tenant, &b, BotChannel{Name: DefaultBotChannel, Type: DefaultBotChannel, Active: true})
		return err
	})
	if err != nil {
		return b, channel, fmt.Errorf("create bot: %w", err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	return b, channel, nil
}

// application is a bot as a client application.
func application(b *Bot, base parley.Base) parley.ClientApplication {
	settings := b.Settings
	role := parley.ApplicationRole{Name: parley.CustomBot, Version: "v3", Callback: parley.BotCallback, Signing: parley.Signing{Secret: newSigningSecret()}}
	if settings.Connector == parley.ConnectorCallback {
		role.Callback, role.Headers = settings.URL, settings.Headers
	}
	return parley.ClientApplication{ID: b.ID, Base: base, Roles: []parley.ApplicationRole{role}, Bot: &settings}
}

// form checks a bot.
func (s *Bots) form(b *Bot) error {
	var p problems
	b.Name = strings.TrimSpace(b.Name)
	if b.Name == "" {
		p.add(parley.Missing, "name", "is required")
	}
	c := &b.Settings
	if !slices.Contains(parley.Connectors(), c.Connector) {
		p.add(parley.OutsideEnum, "connector.kind", "must be one of callback, webhook, rules, llm")
	}
	switch {
	case c.URL != "":
		if wrong := webAddress(c.URL, s.cfg.PlainHTTP, s.guard()); wrong != "" && c.URL != parley.SessionCallback {
			p.add(parley.BadValue, "connector.url", "%s", wrong)
		}
	case c.Connector == parley.ConnectorCallback:
		p.add(parley.Missing, "connector.url", "is required for a bot with a callback")
	}
	if c.Language != "" {
		if _, err := language.Parse(c.Language); err != nil {
			p.add(parley.BadValue, "language", "must be a language tag such as en-US")
		}
	}
	if d := c.TurnDeadline; d != 0 && (d < time.Second || d > parley.MaxBotDeadline) {
		p.add(parley.BadValue, "turnDeadlineSeconds", "must be from 1 to 60")
	}
	if d := c.Settle; d != 0 && (d < minSettle || d > maxSettle) {
		p.add(parley.BadValue, "settleSeconds", "must be from 0.05 to 30")
	}
	if d := c.SessionTimeout; d != 0 && (d < time.Second || d > maxSession) {
		p.add(parley.BadValue, "sessionTimeoutSeconds", "must be from 1 second to a year")
	}
	if m := c.MinimumConfidence; m < 0 || m > 1 || math.IsNaN(m) {
		p.add(parley.BadValue, "minimumConfidence", "must be from 0 to 1")
	}
	return p.err()
}

// Bot is the one of that id, without its secrets. NotFound, also for programs that are no bots.
func (s *Bots) Bot(ctx context.Context, tenant parley.TenantID, id parley.ApplicationID) (b Bot, err error) {
	err = s.records.View(ctx, func(tx parley.Tx) (err error) {
		b, _, err = find(ctx, tx, tenant, id)
		return err
	})
	b.hide()
	return b, err
}

// hide leaves out what only the hub may know.
func (b *Bot) hide() {
	b.Settings.Model.Key = ""
	b.Settings.Headers = slices.Clone(b.Settings.Headers)
	for i := range b.Settings.Headers {
		b.Settings.Headers[i].Value = Mask
	}
}

func find(ctx context.Context, tx parley.Tx, tenant parley.TenantID, id parley.ApplicationID) (Bot, parley.ClientApplication, error) {
	app, err := tx.Applications().Find(ctx, tenant, id)
	if err == nil && app.Bot == nil || parley.KindOf(err) == parley.NotFound {
		return Bot{}, app, &parley.Error{Kind: parley.NotFound, Msg: "bot not found"}
	}
	if err != nil {
		return Bot{}, app, err
	}
	return Bot{ID: app.ID, Name: app.Name, Active: app.Active, Settings: *app.Bot, Created: app.Created, Modified: app.Modified}, app, nil
}

// listPage is how many objects are read together.
const listPage = 200

// all reads every object of a kind.
func all[T any](ctx context.Context, tenant parley.TenantID, of parley.Objects[T]) (found []T, err error) {
	for {
		page, count, err := of.List(ctx, tenant, len(found), listPage)
		if err != nil {
			return nil, err
		}
		if found = append(found, page...); len(page) == 0 || len(found) >= count {
			return found, nil
		}
	}
}

// List is all bots of a tenant in order of creation, without their secrets.
func (s *Bots) List(ctx context.Context, tenant parley.TenantID) (bots []Bot, err error) {
	err = s.records.View(ctx, func(tx parley.Tx) error {
		bots = nil
		apps, err := all(ctx, tenant, tx.Applications())
		for _, a := range apps {
			if a.Bot != nil {
				b := Bot{ID: a.ID, Name: a.Name, Active: a.Active, Settings: *a.Bot, Created: a.Created, Modified: a.Modified}
				b.hide()
				bots = append(bots, b)
			}
		}
		return err
	})
	return bots, err
}

// Change lets change work on a bot, and stores what comes out. Secrets and values of headers that it leaves empty, or as they were
// shown, stay.
func (s *Bots) Change(ctx context.Context, tenant parley.TenantID, id parley.ApplicationID, change func(*Bot)) error {
	err := s.records.Update(ctx, func(tx parley.Tx) error {
		b, app, err := find(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		before := b.Settings
		b.hide()
		change(&b)
		b.ID, b.Settings.Participant, b.Settings.Orchestration, b.Settings.Hooks = id, before.Participant, before.Orchestration, before.Hooks
		b.Settings.Model.Key = cmp.Or(b.Settings.Model.Key, before.Model.Key)
		for i, h := range b.Settings.Headers {
			if at := slices.IndexFunc(before.Headers, func(o parley.NameValue) bool { return o.Name == h.Name }); h.Value == Mask && at >= 0 {
				b.Settings.Headers[i].Value = before.Headers[at].Value
			}
		}
		if err := s.form(&b); err != nil {
			return err
		}
		now := s.now()
		made := application(&b, app.Base)
		made.Name, made.Active, made.Modified, made.Roles[0].Signing, made.Roles[0].Delivery = b.Name, b.Active, now, app.Roles[0].Signing, app.Roles[0].Delivery
		if err := tx.Applications().Replace(ctx, &made, nil); err != nil {
			return err
		}
		persona, err := tx.Participants().Find(ctx, tenant, before.Participant)
		if err != nil {
			return err
		}
		persona.Name, persona.Active, persona.Modified = b.Name, b.Active, now
		if err := tx.Participants().Replace(ctx, &persona, []parley.Reference{{Kind: parley.KindApplication, ID: id}}); err != nil {
			return err
		}
		if b.Settings.SessionTimeout == before.SessionTimeout {
			return nil
		}
		channels, err := accountsOf(ctx, tx, tenant, &b)
		for _, a := range channels {
			if a.TimeoutMinutes < endless {
				a.TimeoutMinutes = sessionMinutes(&b)
				err = cmp.Or(err, tx.Accounts().Replace(ctx, &a, refersTo(&a)))
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change bot %s: %w", id, err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	return nil
}

func sessionMinutes(b *Bot) float64 {
	return cmp.Or(b.Settings.SessionTimeout, parley.DefaultSession).Minutes()
}

// Delete ends the conversations of a bot and removes it with its channels. Invalid/InUse, and nothing is touched, while others refer to it; should it
// fail later, channels stay switched off.
func (s *Bots) Delete(ctx context.Context, tenant parley.TenantID, id parley.ApplicationID) error {
	var channels []parley.Account
	err := s.records.View(ctx, func(tx parley.Tx) error {
		b, _, err := find(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		if channels, err = accountsOf(ctx, tx, tenant, &b); err != nil {
			return err
		}
		return unused(ctx, tx, tenant, &b, channels)
	})
	if err != nil {
		return fmt.Errorf("delete bot %s: %w", id, err)
	}
	for _, c := range channels {
		if err := s.retireAccount(ctx, tenant, c.ID); err != nil {
			return fmt.Errorf("delete bot %s: %w", id, err)
		}
	}
	err = s.records.Update(ctx, func(tx parley.Tx) error {
		b, _, err := find(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		accounts, err := accountsOf(ctx, tx, tenant, &b)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			if err := tx.Accounts().Delete(ctx, tenant, a.ID); err != nil {
				return err
			}
		}
		if err := unused(ctx, tx, tenant, &b, nil); err != nil {
			return err
		}
		if err := tx.DeleteFlows(ctx, tenant, id); err != nil {
			return err
		}
		if err := tx.DeleteAgent(ctx, tenant, id); err != nil {
			return err
		}
		if err := deleteHooks(ctx, tx, tenant, &b.Settings); err != nil {
			return err
		}
		if err := tx.Orchestrations().Delete(ctx, tenant, b.Settings.Orchestration); err != nil {
			return err
		}
		if err := tx.Participants().Delete(ctx, tenant, b.Settings.Participant); err != nil {
			return err
		}
		return tx.Applications().Delete(ctx, tenant, id)
	})
	if err != nil {
		return fmt.Errorf("delete bot %s: %w", id, err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	return nil
}

// unused wants that nobody but its own parts refers to a bot.
func unused(ctx context.Context, tx parley.Tx, tenant parley.TenantID, b *Bot, channels []parley.Account) error {
	own := map[[16]byte]bool{[16]byte(b.Settings.Participant): true, [16]byte(b.Settings.Orchestration): true}
	for _, c := range channels {
		own[[16]byte(c.ID)] = true
	}
	others, err := tx.Orchestrations().Users(ctx, tenant, b.Settings.Orchestration)
	if err != nil {
		return err
	}
	more, err := tx.Applications().Users(ctx, tenant, b.ID)
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(append(others, more...), func(r parley.Reference) bool { return own[r.ID] })
	if len(others) > 0 {
		return inUse(others)
	}
	return nil
}
