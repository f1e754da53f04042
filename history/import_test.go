package history_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

type opener = func(testing.TB, ...storetest.Option) *store.Store

const whole = `{"id":"ext-1","channelType":"whatsapp","address":"shop","language":"de-AT","customer":{"name":"Anna","contacts":[{"type":"email","address":"anna@example.org"},{"type":"phone","subType":"mobile","address":"+43123"}],"attributes":[{"name":"tier","value":"gold"}]},` +
	`"version":"DRAFT","status":"ended","started":"2025-03-01T12:59:00+01:00","ended":"2025-03-01T12:10:00Z","endedBy":"agent","handedOver":"2025-03-01T12:00:02Z","campaign":{"id":"c7","source":"newsletter","medium":"mail","name":"spring","content":"top","term":"shoes"},` +
	`"score":0,"feedback":{"evaluation":4,"comments":"quick"},"messages":[{"id":"2","sender":"bot","name":"Rex","at":"2025-03-01T12:00:01.5Z","html":"<b>On its way</b>","text":"On its way","steps":[{"id":"s1","name":"Parcel"}]},` +
	`{"id":"1","sender":"customer","name":"Anna","at":"2025-03-01T12:00:00Z","text":"Where is my parcel?","intent":{"name":"parcel","confidence":0.9},"attachments":[{"url":"https://files.example/x.png","name":"x.png","contentType":"image/png","size":7}]},` +
	`{"sender":"customer","at":"2025-03-01T12:00:03Z","text":"A human, please","redact":true},{"sender":"agent","name":"Dana","type":"richMessage.quickreply","at":"2025-03-01T12:00:04Z","json":{"a":1},"attributes":[{"name":"k","value":"v"}]},` +
	`{"sender":"system","type":"conversation.end","at":"2025-03-01T12:00:05Z"},{"id":"1","sender":"bot","at":"2025-03-01T12:00:05Z","deleted":true}]}` + "\n"

func importing(t *testing.T, s *store.Store, tenant parley.TenantID, stream io.Reader) history.Result {
	t.Helper()
	result, err := (&history.Importer{Record: s}).Import(t.Context(), tenant, history.Options{}, stream)
	if err != nil {
		t.Fatalf("Import: %v", err)
	}
	return result
}

// stored is an imported conversation as the record has it.
func stored(t *testing.T, s *store.Store, tenant parley.TenantID, id string) (c parley.Conversation, all []parley.Message) {
	t.Helper()
	err := s.View(t.Context(), func(tx parley.Tx) (err error) {
		if c, err = tx.Conversation(t.Context(), tenant, ident.Imported(tenant, id)); err != nil {
			return err
		}
		all, err = tx.Messages(t.Context(), parley.MessageQuery{Tenant: tenant, Conversation: c.ID, Limit: 1000})
		return err
	})
	if err != nil {
		t.Fatalf("conversation %q: %v", id, err)
	}
	return c, all
}

// A conversation of another system is kept with everything the line says, over and in order, and is owed to nobody.
func TestImportKeepsEverything(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		if got := importing(t, s, parley.DefaultTenant, strings.NewReader(whole)); got.Accepted != 1 || got.Repeated != 0 || got.Refused != 0 {
			t.Fatalf("Import = %+v", got)
		}
		c, all := stored(t, s, parley.DefaultTenant, "ext-1")
		storetest.Check(t, s, parley.DefaultTenant, c.ID)
		noon := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
		if !c.Created.Equal(noon.Add(-time.Minute)) || !c.Ended.Equal(noon.Add(10*time.Minute)) || !c.Touched.Equal(c.Ended) || !c.WakeAt.IsZero() || !c.Waiting.IsZero() || c.Status != parley.Ended {
			t.Errorf("the conversation is %+v", c)
		}
		score := 0.0
		want := parley.ConversationState{ChannelType: "whatsapp", Address: "shop", Language: "de-AT", Escalated: true, Case: c.ID, Bot: parley.BotState{Test: true},
			Customer: parley.CustomerData{Name: "Anna", Contacts: []parley.Contact{{Type: "email", Address: "anna@example.org"}, {Type: "phone", SubType: "mobile", Address: "+43123"}},
				Attributes: []parley.NameValue{{Name: "tier", Value: "gold"}}},
			Parties:  []parley.Party{{Role: parley.Customer}, {Role: parley.CustomBot, Name: "Rex"}, {Role: parley.CustomAgent, Name: "Dana"}},
			Campaign: parley.Campaign{ID: "c7", Source: "newsletter", Medium: "mail", Name: "spring", Content: "top", Term: "shoes"},
			Import:   parley.Import{ID: "ext-1", EndedBy: parley.EndedByAgent, HandedOver: noon.Add(2 * time.Second), Score: &score}}
		if diff := cmp.Diff(want, c.State); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
		var said []string
		for _, m := range all {
			said = append(said, fmt.Sprintf("%d %s %s %s %s", m.Seq, m.Sender, m.Type, m.Created.Format("05.000"), m.Body.MessageID))
		}
		if diff := cmp.Diff([]string{"1 customer text 00.000 1", "2 custom_bot text 01.500 2", "3 customer text 03.000 ", "4 custom_agent richMessage.quickreply 04.000 ",
			"5 system conversation.end 05.000 ", "6 custom_bot text 05.000 1"}, said); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		if in := all[0].Body.Turn; in == nil || in.Intent != "parcel" || in.Confidence != 0.9 || len(all[0].Body.Attachments) != 1 || all[0].Body.Attachments[0].Size != 7 {
			t.Errorf("the first message says %+v", all[0].Body)
		}
		if b := all[1].Body; b.Content.HTML != "<b>On its way</b>" || len(b.Steps) != 1 || b.Steps[0] != (parley.FlowStep{ID: "s1", Name: "Parcel"}) {
			t.Errorf("the second message says %+v", b)
		}
		if !all[2].Body.Content.Redact || string(all[3].Body.Content.JSON) != `{"a":1}` || all[5].Deleted != parley.Erased || all[5].Body.Content != nil {
			t.Errorf("the messages are %+v", all)
		}
		err := s.View(t.Context(), func(tx parley.Tx) error {
			survey, err := tx.Survey(t.Context(), parley.DefaultTenant, c.ID)
			if err != nil || survey.Evaluation != 4 || survey.Comments != "quick" || !survey.Answered {
				t.Errorf("survey %+v, %v", survey, err)
			}
			turns, err := tx.TurnsOf(t.Context(), parley.DefaultTenant, c.ID, 0, 10)
			if len(turns) > 0 {
				t.Errorf("turns %+v", turns)
			}
			if err != nil {
				return err
			}
			due, err := tx.Due(t.Context(), time.Now().Add(time.Hour), 10)
			if len(due) > 0 {
				t.Errorf("due %+v", due)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if health, err := s.Healths(t.Context(), parley.DefaultTenant); err != nil || len(health) > 0 {
			t.Errorf("receivers %+v, %v", health, err)
		}
	})
}

// One id is one conversation of its tenant (guarantee G3), however often it comes, in one import or several, and whichever node takes it.
func TestImportedIDIsOneConversation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		step := storetest.Start("")
		storetest.MustCommit(t, s, step)
		other := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "other", WidgetSecret: "w", Created: time.Now(), Modified: time.Now()}
		if err := s.Update(t.Context(), func(tx parley.Tx) error { return tx.InsertTenant(t.Context(), other) }); err != nil {
			t.Fatal(err)
		}
		own := strings.Replace(whole, "ext-1", step.Conversation.ID.String(), 1) // an export that comes back
		if got := importing(t, s, parley.DefaultTenant, strings.NewReader(whole+own+whole)); got.Accepted != 3 || got.Repeated != 2 {
			t.Errorf("Import = %+v, want 3 of which 2 repeated", got)
		}
		if got := importing(t, s, parley.DefaultTenant, strings.NewReader(whole)); got.Accepted != 1 || got.Repeated != 1 {
			t.Errorf("repeated Import = %+v", got)
		}
		if got := importing(t, s, other.ID, strings.NewReader(whole+own)); got.Accepted != 2 || got.Repeated != 0 {
			t.Errorf("Import by another tenant = %+v", got)
		}
		for _, tenant := range []parley.TenantID{parley.DefaultTenant, other.ID} {
			c, all := stored(t, s, tenant, "ext-1")
			if len(all) != 6 || c.Seq != 6 {
				t.Errorf("%d messages, seq %d", len(all), c.Seq)
			}
		}
		if all := storetest.Messages(t, s, step.Conversation.ID); len(all) != 1 {
			t.Errorf("the own conversation has %d messages", len(all))
		}
	})
}

// breaking is a stream that breaks after its text.
type breaking struct{ io.Reader }

var errBroken = errors.New("broken")

func (b breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errBroken
	}
	return n, err
}

// What had come whole is stored when the stream breaks, and only that; sent once more, everything is there once.
func TestBrokenImportKeepsWhatCameWhole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		var text bytes.Buffer
		for i := range 200 {
			fmt.Fprintf(&text, `{"id":"%d","channelType":"sms","messages":[{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"x"}]}`+"\n", i)
		}
		half := text.Bytes()[:bytes.LastIndexByte(text.Bytes()[:text.Len()-1], '\n')-10] // in the middle of the last but one
		got, err := (&history.Importer{Record: s}).Import(t.Context(), parley.DefaultTenant, history.Options{}, breaking{bytes.NewReader(half)})
		if !errors.Is(err, errBroken) || got.Accepted != 198 || got.Refused != 0 {
			t.Errorf("Import = %+v, %v; want 198 accepted and %v", got, err, errBroken)
		}
		if got := importing(t, s, parley.DefaultTenant, &text); got.Accepted != 200 || got.Repeated != 198 {
			t.Errorf("Import = %+v, want 200 of which 198 repeated", got)
		}
	})
}

// An endless line costs no memory and keeps nobody out; the last line needs no line break.
func TestLongLineIsRefused(t *testing.T) {
	s := storetest.Open(t)
	line := func(id string) string {
		return `{"id":"` + id + `","channelType":"sms","messages":[{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"x"}]}`
	}
	pad := strings.Repeat(" ", history.MaxLine-len(line("fits")))
	stream := io.MultiReader(strings.NewReader(line("fits")+pad+"\n"), strings.NewReader(line("long")+pad+"  \n"), strings.NewReader(line("last")))
	got := importing(t, s, parley.DefaultTenant, stream)
	want := []history.Refusal{{Line: 2, Reason: fmt.Sprintf("the line is longer than %d bytes", history.MaxLine)}}
	if got.Accepted != 2 || !slices.Equal(got.Refusals, want) {
		t.Errorf("Import = %+v, want 2 accepted and %+v", got, want)
	}
}

// Each wrong line is refused with the member that is wrong.
func TestWrongLinesSayWhatIsWrong(t *testing.T) {
	s := storetest.Open(t)
	for _, c := range []struct{ old, new, want string }{
		{`"ext-1"`, `""`, "id is required"},
		{`"ext-1"`, `"` + strings.Repeat("x", 256) + `"`, "id may have 255 characters, not 256"},
		{`"ext-1"`, `"a\u0000b"`, "id holds a character that cannot be stored"},
		{`"whatsapp"`, `""`, "channelType is required"},
		{`"de-AT"`, `"klingon!"`, "language must be a language tag such as en-US"},
		{`"DRAFT"`, `"draft"`, "version must be one of LIVE, DRAFT"},
		{`"endedBy":"agent"`, `"endedBy":"me"`, "endedBy must be one of bot, agent, customer, timeout"},
		{`"score":0`, `"score":10.1`, "score must be from 0 to 10"},
		{`"evaluation":4`, `"evaluation":6`, "feedback.evaluation must be from 1 to 5"},
		{`"address":"+43123"`, `"address":""`, "customer.contacts[1].address is required"},
		{`"tier"`, `""`, "customer.attributes[0].name is required"},
		{`"shoes"`, `"` + strings.Repeat("x", 256) + `"`, "campaign.term may have 255 characters, not 256"},
		{`"version"`, `"bot":"x","version"`, "bot must be the id of a bot"},
		{`"2025-03-01T12:59:00+01:00"`, `"2025-03-01T13:01:00+01:00"`, "started must not be after the first message"},
		{`"2025-03-01T12:10:00Z"`, `"2025-03-01T12:00:00Z"`, "ended must not be before the last message"},
		{`"handedOver":"2025-03-01T12:00:02Z"`, `"handedOver":"2025-03-01T11:00:02Z"`, "handedOver must be between started and ended"},
		{`"at":"2025-03-01T12:00:00Z"`, `"at":"1969-12-31T23:59:00Z"`, "messages[1].at must not be before 1970-01-02"},
		{`"at":"2025-03-01T12:00:00Z",`, ``, "messages[1].at is required"},
		{`"at":"2025-03-01T12:00:00Z"`, `"at":7`, "messages[1].at must be a time such as 2026-03-01T12:00:00Z"},
		{`"richMessage.quickreply"`, `"typing.start"`, "messages[3].type must be a type of message that is kept, such as text"},
		{`{"a":1}`, `[1]`, "messages[3].json must be an object"},
		{`"text":"Where is my parcel?"`, `"text":"` + strings.Repeat("x", 500_001) + `"`, "messages[1].text may have 500000 characters, not 500001"},
		{`"text":"A human, please",`, ``, "messages[2].text is required"},
		{`"deleted":true`, `"deleted":true,"text":"x"`, "messages[5].deleted is for a message without content"},
		{`{"sender":"customer","at":"2025-03-01T12:00:03Z"`, `{"id":"1","sender":"customer","at":"2025-03-01T12:00:03Z"`, "messages[2].id is that of another message of the same sender"},
		{`https://files.example/x.png`, `file:///etc/passwd`, "messages[1].attachments[0].url must be an absolute http or https URL"},
		{`"confidence":0.9`, `"confidence":9`, "messages[1].intent.confidence must be from 0 to 1"},
		{`"sender":"agent"`, `"intent":{"name":"x"},"sender":"agent"`, "messages[3].intent is for messages of the customer"},
		{`"sender":"agent"`, `"steps":[{"id":"x"}],"sender":"agent"`, "messages[3].steps are for messages of the bot"},
		{`"status":"ended"`, `"status":"open"`, "status must be ended: what is imported is over"},
		{"}\n", "} {}\n", "there is more than one value in the line"},
		{whole, "[]\n", "the line must be an object"},
		{whole, "{\n", "the line is no JSON: it ends too early"},
	} {
		if strings.Count(whole, c.old) == 0 {
			t.Fatalf("%s is not in the line", c.old)
		}
		got := importing(t, s, parley.DefaultTenant, strings.NewReader(strings.Replace(whole, c.old, c.new, 1)))
		if got.Accepted != 0 || len(got.Refusals) != 1 || got.Refusals[0].Reason != c.want {
			t.Errorf("with %.60s refused %+v, want %q", c.new, got, c.want)
		}
	}
}

// Whatever comes, it is refused with a reason or becomes a conversation without faults.
func FuzzImport(f *testing.F) {
	f.Add(whole)
	f.Add(`{"id":"x","channelType":"sms","messages":[{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"\ud800"}]}`)
	f.Add(`{"id":"x","channelType":"sms","messages":[null]}`)
	f.Add("null\n{}\n[]\n\x00")
	s := storetest.Open(f)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := (&history.Importer{Record: s}).Import(t.Context(), parley.DefaultTenant, history.Options{}, strings.NewReader(text))
		if err != nil {
			t.Fatalf("Import of %q: %v", text, err)
		}
		for _, r := range got.Refusals {
			if r.Reason == "" || r.Line < 1 {
				t.Errorf("refused %+v", r)
			}
		}
		lines := 0
		for line := range strings.SplitSeq(text, "\n") {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if got.Accepted+got.Refused != lines {
			t.Errorf("%d lines, but %+v", lines, got)
		}
	})
}

// A mask hides the word SECRET in conversations in German.
type mask struct{}

func (mask) Text(said, language string) string {
	if language != "de-AT" {
		return said
	}
	return strings.ReplaceAll(said, "SECRET", "[X]")
}

func (m mask) HTML(rich, language string) string { return m.Text(rich, language) }

// Where what is said is redacted, so is what was said elsewhere, in the language of its conversation: the record never has the original.
func TestImportIsRedacted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		importer := &history.Importer{Record: s, Redaction: func(context.Context, parley.Tx, parley.TenantID) (parley.Redactor, error) { return mask{}, nil }}
		const line = `{"id":"ext-1","channelType":"web","language":"de-AT","feedback":{"evaluation":4,"comments":"SECRET"},"messages":[{"sender":"bot","at":"2025-03-01T12:00:01Z","html":"<b>SECRET</b>","text":"a SECRET"},` +
			`{"sender":"agent","type":"richMessage.quickreply","at":"2025-03-01T12:00:04Z","json":{"a":"SECRET"}}]}`
		if got, err := importer.Import(t.Context(), parley.DefaultTenant, history.Options{}, strings.NewReader(line)); err != nil || got.Accepted != 1 {
			t.Fatalf("Import = %+v, %v", got, err)
		}
		c, all := stored(t, s, parley.DefaultTenant, "ext-1")
		var survey parley.Survey
		if err := s.View(t.Context(), func(tx parley.Tx) (err error) {
			survey, err = tx.Survey(t.Context(), parley.DefaultTenant, c.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if said := all[0].Body.Content; said.Text != "a [X]" || said.HTML != "<b>[X]</b>" || string(all[1].Body.Content.JSON) != `{"a":"[X]"}` || survey.Comments != "[X]" {
			t.Errorf("stored %+v, %s, and the survey %+v", said, all[1].Body.Content.JSON, survey)
		}
	})
}
