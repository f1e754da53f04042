package directory_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/directory"
	"parley/ident"
	"parley/store/storetest"
)

// A listener is the hub as the directory sees it.
type listener struct {
	changes int
	ended   []parley.AccountID
	refuse  error
}

func (l *listener) ConfigChanged(context.Context, parley.TenantID) { l.changes++ }

func (l *listener) EndAccount(_ context.Context, _ parley.TenantID, id parley.AccountID) error {
	l.ended = append(l.ended, id)
	return l.refuse
}

// A desk is a directory on a real store, with a clock that the test moves.
type desk struct {
	*directory.Directory
	t   *testing.T
	hub *listener
	now time.Time
}

func open(t *testing.T, cfg directory.Config) *desk {
	t.Helper()
	d := &desk{t: t, hub: &listener{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	cfg.Now = func() time.Time { return d.now }
	d.Directory = directory.New(cfg, storetest.Open(t), d.hub)
	return d
}

// must makes an object and returns its id.
func must[T any](d *desk, c *directory.Collection[T], object T) parley.ID[T] {
	d.t.Helper()
	id, err := c.Create(d.t.Context(), parley.DefaultTenant, object)
	if err != nil {
		d.t.Fatalf("Create: %v", err)
	}
	return id
}

func named(name string) parley.Base { return parley.Base{Name: name, Active: true} }

func role(name parley.Role) parley.ApplicationRole {
	return parley.ApplicationRole{Name: name, Version: "v3", Callback: "https://x.example/cb", NotificationEmail: "a@x.example"}
}

// A set is one object of each kind, tied together.
type set struct {
	auth          parley.AuthenticationID
	bot, agent    parley.ApplicationID
	customer      parley.ApplicationID
	participant   parley.ParticipantID
	channel       parley.ChannelID
	orchestration parley.OrchestrationID
	account       parley.AccountID
}

func (d *desk) set() (s set) {
	s.auth = must(d, d.Authentications, parley.Authentication{Base: named("auth"), Basic: &parley.BasicAuth{Username: "u", Password: "p"}})
	withAuth := role(parley.CustomBot)
	withAuth.Authentication = s.auth
	s.bot = must(d, d.Applications, parley.ClientApplication{Base: named("bot"), Roles: []parley.ApplicationRole{withAuth}})
	s.agent = must(d, d.Applications, parley.ClientApplication{Base: named("agent"), Roles: []parley.ApplicationRole{role(parley.EgainAgent)}})
	s.customer = must(d, d.Applications, parley.ClientApplication{Base: named("customer"), Roles: []parley.ApplicationRole{role(parley.Customer)}})
	s.participant = must(d, d.Participants, parley.Participant{Base: named("Ada"), Type: parley.CustomBot, Application: s.bot})
	s.channel = must(d, d.Channels, parley.Channel{Base: parley.Base{Active: true}, Type: "sms", DisplayName: "SMS", Icon: "i"})
	s.orchestration = must(d, d.Orchestrations, s.orchestrated())
	s.account = must(d, d.Accounts, parley.Account{Base: named("main"), Address: "+1", Channel: s.channel, Orchestration: s.orchestration})
	return s
}

func (s *set) orchestrated() parley.Orchestration {
	return parley.Orchestration{Base: named("all"), Customer: s.customer, Agents: []parley.AgentReference{{Application: s.agent}},
		Bots: &parley.BotConfiguration{Bots: []parley.BotReference{{Application: s.bot, Participant: s.participant, EscalateTo: s.agent}}}}
}

func wantError(t *testing.T, what string, err error, kind parley.Kind, reason parley.Reason, field string) {
	t.Helper()
	e, ok := errors.AsType[*parley.Error](err)
	if !ok || e.Kind != kind || e.Reason != reason || e.Field != field {
		t.Errorf("%s: got %+v, want %v, reason %d, field %q", what, err, kind, reason, field)
	}
}

// What others use cannot go; in the reverse of the set-up order everything can (reference 1.8).
func TestDeleteInReverseOrder(t *testing.T) {
	d := open(t, directory.Config{})
	s, ctx := d.set(), t.Context()
	type step struct {
		what   string
		delete func() error
		users  []string
	}
	steps := []step{
		{"authentication", func() error { return d.Authentications.Delete(ctx, parley.DefaultTenant, s.auth) }, []string{"clientApplication " + s.bot.String()}},
		{"bot", func() error { return d.Applications.Delete(ctx, parley.DefaultTenant, s.bot) }, []string{"participant " + s.participant.String(), "orchestration " + s.orchestration.String()}},
		{"agent", func() error { return d.Applications.Delete(ctx, parley.DefaultTenant, s.agent) }, []string{"orchestration " + s.orchestration.String()}},
		{"customer", func() error { return d.Applications.Delete(ctx, parley.DefaultTenant, s.customer) }, []string{"orchestration " + s.orchestration.String()}},
		{"participant", func() error { return d.Participants.Delete(ctx, parley.DefaultTenant, s.participant) }, []string{"orchestration " + s.orchestration.String()}},
		{"channel", func() error { return d.Channels.Delete(ctx, parley.DefaultTenant, s.channel) }, []string{"account " + s.account.String()}},
		{"orchestration", func() error { return d.Orchestrations.Delete(ctx, parley.DefaultTenant, s.orchestration) }, []string{"account " + s.account.String()}},
	}
	for _, step := range steps {
		err := step.delete()
		wantError(t, step.what, err, parley.Invalid, parley.InUse, "")
		e, _ := errors.AsType[*parley.Error](err)
		var users []string
		for _, u := range e.Details {
			users = append(users, u.Key+" "+u.Value)
		}
		slices.Sort(users)
		slices.Sort(step.users)
		if diff := cmp.Diff(step.users, users); diff != "" {
			t.Errorf("users of the %s: %s", step.what, diff)
		}
	}
	if err := d.Accounts.Delete(ctx, parley.DefaultTenant, s.account); err != nil {
		t.Errorf("account: %v", err)
	}
	if diff := cmp.Diff([]parley.AccountID{s.account}, d.hub.ended); diff != "" {
		t.Errorf("conversations ended on %s", diff)
	}
	for _, i := range []int{6, 5, 4, 3, 2, 1, 0} {
		if err := steps[i].delete(); err != nil {
			t.Errorf("%s, after its users: %v", steps[i].what, err)
		}
	}
	wantError(t, "twice", steps[0].delete(), parley.NotFound, parley.Unspecified, "")
}

func TestReferencesMustFit(t *testing.T) {
	d := open(t, directory.Config{})
	s, ctx := d.set(), t.Context()
	nowhere := ident.New[parley.ClientApplication]()
	otherBot := must(d, d.Applications, parley.ClientApplication{Base: named("bot 2"), Roles: []parley.ApplicationRole{role(parley.EgainBot)}})
	orchestrate := func(change func(*parley.Orchestration)) error {
		o := s.orchestrated()
		o.Bots.Bots = slices.Clone(o.Bots.Bots)
		change(&o)
		_, err := d.Orchestrations.Create(ctx, parley.DefaultTenant, o)
		return err
	}
	application := func(auth parley.AuthenticationID) error {
		r := role(parley.Customer)
		r.Authentication = auth
		_, err := d.Applications.Create(ctx, parley.DefaultTenant, parley.ClientApplication{Base: named("x"), Roles: []parley.ApplicationRole{role(parley.CustomBot), r}})
		return err
	}
	participant := func(app parley.ApplicationID) error {
		_, err := d.Participants.Create(ctx, parley.DefaultTenant, parley.Participant{Base: named("x"), Type: parley.CustomBot, Application: app})
		return err
	}
	account := func(change func(*parley.Account)) error {
		a := parley.Account{Base: named("x"), Address: "+1", Channel: s.channel, Orchestration: s.orchestration}
		change(&a)
		_, err := d.Accounts.Create(ctx, parley.DefaultTenant, a)
		return err
	}
	noCustomer := func() parley.OrchestrationID {
		o := s.orchestrated()
		o.Customer = parley.ApplicationID{}
		return must(d, d.Orchestrations, o)
	}()
	const bot = "applications.botConfiguration.bots[0]"
	for what, test := range map[string]struct {
		err    error
		reason parley.Reason
		field  string
	}{
		"unknown authentication":          {application(ident.New[parley.Authentication]()), parley.BadReference, "roles[1].authentication.id"},
		"unknown application":             {participant(nowhere), parley.BadReference, "application.id"},
		"application without role":        {participant(s.agent), parley.BadReference, "application.id"},
		"nobody answers":                  {orchestrate(func(o *parley.Orchestration) { o.Bots, o.Agents = nil, nil }), parley.Missing, "applications.botConfiguration"},
		"unknown bot":                     {orchestrate(func(o *parley.Orchestration) { o.Bots.Bots[0].Application = nowhere }), parley.BadReference, bot + ".id"},
		"agent as bot":                    {orchestrate(func(o *parley.Orchestration) { o.Bots.Bots[0].Application = s.agent }), parley.BadReference, bot + ".id"},
		"no persona":                      {orchestrate(func(o *parley.Orchestration) { o.Bots.Bots[0].Participant = parley.ParticipantID{} }), parley.Missing, bot + ".participant.id"},
		"persona of another bot":          {orchestrate(func(o *parley.Orchestration) { o.Bots.Bots[0].Application = otherBot }), parley.BadReference, bot + ".participant.id"},
		"escalation to a bot":             {orchestrate(func(o *parley.Orchestration) { o.Bots.Bots[0].EscalateTo = s.bot }), parley.BadReference, bot + ".onEscalation.agent.id"},
		"customer as agent":               {orchestrate(func(o *parley.Orchestration) { o.Agents[0].Application = s.customer }), parley.BadReference, "applications.agentConfiguration.agents[0].id"},
		"agent as customer":               {orchestrate(func(o *parley.Orchestration) { o.Customer = s.agent }), parley.BadReference, "applications.customerConfiguration.customer.id"},
		"unknown channel":                 {account(func(a *parley.Account) { a.Channel = ident.New[parley.Channel]() }), parley.BadReference, "channel.id"},
		"unknown orchestration":           {account(func(a *parley.Account) { a.Orchestration = ident.New[parley.Orchestration]() }), parley.BadReference, "chatConfigurations.orchestration.id"},
		"custom channel without customer": {account(func(a *parley.Account) { a.Orchestration = noCustomer }), parley.BadReference, "chatConfigurations.orchestration.id"},
		"name before reference":           {account(func(a *parley.Account) { a.Name, a.Channel = "main", ident.New[parley.Channel]() }), parley.NameTaken, "name"},
	} {
		wantError(t, what, test.err, parley.Invalid, test.reason, test.field)
	}
	if err := account(func(a *parley.Account) { a.Channel, a.Orchestration = parley.WebChatChannel, noCustomer }); err != nil {
		t.Errorf("the built-in channel needs no customer application: %v", err)
	}
	if err := orchestrate(func(o *parley.Orchestration) { o.Bots = nil }); err != nil {
		t.Errorf("agents only: %v", err)
	}
}

// Adapters that the operator names need no customer application either.
func TestBuiltInTypes(t *testing.T) {
	d := open(t, directory.Config{BuiltInTypes: []string{"sms"}})
	s := d.set()
	o := s.orchestrated()
	o.Customer = parley.ApplicationID{}
	must(d, d.Accounts, parley.Account{Base: named("x"), Address: "+2", Channel: s.channel, Orchestration: must(d, d.Orchestrations, o)})
}

func TestSecretsAreMaskedAndKept(t *testing.T) {
	ctx := t.Context()
	d := open(t, directory.Config{})
	records := storetest.Open(t)
	masked, plain := directory.New(directory.Config{}, records, d.hub), directory.New(directory.Config{ShowSecrets: true}, records, d.hub)
	recipe := func(payload string) *parley.TokenRecipe {
		return &parley.TokenRecipe{URL: "https://id.example/", Payload: payload, TokenPath: "$.t"}
	}
	basic, err := masked.Authentications.Create(ctx, parley.DefaultTenant, parley.Authentication{Base: named("basic"), Basic: &parley.BasicAuth{Username: "u", Password: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	oauth, err := masked.Authentications.Create(ctx, parley.DefaultTenant, parley.Authentication{Base: named("oauth"), OAuth2: recipe("secret")})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, from *directory.Directory, want string) {
		t.Helper()
		all, _, err := from.Authentications.List(ctx, parley.DefaultTenant, 0, 10)
		if err != nil || len(all) != 2 {
			t.Fatalf("%s: List = %v, %v", what, all, err)
		}
		one, err := from.Authentications.Find(ctx, parley.DefaultTenant, basic)
		if err != nil || one.Basic.Password != want || all[0].Basic.Password != want || all[1].OAuth2.Payload != want {
			t.Errorf("%s: %+v %+v %+v, %v; want %q", what, one.Basic, all[0].Basic, all[1].OAuth2, err, want)
		}
		if all[1].OAuth2.Method != "POST" {
			t.Errorf("method %q, want the default", all[1].OAuth2.Method)
		}
	}
	check("reads", masked, directory.Mask)
	check("strict parity", plain, "secret")
	for _, replace := range []struct {
		id parley.AuthenticationID
		a  parley.Authentication
	}{
		{basic, parley.Authentication{Base: named("basic"), Basic: &parley.BasicAuth{Username: "u2", Password: directory.Mask}}},
		{oauth, parley.Authentication{Base: named("oauth"), OAuth2: recipe(directory.Mask)}},
	} {
		if err := masked.Authentications.Replace(ctx, parley.DefaultTenant, replace.id, replace.a); err != nil {
			t.Fatal(err)
		}
	}
	check("after the mask came back", plain, "secret")
	err = masked.Authentications.Replace(ctx, parley.DefaultTenant, basic, parley.Authentication{Base: named("basic"), OAuth2: recipe(directory.Mask)})
	wantError(t, "mask of nothing", err, parley.Invalid, parley.BadValue, "oauth2.payload")
	err = masked.Authentications.Replace(ctx, parley.DefaultTenant, oauth, parley.Authentication{Base: named("oauth"), Basic: &parley.BasicAuth{Username: "u", Password: directory.Mask}})
	wantError(t, "mask of nothing", err, parley.Invalid, parley.BadValue, "basicAuth.password")
}

func TestFormOfAuthentication(t *testing.T) {
	d := open(t, directory.Config{})
	try := func(a parley.Authentication) error {
		a.Base = named("x")
		_, err := d.Authentications.Create(t.Context(), parley.DefaultTenant, a)
		return err
	}
	wantError(t, "neither", try(parley.Authentication{}), parley.Invalid, parley.BadValue, "type")
	wantError(t, "both", try(parley.Authentication{Basic: &parley.BasicAuth{}, OAuth2: &parley.TokenRecipe{}}), parley.Invalid, parley.BadValue, "type")
	wantError(t, "address", try(parley.Authentication{OAuth2: &parley.TokenRecipe{URL: "/token", TokenPath: "$.t"}}), parley.Invalid, parley.BadValue, "oauth2.tokenRequestUrl")
	for path, ok := range map[string]bool{
		"$": true, "$.a": true, "$.a.b_c-d": true, "$['a b']": true, "$[0].a": true, `$["a"]`: true,
		"": false, "a": false, "$.": false, "$..a": false, "$.*": false, "$[*]": false, "$[?(@.a)]": false, "$[-1]": false, "$[0:1]": false, "$.a b": false, "$['a'": false,
	} {
		err := try(parley.Authentication{OAuth2: &parley.TokenRecipe{URL: "https://id.example/", TokenPath: path}})
		if ok && parley.ReasonOf(err) != parley.NameTaken && err != nil {
			t.Errorf("path %q: %v", path, err)
		}
		if !ok {
			wantError(t, path, err, parley.Invalid, parley.BadValue, "oauth2.accessTokenPath")
		}
	}
}

func TestFormOfApplication(t *testing.T) {
	try := func(cfg directory.Config, change func(*parley.ApplicationRole)) error {
		r := role(parley.CustomBot)
		change(&r)
		_, err := open(t, cfg).Applications.Create(t.Context(), parley.DefaultTenant, parley.ClientApplication{Base: named("x"), Roles: []parley.ApplicationRole{role(parley.Customer), r}})
		return err
	}
	callback := func(url string) func(*parley.ApplicationRole) {
		return func(r *parley.ApplicationRole) { r.Callback = url }
	}
	for url, ok := range map[string]bool{
		"https://x.example/cb": true, "http://localhost:9/cb": true, "http://bot.localhost/": true, "http://127.0.0.1/": false, "https://10.0.0.1/": false,
		"http://x.example/": false, "ftp://x.example/": false, "/cb": false, "x.example": false, "https://u:p@x.example/": false, "http://localhost.example/": false,
	} {
		err := try(directory.Config{}, callback(url))
		if ok && err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if !ok {
			wantError(t, url, err, parley.Invalid, parley.BadValue, "roles[1].callback")
		}
	}
	if err := try(directory.Config{PlainHTTP: true}, callback("http://x.example/")); err != nil {
		t.Errorf("plain http, allowed: %v", err)
	}
	for _, url := range []string{"http://127.0.0.1/", "http://[::1]:8/"} {
		if err := try(directory.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}, callback(url)); err != nil {
			t.Errorf("%s, allowed: %v", url, err)
		}
	}
	wantError(t, "role twice", try(directory.Config{}, func(r *parley.ApplicationRole) { r.Name = parley.Customer }), parley.Invalid, parley.BadValue, "roles[1].name")
	for _, own := range []string{"authorization", "traceparent", "Tracestate", "Transfer-Encoding", "trailer"} {
		wantError(t, own, try(directory.Config{}, func(r *parley.ApplicationRole) {
			r.Headers = []parley.NameValue{{Name: "X-Ok"}, {Name: own}}
		}), parley.Invalid, parley.BadValue, "roles[1].headers[1].name")
	}
	for _, url := range []string{"https://:443/x", "https://x.example:0/", "https://x.example:65536/"} {
		wantError(t, url, try(directory.Config{}, callback(url)), parley.Invalid, parley.BadValue, "roles[1].callback")
	}
	if err := try(directory.Config{}, callback("https://x.example:65535/")); err != nil {
		t.Errorf("the last port: %v", err)
	}
}

// Headers that cannot be sent are refused when they are configured, in roles and in token recipes.
func TestHeadersThatCannotBeSent(t *testing.T) {
	d := open(t, directory.Config{})
	for _, test := range []struct{ name, value, wrong string }{
		{"X-Key", "a b\tä", ""}, {"x_1.2", "", ""}, {"X-Key", "a\r\nX-Admin: 1", "value"}, {"X-Key", "a\nb", "value"}, {"X-Key", "a\x7f", "value"},
		{"X-Key: 1\r\nX-Admin", "1", "name"}, {"X Key", "1", "name"}, {"X-Schlüssel", "1", "name"}, {"", "1", "name"}, {"X-Key:", "1", "name"},
	} {
		headers := []parley.NameValue{{Name: "X-Ok", Value: "ok"}, {Name: test.name, Value: test.value}}
		for field, try := range map[string]func() error{
			"roles[0].headers": func() error {
				r := role(parley.CustomBot)
				r.Headers = headers
				_, err := d.Applications.Create(t.Context(), parley.DefaultTenant, parley.ClientApplication{Base: named(fmt.Sprintf("%q", test)), Roles: []parley.ApplicationRole{r}})
				return err
			},
			"oauth2.headers": func() error {
				_, err := d.Authentications.Create(t.Context(), parley.DefaultTenant, parley.Authentication{Base: named(fmt.Sprintf("%q", test)),
					OAuth2: &parley.TokenRecipe{URL: "https://id.example", Headers: headers, TokenPath: "$.t"}})
				return err
			},
		} {
			if err := try(); test.wrong == "" && err != nil {
				t.Errorf("%s of %q: %v", field, test, err)
			} else if test.wrong != "" {
				wantError(t, fmt.Sprintf("%s of %q", field, test), err, parley.Invalid, parley.BadValue, field+"[1]."+test.wrong)
			}
		}
	}
}

func TestReplaceIsWhole(t *testing.T) {
	d := open(t, directory.Config{})
	s, ctx := d.set(), t.Context()
	created := d.now
	before, err := d.Accounts.Find(ctx, parley.DefaultTenant, s.account)
	if err != nil || !before.Created.Equal(created) || !before.Modified.Equal(created) || before.TimeoutMinutes != 30 || before.DefaultLanguage != "en-US" || before.Unavailable != parley.OffHours {
		t.Errorf("after Create: %+v, %v", before, err)
	}
	full := parley.Account{Base: named("main"), Address: "+1", Channel: s.channel, Orchestration: s.orchestration, EntryPoint: "1001", TimeoutMinutes: 5}
	for _, a := range []parley.Account{full, {Base: named("main 2"), Address: "+2", Channel: s.channel, Orchestration: s.orchestration}} {
		d.now = d.now.Add(time.Minute)
		if err := d.Accounts.Replace(ctx, parley.DefaultTenant, s.account, a); err != nil {
			t.Fatal(err)
		}
	}
	after, err := d.Accounts.Find(ctx, parley.DefaultTenant, s.account)
	if err != nil || !after.Created.Equal(created) || !after.Modified.Equal(d.now) || after.TimeoutMinutes != 30 || after.EntryPoint != "" || after.Name != "main 2" {
		t.Errorf("after Replace: %+v, %v", after, err)
	}
	wantError(t, "unknown id", d.Accounts.Replace(ctx, parley.DefaultTenant, ident.New[parley.Account](), full), parley.NotFound, parley.Unspecified, "")
}

func TestTypeOfUsedChannelStays(t *testing.T) {
	d := open(t, directory.Config{})
	s, ctx := d.set(), t.Context()
	c := parley.Channel{Base: parley.Base{Active: true}, Type: "mms", DisplayName: "MMS", Icon: "i"}
	wantError(t, "new type", d.Channels.Replace(ctx, parley.DefaultTenant, s.channel, c), parley.Invalid, parley.InUse, "")
	c.Type = "sms"
	if err := d.Channels.Replace(ctx, parley.DefaultTenant, s.channel, c); err != nil {
		t.Errorf("same type: %v", err)
	}
}

func TestBuiltInObjectsStay(t *testing.T) {
	d := open(t, directory.Config{})
	ctx := t.Context()
	app := parley.ClientApplication{Base: named("x"), Roles: []parley.ApplicationRole{role(parley.Customer)}}
	wantError(t, "replace", d.Applications.Replace(ctx, parley.DefaultTenant, parley.WidgetApplication, app), parley.Forbidden, parley.ActorNotAllowed, "")
	wantError(t, "delete", d.Applications.Delete(ctx, parley.DefaultTenant, parley.ConsoleApplication), parley.Forbidden, parley.ActorNotAllowed, "")
	wantError(t, "channel", d.Channels.Delete(ctx, parley.DefaultTenant, parley.WebChatChannel), parley.Forbidden, parley.ActorNotAllowed, "")
	app.BuiltIn = true
	id := must(d, d.Applications, app)
	if err := d.Applications.Delete(ctx, parley.DefaultTenant, id); err != nil {
		t.Errorf("who says it is built in is not: %v", err)
	}
}

// The hub hears of every change, and of nothing else.
func TestHubHearsOfChanges(t *testing.T) {
	d := open(t, directory.Config{})
	s, ctx := d.set(), t.Context()
	if d.hub.changes != 8 {
		t.Errorf("%d changes told after 8 objects were made", d.hub.changes)
	}
	_ = d.Channels.Delete(ctx, parley.DefaultTenant, s.channel)
	_, _, _ = d.Channels.List(ctx, parley.DefaultTenant, 0, 10)
	if d.hub.changes != 8 {
		t.Error("a refused delete was told as a change")
	}
	d.hub.refuse = errors.New("busy")
	if err := d.Accounts.Delete(ctx, parley.DefaultTenant, s.account); err == nil {
		t.Error("the account was deleted although its conversations go on")
	}
	if a, err := d.Accounts.Find(ctx, parley.DefaultTenant, s.account); err != nil || a.Active {
		t.Errorf("after a failed delete the account is %+v, %v; want switched off", a, err)
	}
}

// Another tenant's ids are unknown, as reference and as target.
func TestTenantsAreApart(t *testing.T) {
	d := open(t, directory.Config{})
	s, ctx := d.set(), t.Context()
	other := parley.TenantID{15: 0x77}
	if _, err := d.Accounts.Find(ctx, other, s.account); parley.KindOf(err) != parley.NotFound {
		t.Errorf("Find = %v", err)
	}
	if err := d.Accounts.Delete(ctx, other, s.account); parley.KindOf(err) != parley.NotFound {
		t.Errorf("Delete = %v", err)
	}
	if len(d.hub.ended) != 0 {
		t.Error("another tenant ended conversations")
	}
	if err := d.Channels.Replace(ctx, other, s.channel, parley.Channel{Type: "sms"}); parley.KindOf(err) != parley.NotFound {
		t.Errorf("Replace = %v", err)
	}
	if page, count, err := d.Accounts.List(ctx, other, 0, 10); err != nil || len(page) != 0 || count != 0 {
		t.Errorf("List = %v of %d, %v", page, count, err)
	}
}

// Keep is for ids that are known before the object is there.
func TestKeepMakesOrReplaces(t *testing.T) {
	d := open(t, directory.Config{})
	ctx := t.Context()
	id := parley.ApplicationID{15: 0x99}
	for _, name := range []string{"desktop", "agent desktop"} {
		app := parley.ClientApplication{Base: named(name), Roles: []parley.ApplicationRole{role(parley.EgainAgent)}}
		if err := d.Applications.Keep(ctx, parley.DefaultTenant, id, app); err != nil {
			t.Fatalf("Keep: %v", err)
		}
		if got, err := d.Applications.Find(ctx, parley.DefaultTenant, id); err != nil || got.Name != name {
			t.Errorf("after Keep of %q: %+v, %v", name, got, err)
		}
	}
	wantError(t, "of a built-in one", d.Applications.Keep(ctx, parley.DefaultTenant, parley.WidgetApplication, parley.ClientApplication{Base: named("x")}), parley.Forbidden, parley.ActorNotAllowed, "")
}
