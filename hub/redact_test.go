package hub_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// A censor hides the word SECRET, and shows the language that it was told of in place of LANGUAGE. It cannot deal with the word FATAL.
type censor struct{}

func (censor) Text(said, language string) string {
	if strings.Contains(said, "FATAL") {
		panic("planted")
	}
	return strings.NewReplacer("SECRET", "[X]", "LANGUAGE", language).Replace(said)
}

func (c censor) HTML(rich, language string) string { return c.Text(rich, language) }

// redacts makes the tenant one whose words are redacted.
func (w *world) redacts() {
	w.hub = hub.New(hub.Config{Store: w.store, Dispatcher: w, Clock: w.now,
		Redaction: func(context.Context, parley.Tx, parley.TenantID) (parley.Redactor, error) { return censor{}, nil }})
}

// With redaction on, what must not be shown is nowhere in the record: not in text, rich text, JSON, nor members nobody knows.
func TestRedactedBeforeItIsStored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		w.redacts()
		id := w.start()
		w.say(id, parley.Customer, parley.TypeText, func(d *parley.Draft) {
			d.Body.Content = &parley.Content{Text: "a SECRET b", HTML: "<b>SECRET</b>", JSON: []byte(`{"a":["SECRET",1.50,{"b":"say SECRET"}],"c":null}`),
				Extra: map[string]json.RawMessage{"more": json.RawMessage(`"SECRET"`)}}
		})
		got := storetest.Messages(t, w.store, id)[1].Body.Content
		want := &parley.Content{Text: "a [X] b", HTML: "<b>[X]</b>", JSON: []byte(`{"a":["[X]",1.50,{"b":"say [X]"}],"c":null}`), Extra: map[string]json.RawMessage{"more": json.RawMessage(`"[X]"`)}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

// What counts as a date or a telephone number depends on the language, which is the conversation's own or its account's.
func TestRedactedInTheLanguageOfTheConversation(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.redacts()
	for own, want := range map[string]string{"": "en-US", "de-DE": "de-DE"} {
		d := w.starter("m " + own)
		d.Language, d.Body.Content.Text = own, "in LANGUAGE"
		d.Customer.Contacts[0].Address += own
		posted, err := w.post(d)
		if err != nil {
			t.Fatal(err)
		}
		w.say(posted[0].Conversation, parley.Customer, parley.TypeText, func(d *parley.Draft) { d.Body.Content.Text = "in LANGUAGE" })
		for _, m := range storetest.Messages(t, w.store, posted[0].Conversation) {
			if got := m.Body.Content.Text; got != "in "+want {
				t.Errorf("in a conversation in %q, message %d is %q; want it redacted in %s", own, m.Seq, got, want)
			}
		}
	}
}

// What a bot that the hub runs answers is redacted in every place that holds words, as is what it says unasked; addresses of files stay.
func TestAnswersAreRedacted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t), retained)
		w.redacts()
		w.runsBots()
		id := w.begin("SECRET to begin with")
		w.say(id, parley.Customer, parley.TypeText, asks)
		given := parley.BotAnswer{Type: parley.AnswerText, Text: "SECRET", Description: "SECRET", Technical: json.RawMessage(`{"a":"SECRET"}`),
			Buttons: []parley.AnswerButton{{Name: "SECRET", Value: "SECRET", Action: "SECRET"}}, QuickReplies: []parley.QuickReply{{Name: "SECRET", Value: "SECRET"}},
			Cards: []parley.AnswerCard{{ImageURL: "https://files/SECRET.png", Title: "SECRET", SubTitle: "SECRET", Buttons: []parley.AnswerButton{{Name: "SECRET"}}}}}
		picture := parley.BotAnswer{Type: parley.AnswerImage, Text: "https://files/SECRET.png", Description: "SECRET"}
		if err := w.reply(id, 2, func(r *hub.Reply) {
			r.Messages = []parley.Draft{{Type: parley.TypeText, Body: parley.Body{Answer: &given, Content: &parley.Content{Text: "SECRET"}}},
				{Type: parley.TypeText, Body: parley.Body{Answer: &picture, Attachments: []parley.Attachment{{URL: "https://files/SECRET.png", Name: "SECRET"}}}}}
			r.Result = parley.TurnResult{NLP: &parley.NLPResult{Type: parley.NLPIntent, Name: "pay", Entities: []parley.NLPEntity{{Name: "card", Value: "SECRET", Original: "SECRET"}}},
				Await: &parley.AwaitedInput{Type: "DATE", CallToAction: "SECRET"}}
		}); err != nil {
			t.Fatal(err)
		}
		if err := w.hub.Introduce(t.Context(), w.tenant, id, "SECRET once more"); err != nil {
			t.Fatal(err)
		}
		_, said := w.snapshot(id)
		if len(said) != 5 || said[0].Body.Content.Text != "[X] to begin with" || said[2].Body.Content.Text != "[X]" || said[4].Body.Content.Text != "[X] once more" {
			t.Fatalf("said %+v", said)
		}
		want := &parley.BotAnswer{Type: parley.AnswerText, Text: "[X]", Description: "[X]", Technical: json.RawMessage(`{"a":"[X]"}`),
			Buttons: []parley.AnswerButton{{Name: "[X]", Value: "[X]", Action: "[X]"}}, QuickReplies: []parley.QuickReply{{Name: "[X]", Value: "[X]"}},
			Cards: []parley.AnswerCard{{ImageURL: "https://files/SECRET.png", Title: "[X]", SubTitle: "[X]", Buttons: []parley.AnswerButton{{Name: "[X]"}}}}}
		if diff := cmp.Diff(want, said[2].Body.Answer); diff != "" {
			t.Errorf("the answer is stored as (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(&parley.BotAnswer{Type: parley.AnswerImage, Text: "https://files/SECRET.png", Description: "[X]"}, said[3].Body.Answer); diff != "" {
			t.Errorf("the picture is stored as (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]parley.Attachment{{URL: "https://files/SECRET.png", Name: "[X]"}}, said[3].Body.Attachments); diff != "" {
			t.Errorf("its file is stored as (-want +got):\n%s", diff)
		}
		if r := w.turn(id, 2).Result; r.NLP.Entities[0] != (parley.NLPEntity{Name: "card", Value: "[X]", Original: "[X]"}) || r.Await.CallToAction != "[X]" {
			t.Errorf("the turn results in %+v, %+v", r.NLP, r.Await)
		}
	})
}

// What is refused because it comes too late is noted as if it had been said.
func TestWhatIsRefusedIsRedacted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t), oneBot)
		w.redacts()
		w.run()
		id := w.start()
		w.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
		for _, content := range []parley.Content{{Text: "late SECRET"}, {HTML: "<b>late SECRET</b>"}} {
			if _, err := w.try(id, parley.CustomBot, parley.TypeText, func(d *parley.Draft) { d.Body.Content = &content }); parley.ReasonOf(err) != parley.NotParty {
				t.Fatalf("a late answer = %v", err)
			}
		}
		var all []parley.Refused
		for deadline := time.Now().Add(20 * time.Second); len(all) < 2; {
			if time.Now().After(deadline) {
				t.Fatalf("kept %+v", all)
			}
			if err := w.store.View(t.Context(), func(tx parley.Tx) (err error) {
				all, err = tx.RefusedIn(t.Context(), w.tenant, id)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		if all[0].Text != "late [X]" || all[1].Text != "late [X]" {
			t.Errorf("kept %+v", all)
		}
	})
}

// A listener hears how far answers are.
type listener chan string

// Deliver implements hub.Subscriber.
func (l listener) Deliver(e *hub.Event) {
	if e.Partial != nil {
		l <- e.Partial.Text
	}
}

// Half of a number cannot be seen to be one, so nobody hears of it where what is said is redacted.
func TestPartialAnswersAreNotTold(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	for _, want := range []int{1, 0} {
		id, heard := w.start(), make(listener, 10)
		done := w.hub.Subscribe(w.tenant, id, heard)
		c := w.conversation(id)
		w.hub.Partial(&c, 1, "SEC")
		if done(); len(heard) != want {
			t.Errorf("%d were told of an answer on its way, want %d", len(heard), want)
		}
		w.redacts()
	}
}

// A message that the rules cannot deal with is refused as a fault of the hub, and the conversation goes on without it.
func TestPanicRefusesOneMessage(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.redacts()
	id := w.start()
	w.say(id, parley.Customer, parley.TypeText, func(d *parley.Draft) { d.Body.Content.Text = "before" })
	fatal := func(d *parley.Draft) { d.Body.Content.Text = "a FATAL b" }
	if _, err := w.try(id, parley.Customer, parley.TypeText, fatal); err == nil || parley.KindOf(err) != parley.Internal {
		t.Errorf("the message is answered %v, want an internal error", err)
	}
	w.say(id, parley.Customer, parley.TypeText, func(d *parley.Draft) { d.Body.Content.Text = "after" })
	var texts []string
	for _, m := range storetest.Messages(t, w.store, id)[1:] {
		texts = append(texts, m.Body.Content.Text)
	}
	if diff := cmp.Diff([]string{"before", "after"}, texts); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}
