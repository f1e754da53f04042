package history_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/history"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// export is the lines of an export.
func export(t *testing.T, s *store.Store, selection history.Selection) []map[string]any {
	t.Helper()
	if selection.Tenant.IsZero() {
		selection.Tenant = parley.DefaultTenant
	}
	var out bytes.Buffer
	x, err := (&history.Exporter{Record: s, Places: s}).Begin(t.Context(), selection)
	if err == nil {
		err = x.Write(t.Context(), &out)
	}
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	return lines(t, out.Bytes())
}

func lines(t *testing.T, text []byte) (all []map[string]any) {
	t.Helper()
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, history.MaxLine)
	for scan.Scan() {
		var line map[string]any
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatalf("%.200s: %v", scan.Text(), err)
		}
		all = append(all, line)
	}
	return all
}

// live commits a conversation as the hub would: with a bot's turn, a hand-over, what is masked, what is deleted, and an end.
func live(t *testing.T, s *store.Store) parley.ConversationID {
	t.Helper()
	step := storetest.Start("m1")
	c := step.Conversation
	c.State.Campaign, c.State.Language, c.State.Bot.Test = parley.Campaign{Source: "mail"}, "fr", true
	say := func(role parley.Role, kind parley.MessageType, change func(*parley.Step, *parley.Message)) {
		next := storetest.Say(step.Conversation, role, "", 1)
		m := &next.Messages[0]
		m.Type, m.Created = kind, m.Created.Add(time.Duration(m.Seq)*time.Second)
		if change != nil {
			change(next, m)
		}
		storetest.MustCommit(t, s, next)
		step = next
	}
	storetest.MustCommit(t, s, step)
	say(parley.CustomBot, parley.TypeText, func(next *parley.Step, m *parley.Message) {
		m.Body.Content.HTML, m.Body.Parent = "<i>2</i>", "m1"
		next.Turns = []parley.Turn{{Conversation: c.ID, Seq: 1, Question: ident.New[parley.Message](), Status: parley.TurnAnswered, First: 2, Last: 2, Opened: c.Created, Closed: c.Created,
			Result: parley.TurnResult{NLP: &parley.NLPResult{Type: parley.NLPIntent, Name: "greet", Score: 0.5}, Steps: []parley.FlowStep{{ID: "s1", Name: "Hello"}}}}}
	})
	say(parley.CustomBot, parley.TypeEscalationTransfer, nil)
	say(parley.Customer, parley.TypeText, func(_ *parley.Step, m *parley.Message) {
		m.Body.Content.Text, m.Body.Content.Redact = "SECRET-MASKED", true
	})
	say(parley.Customer, parley.TypeText, func(_ *parley.Step, m *parley.Message) {
		m.Body.Content.Text = "SECRET-DELETED"
		m.Body.Attachments = []parley.Attachment{{Name: "SECRET-DELETED.png"}}
	})
	say(parley.EgainAgent, parley.TypeText, func(next *parley.Step, m *parley.Message) {
		m.Body.Name, m.Body.Content = "Dana", nil
		m.Body.Attachments = []parley.Attachment{{Asset: ident.New[parley.Asset](), Name: "a.png", ContentType: "image/png", Size: 5}}
		next.Deletions = []parley.DeletionChange{{Seq: 5, To: parley.SoftlyDeleted}}
	})
	say(parley.CustomAgent, parley.TypeConversationEnd, func(next *parley.Step, m *parley.Message) {
		end := next.Conversation
		end.Status, end.Owner, end.Ended = parley.Ended, parley.Owner{Kind: parley.OwnerNone}, m.Created.Add(time.Second)
		next.StateChanged = true
	})
	if err := s.Update(t.Context(), func(tx parley.Tx) error {
		return tx.PutSurvey(t.Context(), parley.DefaultTenant, parley.Survey{ID: ident.New[parley.Message](), Conversation: c.ID, Evaluation: 5, Answered: true, Comments: "fine", At: noon})
	}); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// What one hub exports another one imports, and exports the same: conversations of people and bots, imported ones, long ones.
func TestExportIsImportedByAnotherHub(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		one, two := open(t), open(t)
		id := live(t, one)
		long := &strings.Builder{}
		long.WriteString(`{"id":"long","channelType":"sms","messages":[`)
		for i := range 1000 {
			fmt.Fprintf(long, `{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"%d"},`, i)
		}
		long.WriteString(`{"sender":"system","at":"2025-03-01T12:00:00Z","type":"conversation.end"}]}` + "\n")
		importing(t, one, parley.DefaultTenant, strings.NewReader(whole+long.String()))

		first := export(t, one, history.Selection{})
		if len(first) != 3 || first[0]["conversationId"] != id.String() || len(first[2]["messages"].([]any)) != 1001 {
			t.Fatalf("exported %d: %v", len(first), first)
		}
		wanted := map[string]any{"id": id.String(), "channelType": "web_chat", "address": "shop", "language": "fr", "version": "DRAFT", "status": "ended", "bot": storetest.BotApplication.String(),
			"campaign": map[string]any{"source": "mail"}, "feedback": map[string]any{"evaluation": 5.0, "comments": "fine"}, "endedBy": "agent",
			"customer": map[string]any{"contacts": []any{map[string]any{"type": "email", "address": "anna@example.org"}}}}
		messages := first[0]["messages"].([]any)
		for name, want := range wanted {
			if diff := cmp.Diff(want, first[0][name]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if first[0]["handedOver"] != messages[2].(map[string]any)["at"] {
			t.Errorf("handed over %v, want with the third of %v", first[0]["handedOver"], messages)
		}
		for _, m := range messages {
			delete(m.(map[string]any), "at")
		}
		if diff := cmp.Diff([]any{
			map[string]any{"id": "m1", "sender": "customer", "text": "message 1", "intent": map[string]any{"name": "greet", "confidence": 0.5}},
			map[string]any{"sender": "bot", "text": "message 2", "html": "<i>2</i>", "parent": "m1", "steps": []any{map[string]any{"id": "s1", "name": "Hello"}}},
			map[string]any{"sender": "bot", "type": "escalation.transfer", "text": "message 3"},
			map[string]any{"sender": "customer", "text": "***", "redact": true},
			map[string]any{"sender": "customer", "deleted": true},
			map[string]any{"sender": "agent", "name": "Dana", "attachments": []any{map[string]any{"name": "a.png", "contentType": "image/png", "size": 5.0}}},
			map[string]any{"sender": "agent", "type": "conversation.end", "text": "message 7"},
		}, messages); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}

		var out bytes.Buffer
		x, err := (&history.Exporter{Record: one, Places: one}).Begin(t.Context(), history.Selection{Tenant: parley.DefaultTenant})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Write(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "SECRET") {
			t.Error("what is masked or deleted is in the export")
		}
		text := out.String()
		if got, err := (&history.Importer{Record: two}).Import(t.Context(), parley.DefaultTenant, history.Options{}, strings.NewReader(text)); err != nil || got.Accepted != 2 || got.Refused != 1 || got.Refusals[0] != (history.Refusal{Line: 1, Reason: "bot is no bot of the environment"}) {
			t.Errorf("Import where the bot is not = %+v, %v", got, err)
		}
		if got, err := (&history.Importer{Record: two}).Import(t.Context(), parley.DefaultTenant, history.Options{StrangeBots: true}, strings.NewReader(text)); err != nil || got.Accepted != 3 || got.Repeated != 2 {
			t.Fatalf("Import with strange bots = %+v, %v", got, err)
		}
		second := export(t, two, history.Selection{})
		first = lines(t, []byte(text))
		for _, line := range slices.Concat(first, second) {
			delete(line, "cursor")
			delete(line, "conversationId")
			delete(line, "bot")
		}
		byID := func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) }
		slices.SortFunc(first, byID)
		slices.SortFunc(second, byID)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("the second hub exports otherwise (-first +second):\n%s", diff)
		}
		if got, err := (&history.Importer{Record: one}).Import(t.Context(), parley.DefaultTenant, history.Options{StrangeBots: true}, strings.NewReader(text)); err != nil || got.Repeated != 3 {
			t.Errorf("brought back, Import = %+v, %v", got, err)
		}
	})
}

// Filters select what they say, and a cursor is good in its own environment only.
func TestExportSelects(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		id := live(t, s)
		storetest.MustCommit(t, s, storetest.Start("")) // stays open
		importing(t, s, parley.DefaultTenant, strings.NewReader(whole))
		all := export(t, s, history.Selection{})
		for _, c := range []struct {
			name string
			q    history.Selection
			want int
		}{
			{"all", history.Selection{}, 3}, {"ended", history.Selection{Status: parley.Ended}, 2}, {"open", history.Selection{Status: parley.Open}, 1},
			{"of a bot", history.Selection{Bot: storetest.BotApplication}, 2}, {"of another", history.Selection{Bot: ident.New[parley.ClientApplication]()}, 0},
			{"on a channel", history.Selection{ChannelType: "whatsapp"}, 1}, {"begun before", history.Selection{Until: noon.AddDate(-1, 0, 1)}, 1},
			{"begun since", history.Selection{From: noon}, 2}, {"behind the first", history.Selection{After: all[0]["cursor"].(string)}, 2},
			{"behind the last", history.Selection{After: all[2]["cursor"].(string)}, 0},
		} {
			if got := export(t, s, c.q); len(got) != c.want {
				t.Errorf("%s: %d conversations, want %d", c.name, len(got), c.want)
			}
		}
		other := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "other", WidgetSecret: "w", Created: noon, Modified: noon}
		if err := s.Update(t.Context(), func(tx parley.Tx) error { return tx.InsertTenant(t.Context(), other) }); err != nil {
			t.Fatal(err)
		}
		if got := export(t, s, history.Selection{Tenant: other.ID}); len(got) > 0 {
			t.Errorf("another tenant exports %v", got)
		}
		for _, cursor := range []string{all[0]["cursor"].(string), "x", id.String()} {
			if _, err := (&history.Exporter{Record: s, Places: s}).Begin(t.Context(), history.Selection{Tenant: other.ID, After: cursor}); parley.KindOf(err) != parley.Invalid {
				t.Errorf("Begin after %q = %v, want Invalid", cursor, err)
			}
		}
	})
}

// cut is a connection that breaks after so many bytes.
type cut struct {
	bytes.Buffer
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) > c.left {
		n, _ := c.Buffer.Write(p[:c.left])
		c.left = 0
		return n, errBroken
	}
	c.left -= len(p)
	return c.Buffer.Write(p)
}

// Over any number of drops, and while conversations are being written by several, each comes exactly once (guarantee G2 of exports).
func TestExportGoesOnExactly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		const writers, each = 3, 100
		written := make(chan error, writers)
		for w := range writers {
			go func() {
				for i := range each {
					line := fmt.Sprintf(`{"id":"%d-%d","channelType":"sms","messages":[{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"x"}]}`, w, i)
					if _, err := (&history.Importer{Record: s}).Import(t.Context(), parley.DefaultTenant, history.Options{}, strings.NewReader(line)); err != nil {
						written <- err
						return
					}
				}
				written <- nil
			}()
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		seen, cursor, running, drops := map[string]int{}, "", writers, 0
		for last := false; !last; {
			select {
			case err := <-written:
				if err != nil {
					t.Fatal(err)
				}
				running--
			default:
			}
			last = running == 0
			x, err := (&history.Exporter{Record: s, Places: s}).Begin(t.Context(), history.Selection{Tenant: parley.DefaultTenant, After: cursor})
			if err != nil {
				t.Fatal(err)
			}
			to := &cut{left: random.IntN(20_000)}
			if err := x.Write(t.Context(), to); errors.Is(err, errBroken) {
				last = false
				drops++
			} else if err != nil {
				t.Fatal(err)
			}
			end := bytes.LastIndexByte(to.Bytes(), '\n') + 1
			for _, line := range lines(t, to.Bytes()[:end]) {
				seen[line["id"].(string)]++
				cursor = line["cursor"].(string)
			}
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		if len(seen) != writers*each || drops == 0 {
			t.Errorf("%d conversations over %d drops, want %d over some", len(seen), drops, writers*each)
		}
	})
}
