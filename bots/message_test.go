package bots_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/bots"
	"parley/hub"
	"parley/store/storetest"
)

// What bots answer is what other programs and pages know: the types and shapes of the conversationmgr reference (9.5).
func TestAnswersAsMessages(t *testing.T) {
	buttons := []parley.AnswerButton{{Name: "Site", Value: "site", Type: parley.ButtonURL, Action: "https://shop.example"}, {Name: "Last order", Value: "last"}, {Name: "Call", Value: "call", Type: parley.ButtonPhone, Action: "+491"}}
	for name, test := range map[string]struct {
		answer parley.BotAnswer
		kind   parley.MessageType
		text   string
		json   string
	}{
		"text":              {parley.BotAnswer{Type: parley.AnswerText, Text: "Hello"}, parley.TypeText, "Hello", ""},
		"without a choice":  {parley.BotAnswer{Type: parley.AnswerOptions, Text: "Hello"}, parley.TypeText, "Hello", ""},
		"buttons":           {parley.BotAnswer{Type: parley.AnswerOptions, Text: "<b>Which?</b>", Buttons: buttons, QuickReplies: []parley.QuickReply{{Name: "None", Value: "none"}}}, parley.TypeRichQuickreply, "Which?", `{"type":"quickreply","version":"1","title":"Which?","items":[{"id":"site","title":"Site","actions":[{"type":"url","url":"https://shop.example"}]},{"id":"last","title":"Last order","actions":[{"type":"postback"}]},{"id":"call","title":"Call","actions":[{"type":"phone","number":"+491"}]},{"id":"none","title":"None","actions":[{"type":"postback"}]}]}`},
		"cards":             {parley.BotAnswer{Type: parley.AnswerCarousel, Description: "Our shoes", Cards: []parley.AnswerCard{{ImageURL: "https://shop.example/1.png", Title: "Boots", SubTitle: "size 42", Buttons: buttons[:2]}, {Title: "None"}}}, parley.TypeRichListpicker, "Boots\nNone", `{"type":"list","version":"1","title":"Our shoes","list":{"multipleSelection":false,"sections":[{"title":"Our shoes","order":0,"multipleSelection":false,"items":[{"id":"last","title":"Boots","subtitle":"size 42","image":"https://shop.example/1.png","actions":[{"type":"url","url":"https://shop.example","id":"site","title":"Site"},{"type":"postback","id":"last","title":"Last order"}]},{"id":"None","title":"None","subtitle":"","image":"","actions":[]}]}]}}`},
		"for the channel":   {parley.BotAnswer{Type: parley.AnswerCustom, Technical: json.RawMessage(`{"a":1}`)}, parley.TypeText, "", `{"a":1}`},
		"a described image": {parley.BotAnswer{Type: parley.AnswerImage, Text: "https://shop.example/1.png", Description: "A map"}, parley.TypeText, "A map", ""},
	} {
		d := bots.Message(test.answer)
		if d.Type != test.kind || d.Body.Content.Text != test.text || d.Body.Answer == nil {
			t.Errorf("%s is a %s %+v", name, d.Type, d.Body.Content)
		}
		var got, want any
		if test.json != "" {
			if err := json.Unmarshal([]byte(test.json), &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(d.Body.Content.JSON, &got); err != nil {
				t.Fatalf("%s has the payload %s", name, d.Body.Content.JSON)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// The type of a medium is told where the answer and its address tell it together.
func TestTypesOfMedia(t *testing.T) {
	for address, want := range map[string]map[string]string{
		"https://shop.example/map.PNG?v=1": {parley.AnswerImage: "image/png", parley.AnswerVideo: "", parley.AnswerDocument: "application/octet-stream"}, "https://shop.example/a.mp4": {parley.AnswerVideo: "video/mp4"},
		"https://shop.example/a.mp3": {parley.AnswerAudio: "audio/mpeg"}, "https://shop.example/receipt.pdf": {parley.AnswerDocument: "application/pdf"}, "https://shop.example/files/7": {parley.AnswerImage: "", parley.AnswerDocument: "application/octet-stream"},
	} {
		for answer, kind := range want {
			d := bots.Message(parley.BotAnswer{Type: answer, Text: address, Description: "It"})
			if diff := cmp.Diff([]parley.Attachment{{URL: address, Name: "It", ContentType: kind}}, d.Body.Attachments); diff != "" {
				t.Errorf("%s at %s (-want +got)\n%s", answer, address, diff)
			}
		}
	}
}

// Customers choose titles; bots get what these stand for, and the record has what the customer saw.
func TestChoicesAreValuesToBots(t *testing.T) {
	s := newStage(t, storetest.Open(t), func(_ context.Context, turn *bots.Turn, _ func(string)) (parley.BotReply, error) {
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "got " + turn.Text}}}, nil
	}, parley.BotSettings{})
	id, _ := s.ask(parley.ConversationID{}, "hello")
	for payload, want := range map[string]string{
		`{"selection":[{"id":"last","title":"Last order"}]}`: "got last", `{"selection":[{"id":"","title":"Yes"}]}`: "got Yes", `{"selection":[{"id":"a","title":"A"},{"title":"B"}]}`: "got a, B",
		`{"selection":[]}`: "got Last order", `{"selection":7}`: "got Last order", `{"other":1}`: "got Last order", `[]`: "got Last order",
	} {
		d := parley.Draft{Conversation: id, Type: parley.TypeText, Sender: parley.Customer, Asks: true, Body: parley.Body{Content: &parley.Content{Text: "Last order", JSON: json.RawMessage(payload)}}}
		posted, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test", Drafts: []parley.Draft{d}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.hub.AwaitTurn(t.Context(), parley.DefaultTenant, id, posted[0].Seq); err != nil {
			t.Fatal(err)
		}
		all := s.said(id)
		if said := strings.Join(all[len(all)-2:], "; "); said != "customer: Last order; custom_bot: "+want {
			t.Errorf("of %s: %s, want %s", payload, said, want)
		}
	}
}
