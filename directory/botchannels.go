package directory

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"parley"
	"parley/ident"
)

// addChannel makes a channel of a bot: an account of the bot's orchestration.
func (s *Bots) addChannel(ctx context.Context, tx parley.Tx, tenant parley.TenantID, b *Bot, c BotChannel) (parley.AccountID, error) {
	channel, err := tx.ChannelByType(ctx, tenant, c.Type)
	now := s.now()
	if parley.KindOf(err) == parley.NotFound {
		channel = parley.Channel{ID: ident.New[parley.Channel](), Base: parley.Base{Tenant: tenant, Active: true, Created: now, Modified: now},
			Type: c.Type, DisplayName: c.Type, Icon: c.Type, // never decoded (reference/conversationmgr.md 5)
			Restrictions: &parley.Restrictions{Outbound: &parley.OutboundRestriction{SystemMessages: false}}}
		err = tx.Channels().Insert(ctx, &channel, nil)
	}
	if err != nil {
		return parley.AccountID{}, err
	}
	a := parley.Account{ID: ident.New[parley.Account](), Base: parley.Base{Tenant: tenant, Name: b.Name + " " + c.Name, Active: c.Active, Created: now, Modified: now},
		Address: b.ID.String() + "/" + c.Name, Channel: channel.ID, Orchestration: b.Settings.Orchestration, TimeoutMinutes: sessionMinutes(b),
		DefaultLanguage: b.Settings.Language, Unavailable: parley.RetainAndRetry, QueueIfUnavailable: true,
		Options: []parley.NameValue{{Name: optionBot, Value: b.ID.String()}, {Name: optionChannel, Value: c.Name}}}
	if a.DefaultLanguage == "" {
		a.DefaultLanguage = defaultLanguage
	}
	if endlessTypes[c.Type] {
		a.TimeoutMinutes = endless
	}
	setOrigins(&a, c.AllowedOrigins)
	return a.ID, tx.Accounts().Insert(ctx, &a, refersTo(&a))
}

// endlessTypes are the channels of the agent-conversations surface, whose conversations nothing ends by itself.
var endlessTypes = map[string]bool{AgentChannel: true, "email": true, "sms": true, "voice": true, "live_chat": true}

func refersTo(a *parley.Account) []parley.Reference {
	return []parley.Reference{{Kind: parley.KindChannel, ID: a.Channel}, {Kind: parley.KindOrchestration, ID: a.Orchestration}}
}

func setOrigins(a *parley.Account, origins []string) {
	a.Options = slices.DeleteFunc(slices.Clone(a.Options), func(o parley.NameValue) bool { return o.Name == parley.OptionAllowedOrigins })
	if len(origins) > 0 {
		a.Options = append(a.Options, parley.NameValue{Name: parley.OptionAllowedOrigins, Value: strings.Join(origins, " ")})
	}
}

// accountsOf are the channels of a bot as accounts, in order of creation.
func accountsOf(ctx context.Context, tx parley.Tx, tenant parley.TenantID, b *Bot) ([]parley.Account, error) {
	accounts, err := all(ctx, tenant, tx.Accounts())
	return slices.DeleteFunc(accounts, func(a parley.Account) bool { return a.Option(optionBot) != b.ID.String() }), err
}

// formChannel checks a channel; taken are the names that others of the bot have.
func formChannel(c *BotChannel, taken func(string) bool) error {
	var p problems
	c.Name, c.Type = strings.TrimSpace(c.Name), strings.TrimSpace(c.Type)
	switch {
	case c.Name == "":
		p.add(parley.Missing, "name", "is required")
	case taken(c.Name):
		p.add(parley.NameTaken, "name", "another channel of the bot has this name")
	}
	if c.Type == "" {
		p.add(parley.Missing, "type", "is required")
	}
	for i, o := range c.AllowedOrigins {
		if u, err := url.Parse(o); err != nil || u.Host == "" || u.Path != "" || u.Scheme != "https" && u.Scheme != "http" {
			p.add(parley.BadValue, fmt.Sprintf("allowedOrigins[%d]", i), "must be an origin such as https://shop.example")
		}
	}
	return p.err()
}

// AddChannel makes a further channel. Invalid, also /NameTaken.
func (s *Bots) AddChannel(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, c BotChannel) (id parley.AccountID, err error) {
	err = s.records.Update(ctx, func(tx parley.Tx) error {
		b, _, err := find(ctx, tx, tenant, bot)
		if err != nil {
			return err
		}
		have, err := accountsOf(ctx, tx, tenant, &b)
		if err != nil {
			return err
		}
		if err := formChannel(&c, func(name string) bool {
			return slices.ContainsFunc(have, func(a parley.Account) bool { return a.Option(optionChannel) == name })
		}); err != nil {
			return err
		}
		id, err = s.addChannel(ctx, tx, tenant, &b, c)
		return err
	})
	if err != nil {
		return id, fmt.Errorf("add channel to bot %s: %w", bot, err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	return id, nil
}

// ChannelFor is the channel of that type, which is also its name; it is made if there is none.
func (s *Bots) ChannelFor(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, channelType string) (BotChannel, error) {
	for range 2 { // another request may make it at the same time
		channels, err := s.Channels(ctx, tenant, bot)
		if err != nil {
			return BotChannel{}, err
		}
		if i := slices.IndexFunc(channels, func(c BotChannel) bool { return c.Name == channelType }); i >= 0 {
			return channels[i], nil
		}
		if _, err := s.AddChannel(ctx, tenant, bot, BotChannel{Name: channelType, Type: channelType, Active: true}); err != nil && parley.ReasonOf(err) != parley.NameTaken {
			return BotChannel{}, err
		}
	}
	return BotChannel{}, fmt.Errorf("channel %s of bot %s was made and is gone", channelType, bot)
}

// Channels are those of a bot, in order of creation.
func (s *Bots) Channels(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID) (channels []BotChannel, err error) {
	err = s.records.View(ctx, func(tx parley.Tx) error {
		channels = nil
		b, _, err := find(ctx, tx, tenant, bot)
		if err != nil {
			return err
		}
		accounts, err := accountsOf(ctx, tx, tenant, &b)
		for _, a := range accounts {
			channel, err := tx.Channels().Find(ctx, tenant, a.Channel)
			if err != nil {
				return err
			}
			channels = append(channels, toBotChannel(&a, &channel))
		}
		return err
	})
	return channels, err
}

func toBotChannel(a *parley.Account, c *parley.Channel) BotChannel {
	return BotChannel{ID: a.ID, Name: a.Option(optionChannel), Type: c.Type, AllowedOrigins: strings.Fields(a.Option(parley.OptionAllowedOrigins)), Active: a.Active,
		Created: a.Created, Modified: a.Modified}
}

// Channel is a channel of a bot. NotFound.
func (s *Bots) Channel(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, id parley.AccountID) (c BotChannel, err error) {
	err = s.records.View(ctx, func(tx parley.Tx) error {
		a, err := channelOf(ctx, tx, tenant, bot, id)
		if err != nil {
			return err
		}
		channel, err := tx.Channels().Find(ctx, tenant, a.Channel)
		c = toBotChannel(&a, &channel)
		return err
	})
	return c, err
}

func channelOf(ctx context.Context, tx parley.Tx, tenant parley.TenantID, bot parley.ApplicationID, id parley.AccountID) (parley.Account, error) {
	a, err := tx.Accounts().Find(ctx, tenant, id)
	if parley.KindOf(err) == parley.NotFound || err == nil && a.Option(optionBot) != bot.String() {
		return a, &parley.Error{Kind: parley.NotFound, Msg: "channel not found"}
	}
	return a, err
}

// ChangeChannel lets change work on a channel's name, origins and activity, and stores what comes out.
func (s *Bots) ChangeChannel(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, id parley.AccountID, change func(*BotChannel)) error {
	err := s.records.Update(ctx, func(tx parley.Tx) error {
		a, err := channelOf(ctx, tx, tenant, bot, id)
		if err != nil {
			return err
		}
		channel, err := tx.Channels().Find(ctx, tenant, a.Channel)
		if err != nil {
			return err
		}
		b, _, err := find(ctx, tx, tenant, bot)
		if err != nil {
			return err
		}
		have, err := accountsOf(ctx, tx, tenant, &b)
		if err != nil {
			return err
		}
		c := toBotChannel(&a, &channel)
		change(&c)
		c.Type = channel.Type
		if err := formChannel(&c, func(name string) bool {
			return slices.ContainsFunc(have, func(other parley.Account) bool { return other.ID != id && other.Option(optionChannel) == name })
		}); err != nil {
			return err
		}
		a.Options = slices.Clone(a.Options)
		for i := range a.Options {
			if a.Options[i].Name == optionChannel {
				a.Options[i].Value = c.Name
			}
		}
		setOrigins(&a, c.AllowedOrigins)
		a.Active, a.Modified = c.Active, s.now()
		return tx.Accounts().Replace(ctx, &a, refersTo(&a))
	})
	if err != nil {
		return fmt.Errorf("change channel %s: %w", id, err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	return nil
}

// DeleteChannel ends the conversations of a channel and removes it. Should it fail, the channel stays switched off.
func (s *Bots) DeleteChannel(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, id parley.AccountID) error {
	if _, err := s.Channel(ctx, tenant, bot, id); err != nil {
		return err
	}
	if err := s.retireAccount(ctx, tenant, id); err != nil {
		return fmt.Errorf("delete channel %s: %w", id, err)
	}
	if err := s.records.Update(ctx, func(tx parley.Tx) error { return tx.Accounts().Delete(ctx, tenant, id) }); err != nil {
		return fmt.Errorf("delete channel %s: %w", id, err)
	}
	s.hub.ConfigChanged(ctx, tenant)
	return nil
}
