package broker_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"parley"
	"parley/directory"
	"parley/hub"
	"parley/ident"
)

// orchestrates changes the orchestration of the bot.
func (s *stage) orchestrates(t *testing.T, change func(*parley.Orchestration)) error {
	t.Helper()
	defer s.hub.ConfigChanged(t.Context(), parley.DefaultTenant)
	return s.store.Update(t.Context(), func(tx parley.Tx) error {
		o, err := tx.Orchestrations().Find(t.Context(), parley.DefaultTenant, s.bot.Settings.Orchestration)
		if err != nil {
			return err
		}
		change(&o)
		return tx.Orchestrations().Replace(t.Context(), &o, nil)
	})
}

// changes of what is behind a turn.
var (
	channelOff = func(t *testing.T, s *stage) error {
		return s.bots.ChangeChannel(t.Context(), parley.DefaultTenant, s.bot.ID, s.channel, func(c *directory.BotChannel) { c.Active = false })
	}
	botOff = func(t *testing.T, s *stage) error {
		return s.bots.Change(t.Context(), parley.DefaultTenant, s.bot.ID, func(b *directory.Bot) { b.Active = false })
	}
	channelDeleted = func(t *testing.T, s *stage) error {
		return s.bots.DeleteChannel(t.Context(), parley.DefaultTenant, s.bot.ID, s.channel)
	}
	botDeleted = func(t *testing.T, s *stage) error {
		return s.bots.Delete(t.Context(), parley.DefaultTenant, s.bot.ID)
	}
)

// What is switched off or deleted when the turn was let in already begins no session, and hands none to people: whoever asked hears what whoever comes
// later hears. Only another bot of the orchestration may answer. A session that there is goes on with its bot for that turn, or is over.
func TestSwitchedOffBehindTheDoor(t *testing.T) {
	another := func(t *testing.T, s *stage) {
		spare, _, err := s.bots.Create(t.Context(), parley.DefaultTenant, directory.Bot{Name: "Spare", Active: true, Settings: parley.BotSettings{Connector: parley.ConnectorRules}})
		if err == nil {
			err = s.orchestrates(t, func(o *parley.Orchestration) {
				o.Bots.Bots = append(o.Bots.Bots, parley.BotReference{Application: spare.ID, Participant: spare.Settings.Participant})
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name         string
		before       func(t *testing.T, s *stage)
		off          func(t *testing.T, s *stage) error
		start, later string
	}{
		{"channel off", nil, channelOff, "403 FORBIDDEN", "200 you said"},
		{"orchestration off", nil, func(t *testing.T, s *stage) error {
			return s.orchestrates(t, func(o *parley.Orchestration) { o.Active = false })
		}, "403 FORBIDDEN", "200 you said"},
		{"bot off", nil, botOff, "403 FORBIDDEN", "200 you said"},
		{"bot off, and there is another", another, botOff, "200 you said", "200 you said"},
		{"channel deleted", nil, channelDeleted, "404 NOT_FOUND", "409 SESSION_EXPIRED"},
		{"bot deleted", nil, botDeleted, "404 NOT_FOUND", "409 SESSION_EXPIRED"},
	} {
		for name, want := range map[string]string{"start": c.start, "later": c.later} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				s := newStage(t)
				if c.before != nil {
					c.before(t, s)
				}
				path := s.turns()
				if name == "later" {
					path += "/" + s.turn("", `{"text":"hello"}`, 200).SessionCode
				}
				h := &heldHub{Hub: s.hub, began: true, at: make(chan struct{}), may: make(chan struct{})}
				s.serve(h)
				asked := s.asked.Load()
				answer := make(chan string, 1)
				go func() {
					res, text := s.Do("POST", path, `{"text":"hello"}`, s.headers("Business-Key", "4711")...)
					answer <- fmt.Sprint(res.StatusCode, " ", text)
				}()
				<-h.at
				err := c.off(t, s)
				close(h.may)
				if err != nil {
					t.Fatal(err)
				}
				status, word, _ := strings.Cut(want, " ")
				got := <-answer
				if !strings.HasPrefix(got, status+" ") || !strings.Contains(got, word) || status != "200" && strings.Contains(got, `"sessionCode"`) {
					t.Errorf("it answered %s, want %s", got, want)
				}
				if answered := s.asked.Load() > asked; answered != (status == "200") || name == "start" && answered != (len(s.sessionsOf("4711")) == 1) {
					t.Errorf("that asked the bot: %t; sessions %v", answered, s.sessionsOf("4711"))
				}
			})
		}
	}
}

// A turn that is in progress when its bot or channel is deleted is over: its session is, too, if there was one.
func TestDeletedWhileATurnWaits(t *testing.T) {
	for name, off := range map[string]func(t *testing.T, s *stage) error{"channel": channelDeleted, "bot": botDeleted} {
		for _, session := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in a session: %t", name, session), func(t *testing.T) {
				s := newStage(t)
				defer close(s.hold)
				path, want := s.turns(), regexp.MustCompile(`^(404 .*"code":"NOT_FOUND"|403 .*"code":"FORBIDDEN")`) // it is switched off first
				if session {
					path, want = path+"/"+s.turn("", `{"text":"hello"}`, 200).SessionCode, regexp.MustCompile(`^409 .*"code":"SESSION_EXPIRED"`)
				}
				answer := make(chan string, 1)
				go func() {
					res, text := s.Do("POST", path, `{"text":"slow"}`, s.headers()...)
					answer <- fmt.Sprint(res.StatusCode, " ", text)
				}()
				<-s.thinks
				if err := off(t, s); err != nil {
					t.Fatal(err)
				}
				if got := <-answer; !want.MatchString(got) || strings.Contains(got, `"sessionCode"`) {
					t.Errorf("it answered %s, want %v", got, want)
				}
			})
		}
	}
}

// An endingHub tells when the conversations of an account have ended.
type endingHub struct {
	*hub.Hub
	ended func()
}

func (h endingHub) EndAccount(ctx context.Context, tenant parley.TenantID, id parley.AccountID) error {
	err := h.Hub.EndAccount(ctx, tenant, id)
	h.ended()
	return err
}

// Nothing begins on a channel whose conversations were ended because it, or its bot, is being deleted. A bot that others refer to stays as it is.
func TestNothingBeginsOnWhatIsDeleted(t *testing.T) {
	for name, remove := range map[string]func(t *testing.T, s *stage) error{"channel": channelDeleted, "bot": botDeleted} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			met := 0
			s.bots = directory.NewBots(directory.Config{}, s.store, endingHub{s.hub, func() {
				met++
				s.turn("", `{"text":"hello"}`, 403)
			}})
			if err := remove(t, s); err != nil || met != 1 {
				t.Errorf("deleted: %v, after %d starts", err, met)
			}
		})
	}
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	other := parley.Orchestration{ID: ident.New[parley.Orchestration](), Base: parley.Base{Tenant: parley.DefaultTenant, Name: "other", Active: true}}
	if err := s.store.Update(t.Context(), func(tx parley.Tx) error {
		return tx.Orchestrations().Insert(t.Context(), &other, []parley.Reference{{Kind: parley.KindApplication, ID: s.bot.ID}})
	}); err != nil {
		t.Fatal(err)
	}
	if err := botDeleted(t, s); parley.ReasonOf(err) != parley.InUse {
		t.Errorf("a bot that another orchestration names was deleted: %v", err)
	}
	s.turn(session, `{"text":"hello"}`, 200)
}
