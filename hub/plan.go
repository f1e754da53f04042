package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"parley"
)

// A plan is everything configuration says about one account, resolved: what route needs beside the conversation. It is
// never changed once made.
type plan struct {
	account       parley.Account
	channel       parley.Channel
	orchestration parley.Orchestration
	bots          []plannedBot    // all of the orchestration, in order
	agents        []plannedAgent  // all agent programs it names, escalation targets included
	customer      *parley.Party   // nil = no customer program
	hooks         []plannedHook   // of the first bot
	active        bool            // account, channel and orchestration are
	gone          bool            // the account is not there any more: all that can be done is to end the conversation
	redact        parley.Redactor // nil = what is said stays as it was said
}

// A plannedBot is a bot of the orchestration.
type plannedBot struct {
	party    parley.Party
	escalate parley.ApplicationID // agent program that takes over; zero = the first agent
	deadline time.Duration        // for an answer
	lasting  time.Duration        // for one in a conversation that lasts
	turns    bool                 // the hub runs it: it answers in turns
	settle   time.Duration        // with a callback: after an answer without another one its turn is over
	active   bool
}

// A plannedAgent is an agent program of the orchestration.
type plannedAgent struct {
	party     parley.Party
	active    bool
	available bool // said so, or was never heard of
	listed    bool // in agentConfiguration, not only the target of an escalation
}

// bot is the planned bot that owns, or owned, a conversation.
func (p *plan) bot(o parley.Owner) (plannedBot, bool) {
	i := slices.IndexFunc(p.bots, func(b plannedBot) bool {
		return b.party.Application == o.Application && b.party.Participant == o.Participant
	})
	if i < 0 {
		return plannedBot{deadline: parley.DefaultTurnDeadline, lasting: parley.DefaultTurnDeadline}, false
	}
	return p.bots[i], true
}

// answerBy is when the time of a bot for the answer that a conversation waits for is over.
func (b *plannedBot) answerBy(c *parley.Conversation) time.Time {
	if c.State.Bot.Lasting {
		return c.Waiting.Add(b.lasting)
	}
	return c.Waiting.Add(b.deadline)
}

// agent is the planned agent program of that application.
func (p *plan) agent(app parley.ApplicationID) (plannedAgent, bool) {
	i := slices.IndexFunc(p.agents, func(a plannedAgent) bool { return a.party.Application == app })
	if i < 0 {
		return plannedAgent{}, false
	}
	return p.agents[i], true
}

// entryBot is the first bot whose objects are active.
func (p *plan) entryBot() (plannedBot, bool) {
	i := slices.IndexFunc(p.bots, func(b plannedBot) bool { return b.active })
	if i < 0 {
		return plannedBot{}, false
	}
	return p.bots[i], true
}

// idle is how long a conversation stays open after its last message.
func (p *plan) idle() time.Duration {
	return time.Duration(p.account.TimeoutMinutes * float64(time.Minute))
}

// planTTL bounds how long another node's change of configuration may stay unseen when its hint was lost.
const planTTL = 5 * time.Second

// plans caches plans by account. Safe for concurrent use.
type plans struct {
	store     parley.Store
	now       func() time.Time
	redaction parley.Redaction
	mu        sync.Mutex
	byID      map[parley.AccountID]cachedPlan

	byAddress map[addressKey]cachedAddress
}

type addressKey struct {
	tenant               parley.TenantID
	channelType, address string
}

type cachedAddress struct {
	account parley.AccountID
	until   time.Time
}

type cachedPlan struct {
	plan   *plan
	tenant parley.TenantID
	until  time.Time
}

// of is the plan of an account; NotFound if the account is gone.
func (p *plans) of(ctx context.Context, tenant parley.TenantID, account parley.AccountID) (*plan, error) {
	if cached := p.fresh(tenant, account); cached != nil {
		return cached, nil
	}
	var made *plan
	err := p.store.View(ctx, func(tx parley.Tx) (err error) {
		a, err := tx.Accounts().Find(ctx, tenant, account)
		if err != nil {
			return err
		}
		if made, err = readPlan(ctx, tx, tenant, a); err == nil && p.redaction != nil {
			made.redact, err = p.redaction(ctx, tx, tenant)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read plan of account %s: %w", account, err)
	}
	p.mu.Lock()
	p.byID[account] = cachedPlan{made, tenant, p.now().Add(planTTL)}
	p.mu.Unlock()
	return made, nil
}

// fresh is the cached plan of an account, nil if it must be read.
func (p *plans) fresh(tenant parley.TenantID, account parley.AccountID) *plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.byID[account]; ok && c.tenant == tenant && p.now().Before(c.until) {
		return c.plan
	}
	return nil
}

// at is the plan of the account with that address; Invalid/NoAccount if there is none.
func (p *plans) at(ctx context.Context, tenant parley.TenantID, channelType, address string) (*plan, error) {
	key := addressKey{tenant, channelType, address}
	p.mu.Lock()
	c, ok := p.byAddress[key]
	p.mu.Unlock()
	if ok && p.now().Before(c.until) {
		if made, err := p.of(ctx, tenant, c.account); parley.KindOf(err) != parley.NotFound {
			return made, err
		} // else it was deleted: there may be another
	}
	var account parley.Account
	err := p.store.View(ctx, func(tx parley.Tx) (err error) {
		account, err = tx.AccountByAddress(ctx, tenant, channelType, address)
		return err
	})
	var made *plan
	if err == nil {
		p.mu.Lock()
		p.byAddress[key] = cachedAddress{account.ID, p.now().Add(planTTL)}
		p.mu.Unlock()
		made, err = p.of(ctx, tenant, account.ID)
	}
	if parley.KindOf(err) == parley.NotFound {
		return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.NoAccount, Field: "conversation.account",
			Msg: fmt.Sprintf("no active account has address %q on channel %q", address, channelType)}
	}
	return made, err
}

// forget drops what is cached of a tenant.
func (p *plans) forget(tenant parley.TenantID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, c := range p.byID {
		if c.tenant == tenant {
			delete(p.byID, id)
		}
	}
	for key := range p.byAddress {
		if key.tenant == tenant {
			delete(p.byAddress, key)
		}
	}
}

// readPlan resolves an account in one transaction.
func readPlan(ctx context.Context, tx parley.Tx, tenant parley.TenantID, account parley.Account) (*plan, error) {
	p := &plan{account: account}
	var err error
	if p.channel, err = tx.Channels().Find(ctx, tenant, account.Channel); err != nil {
		return nil, err
	}
	if p.orchestration, err = tx.Orchestrations().Find(ctx, tenant, account.Orchestration); err != nil {
		return nil, err
	}
	p.active = account.Active && p.channel.Active && p.orchestration.Active
	var agents []parley.ApplicationID
	for _, a := range p.orchestration.Agents {
		agents = append(agents, a.Application)
	}
	listed := len(agents)
	if p.orchestration.Bots != nil {
		for _, b := range p.orchestration.Bots.Bots {
			planned, hooks, err := readBot(ctx, tx, tenant, b)
			if err != nil {
				return nil, err
			}
			if p.bots = append(p.bots, planned); len(p.bots) == 1 {
				if p.hooks, err = readHooks(ctx, tx, tenant, hooks); err != nil {
					return nil, err
				}
			}
			if !b.EscalateTo.IsZero() && !slices.Contains(agents, b.EscalateTo) {
				agents = append(agents, b.EscalateTo)
			}
		}
	}
	for i, id := range agents {
		app, err := tx.Applications().Find(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		planned := plannedAgent{active: app.Active, listed: i < listed}
		for _, role := range app.Roles {
			if role.Name.IsAgent() {
				planned.party = parley.Party{Application: id, Role: role.Name, Name: app.Name, Callback: role.Callback != ""}
				break
			}
		}
		if planned.available, err = tx.Available(ctx, tenant, id); err != nil {
			return nil, err
		}
		p.agents = append(p.agents, planned)
	}
	id := p.orchestration.Customer
	if id.IsZero() {
		return p, nil
	}
	app, err := tx.Applications().Find(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	if role, ok := app.Role(parley.Customer); ok {
		p.customer = &parley.Party{Application: id, Role: parley.Customer, Callback: role.Callback != ""}
	}
	return p, nil
}

// turnGrace is how much longer than its deadline the turn of a bot that the hub runs may take before a reminder gives it up.
const turnGrace = 3 * time.Second

func readBot(ctx context.Context, tx parley.Tx, tenant parley.TenantID, b parley.BotReference) (planned plannedBot, hooks []parley.ApplicationID, err error) {
	app, err := tx.Applications().Find(ctx, tenant, b.Application)
	if err != nil {
		return planned, nil, err
	}
	participant, err := tx.Participants().Find(ctx, tenant, b.Participant)
	if err != nil {
		return planned, nil, err
	}
	role, ok := app.Role(participant.Type)
	planned = plannedBot{
		party: parley.Party{Application: b.Application, Role: participant.Type, Participant: b.Participant,
			Name: participant.Name, Callback: role.Callback != ""},
		escalate: b.EscalateTo, deadline: parley.DefaultTurnDeadline, lasting: parley.DefaultTurnDeadline, active: ok && app.Active && participant.Active,
	}
	if b := app.Bot; b != nil {
		hooks = b.Hooks
		planned.turns = role.Callback == parley.BotCallback
		planned.deadline, planned.lasting, planned.settle = b.Deadline(false), b.Deadline(true), b.Settle
		if planned.turns { // whoever asks it keeps the time; this is should that one be gone
			planned.deadline += turnGrace
			planned.lasting += turnGrace
		}
	}
	planned.settle = cmp.Or(planned.settle, parley.DefaultSettle)
	for _, o := range participant.Options {
		if o.Name != parley.OptionTurnDeadline {
			continue
		}
		if seconds, err := strconv.ParseFloat(o.Value, 64); err == nil && seconds > 0 {
			planned.deadline = time.Duration(seconds * float64(time.Second))
			planned.lasting = planned.deadline
		}
	}
	return planned, hooks, nil
}
