package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"parley"
	"parley/directory"
	exampleflows "parley/examples/flows"
)

// A demo is a ready tenant: an account on the web chat, a bot with rules that shows the types of answers, and hand-over to the console.
type demo struct {
	customerPage, agentPage string
}

// Names by which a second start finds what the first one made.
const (
	demoBot     = "Demo guide"
	demoAccount = "demo" // also its address
)

// startDemo makes what is missing and says where to click.
func startDemo(ctx context.Context, n *node, url string) (d demo, err error) {
	bot, err := n.makeDemoBot(ctx, url)
	if err != nil {
		return d, err
	}
	fresh, err := n.makeDemo(ctx, &bot)
	if err != nil {
		return d, err
	}
	token, err := n.demoAgentToken(ctx)
	if err == nil && fresh {
		err = n.sampleHistory(ctx)
	}
	// A fragment is not sent to any server.
	return demo{customerPage: url + "/widget/v1/?account=" + demoAccount, agentPage: url + "/console/#token=" + token}, err
}

// demoMedia is where the hub serves the media of the demo's flow.
const demoMedia = "/demo/media/"

// demoAuthor is who saves the demo's flow.
const demoAuthor = "demo"

// makeDemoBot makes the demo's bot, and has it follow the example flow unless somebody gave it another. A flow of an earlier start may have its
// media at another address.
func (n *node) makeDemoBot(ctx context.Context, url string) (bot directory.Bot, err error) {
	all, err := n.bots.List(ctx, parley.DefaultTenant)
	if err != nil {
		return bot, err
	}
	at := slices.IndexFunc(all, func(b directory.Bot) bool { return b.Name == demoBot })
	if at >= 0 {
		bot = all[at]
	} else if bot, _, err = n.bots.Create(ctx, parley.DefaultTenant, directory.Bot{Name: demoBot, Active: true,
		Settings: parley.BotSettings{Connector: parley.ConnectorRules, Language: "en-US"}}); err != nil {
		return bot, err
	}
	source := exampleflows.DemoAt(url + demoMedia)
	live, err := n.bots.FlowVersion(ctx, parley.DefaultTenant, bot.ID, parley.LiveFlow)
	if err == nil && (live.Author != demoAuthor || bytes.Equal(live.Source, source)) || err != nil && parley.KindOf(err) != parley.NotFound {
		return bot, err
	}
	number, _, err := n.bots.SaveFlow(ctx, parley.DefaultTenant, bot.ID, source, demoAuthor)
	if err != nil {
		return bot, err
	}
	return bot, n.bots.PublishFlow(ctx, parley.DefaultTenant, bot.ID, number)
}

// demoClient makes an API client of the demo anew, with a new secret, in place of the one of the start before.
func (n *node) demoClient(ctx context.Context, c parley.APIClient) (parley.APIClient, string, error) {
	const page = 100
	for offset := 0; ; offset += page {
		all, count, err := n.admin.Clients(ctx, operator, parley.DefaultTenant, offset, page)
		if err != nil {
			return c, "", err
		}
		for _, before := range all {
			if before.Name == c.Name {
				if err := n.admin.RevokeClient(ctx, operator, before.PublicID); err != nil {
					return c, "", err
				}
			}
		}
		if offset+page >= count {
			return n.admin.CreateClient(ctx, operator, c)
		}
	}
}

// demoAgentToken makes the token with which the agent's page connects.
func (n *node) demoAgentToken(ctx context.Context) (string, error) {
	client, _, err := n.demoClient(ctx, parley.APIClient{Name: "Demo console", Scopes: []string{parley.ScopeInteractionManage},
		Application: parley.ConsoleApplication, Roles: []parley.Role{parley.CustomAgent}})
	if err != nil {
		return "", err
	}
	token, _, err := n.tokens.Issue(ctx, &client, client.Scopes)
	return token, err
}

// makeDemo makes, or brings up to date, the demo's configuration. fresh says that the account was not there before.
func (n *node) makeDemo(ctx context.Context, bot *directory.Bot) (fresh bool, err error) {
	tenant, dir := parley.DefaultTenant, n.directory
	orchestration, err := keep(ctx, dir.Orchestrations, tenant, parley.Orchestration{Base: parley.Base{Name: "Demo: bot, then agents", Active: true},
		Bots:   &parley.BotConfiguration{Bots: []parley.BotReference{{Application: bot.ID, Participant: bot.Settings.Participant, EscalateTo: parley.ConsoleApplication}}},
		Agents: []parley.AgentReference{{Application: parley.ConsoleApplication}}},
		func(o parley.Orchestration) (parley.OrchestrationID, string) { return o.ID, o.Name })
	if err != nil {
		return false, err
	}
	_, known, err := find(ctx, dir.Accounts, tenant, demoAccount, accountName)
	if err != nil || known {
		return false, err
	}
	_, err = dir.Accounts.Create(ctx, tenant, parley.Account{Base: parley.Base{Name: demoAccount, Active: true}, Address: demoAccount, Channel: parley.WebChatChannel,
		Orchestration: orchestration, TimeoutMinutes: 60, DefaultLanguage: "en-US", Unavailable: parley.RetainAndRetry,
		Options: []parley.NameValue{{Name: parley.OptionAnonymous, Value: "true"}}})
	return true, err
}

func accountName(a parley.Account) (parley.AccountID, string) { return a.ID, a.Name }

// keep makes an object, or replaces the one of its name.
func keep[T any](ctx context.Context, c collection[T], tenant parley.TenantID, object T, name func(T) (parley.ID[T], string)) (parley.ID[T], error) {
	_, wanted := name(object)
	id, known, err := find(ctx, c, tenant, wanted, name)
	if err != nil {
		return id, err
	}
	if known {
		return id, c.Replace(ctx, tenant, id, object)
	}
	return c.Create(ctx, tenant, object)
}

// A collection is the part of the directory that keep needs.
type collection[T any] interface {
	Create(ctx context.Context, tenant parley.TenantID, object T) (parley.ID[T], error)
	Replace(ctx context.Context, tenant parley.TenantID, id parley.ID[T], object T) error
	List(ctx context.Context, tenant parley.TenantID, offset, limit int) ([]T, int, error)
}

// find looks for an object by name.
func find[T any](ctx context.Context, c collection[T], tenant parley.TenantID, wanted string, name func(T) (parley.ID[T], string)) (id parley.ID[T], known bool, err error) {
	const page = 100
	for offset := 0; ; offset += page {
		all, count, err := c.List(ctx, tenant, offset, page)
		if err != nil {
			return id, false, err
		}
		for _, o := range all {
			if id, n := name(o); n == wanted {
				return id, true, nil
			}
		}
		if offset+page >= count {
			return id, false, nil
		}
	}
}

// sampleTimeout bounds how long the start waits for the sample conversation.
const sampleTimeout = 15 * time.Second

// sampleHistory has a short conversation over the real road, bot included, so that there is something to look at.
func (n *node) sampleHistory(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	customer := parley.Draft{Type: parley.TypeText, Sender: parley.Customer, ChannelType: "web_chat", Address: demoAccount,
		Customer: &parley.CustomerData{Name: "Sam", Contacts: []parley.Contact{{Type: "email", Address: "sam@example.org"}}},
		Body:     parley.Body{MessageID: "sample-1", Content: &parley.Content{Text: "Hello, when do you open on Saturday?"}}}
	id, err := n.say(ctx, customer)
	if err != nil {
		return fmt.Errorf("sample history: %w", err)
	}
	talk := func(sender parley.Role, kind parley.MessageType, content *parley.Content) error {
		_, err := n.say(ctx, parley.Draft{Conversation: id, Type: kind, Sender: sender, Body: parley.Body{Name: nameOf(sender), Content: content}})
		return err
	}
	err = errors.Join(n.heard(ctx, id, func(c parley.Conversation) bool { return c.Seq >= 2 }), // the bot's answer
		talk(parley.Customer, parley.TypeText, &parley.Content{Text: "I would like to talk to an agent, please."}),
		n.heard(ctx, id, func(c parley.Conversation) bool { return c.Owner.Kind == parley.OwnerAgent }),
		talk(parley.CustomAgent, parley.TypeAgentJoin, &parley.Content{JSON: []byte(`{"agentName":"Dana"}`)}),
		talk(parley.CustomAgent, parley.TypeText, &parley.Content{Text: "We open at nine. See you on Saturday!"}),
		talk(parley.CustomAgent, parley.TypeConversationEnd, nil))
	if err != nil {
		return fmt.Errorf("sample history: %w", err)
	}
	return nil
}

func nameOf(r parley.Role) string {
	if r.IsAgent() {
		return "Dana"
	}
	return ""
}
