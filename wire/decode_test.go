package wire

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
)

const conversationID = "0190f3c8-7e2a-7c31-8f00-000000000001"

var conversation, _ = parley.ParseID[parley.Conversation](conversationID)

// What real clients send is understood, sloppy or not.
func TestDecodeMessageReadsLeniently(t *testing.T) {
	participant, _ := parley.ParseID[parley.Participant](conversationID)
	asset, _ := parley.ParseID[parley.Asset](conversationID)
	text := func(body parley.Body) parley.Draft {
		return parley.Draft{Type: parley.TypeText, Sender: parley.Customer, Conversation: conversation, Body: body}
	}
	tests := []struct {
		name, raw string
		want      parley.Draft
	}{
		{"plain text", `{"messageId":"m1","type":{"value":"text"},"content":{"text":"hello"},"conversation":{"id":"` + conversationID + `"},"sender":{"type":"customer"}}`,
			text(parley.Body{MessageID: "m1", Content: &parley.Content{Text: "hello"}})},
		{"null and empty strings are absent", `{"messageId":"","type":{"value":"text"},"content":{"text":"hello","html":null,"json":""},"conversation":{"id":"` + conversationID + `","language":null,"customer":""},"sender":{"type":"customer","participant":null},"attachments":"","parent":{"messageId":""}}`,
			text(parley.Body{Content: &parley.Content{Text: "hello"}})},
		{"attachment without content, size as text", `{"type":{"value":"text"},"conversation":{"id":"` + conversationID + `"},"sender":{"type":"customer"},"attachments":{"attachment":[{"url":"https://x.example/a.png","name":"a.png","size":"2048"},{"id":"` + conversationID + `","size":7}]}}`,
			text(parley.Body{Attachments: []parley.Attachment{{URL: "https://x.example/a.png", Name: "a.png", Size: 2048}, {Asset: asset, Size: 7}}})},
		{"unknown members of content pass, others do not", `{"type":{"value":"text"},"x":1,"content":{"text":"hi","mood": {"happy": true}},"conversation":{"id":"` + conversationID + `"},"sender":{"type":"customer"}}`,
			text(parley.Body{Content: &parley.Content{Text: "hi", Extra: map[string]json.RawMessage{"mood": json.RawMessage(`{"happy":true}`)}}})},
		{"participant", `{"type":{"value":"text"},"content":{"text":"hi"},"conversation":{"id":"` + conversationID + `"},"sender":{"type":"custom_bot","participant":{"id":"` + conversationID + `","name":"Ada"}}}`,
			parley.Draft{Type: parley.TypeText, Sender: parley.CustomBot, Conversation: conversation, Body: parley.Body{Name: "Ada", Participant: participant, Content: &parley.Content{Text: "hi"}}}},
		{"payload in json", `{"type":{"value":"conversation.state"},"content":{"json":{"status": "queued","content":""}}}`,
			parley.Draft{Type: parley.TypeConversationState, Body: parley.Body{Content: &parley.Content{JSON: json.RawMessage(`{"status":"queued","content":""}`)}}}},
		{"payload as JSON text in json", `{"type":{"value":"conversation.state"},"content":{"json":"{\"status\":\"queued\"}"}}`,
			parley.Draft{Type: parley.TypeConversationState, Body: parley.Body{Content: &parley.Content{JSON: json.RawMessage(`{"status":"queued"}`)}}}},
		{"payload as JSON text in text", `{"type":{"value":"agent.join"},"content":{"text":"{\"agentName\":\"Dana\"}"}}`,
			parley.Draft{Type: parley.TypeAgentJoin, Body: parley.Body{Content: &parley.Content{JSON: json.RawMessage(`{"agentName":"Dana"}`)}}}},
		{"content is the payload", `{"type":{"value":"agent.join"},"content":{"agentName":"Dana"}}`,
			parley.Draft{Type: parley.TypeAgentJoin, Body: parley.Body{Content: &parley.Content{JSON: json.RawMessage(`{"agentName":"Dana"}`)}}}},
		{"a closing word is no payload", `{"type":{"value":"conversation.end"},"content":{"text":"bye"}}`,
			parley.Draft{Type: parley.TypeConversationEnd, Body: parley.Body{Content: &parley.Content{Text: "bye"}}}},
		{"typing with an empty content", `{"type":{"value":"typing.start"},"content":""}`, parley.Draft{Type: parley.TypeTypingStart}},
		{"page as text", `{"type":{"value":"pagePush"},"content":{"text":"https://x.example/"}}`,
			parley.Draft{Type: parley.TypePagePush, Body: parley.Body{Content: &parley.Content{Text: "https://x.example/"}}}},
		{"page as text with a title", `{"type":{"value":"pagePush"},"content":{"text":"https://x.example/","title":"X"}}`,
			parley.Draft{Type: parley.TypePagePush, Body: parley.Body{Content: &parley.Content{Text: "https://x.example/", JSON: json.RawMessage(`{"title":"X"}`)}}}},
		{"start", `{"type":{"value":"text"},"content":{"text":"hi"},"sender":{"type":"customer"},"conversation":{"account":{"address":"+1","channel":{"type":"sms"}},"entryPoint":{"id":"1001"},"clientInfo":{"timeOffset":-60, "more":[1]},"lookupContact":"phone.mobile","conversationContact":"phone.mobile","language":"de-DE","campaign":{"id":"7","source":"mail","medium":"e","name":"n","content":"c","term":"t","x":1},"customer":{"name":"Eva","type":"individual","attributes":[{"name":"tier","value":"gold"}],"contacts":{"contact":[{"type":"phone","subType":"mobile","address":"+2"}]}}},"attributes":{"attribute":[{"name":"k","value":"v","external":true}]},"recipients":{"recipient":[{"type":"custom_bot"}]}}`,
			parley.Draft{Type: parley.TypeText, Sender: parley.Customer, ChannelType: "sms", Address: "+1", EntryPoint: "1001", Language: "de-DE",
				LookupContact: "phone.mobile", ConversationContact: "phone.mobile", ClientInfo: json.RawMessage(`{"timeOffset":-60,"more":[1]}`),
				Campaign: parley.Campaign{ID: "7", Source: "mail", Medium: "e", Name: "n", Content: "c", Term: "t"},
				Customer: &parley.CustomerData{Name: "Eva", Type: "individual", Attributes: []parley.NameValue{{Name: "tier", Value: "gold"}},
					Contacts: []parley.Contact{{Type: "phone", SubType: "mobile", Address: "+2"}}},
				Body: parley.Body{Content: &parley.Content{Text: "hi"}, Attributes: []parley.Attribute{{Name: "k", Value: "v", External: true}}, Recipients: []parley.Role{parley.CustomBot}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := DecodeMessage([]byte(test.raw), "")
			if err != nil {
				t.Fatalf("DecodeMessage: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("DecodeMessage: (-want +got)\n%s", diff)
			}
		})
	}
}

// What is wrong is named by its path in the request.
func TestDecodeMessageRefuses(t *testing.T) {
	long := strings.Repeat("x", 256)
	tests := []struct {
		name, raw string
		reason    parley.Reason
		field     string
	}{
		{"no JSON", `{"type"`, parley.BadValue, "body"},
		{"two values", `{"type":{"value":"typing.end"}} {}`, parley.BadValue, "body"},
		{"a member twice", `{"type":{"value":"typing.end"},"type":{"value":"text"}}`, parley.BadValue, "body"},
		{"no object", `[]`, parley.BadValue, "m[0]"},
		{"no type", `{}`, parley.Missing, "m[0].type.value"},
		{"unknown type", `{"type":{"value":"shout"}}`, parley.OutsideEnum, "m[0].type.value"},
		{"type of another type", `{"type":{"value":7}}`, parley.BadValue, "m[0].type.value"},
		{"sent by the hub", `{"type":{"value":"typing.end"},"sender":{"type":"system"}}`, parley.OutsideEnum, "m[0].sender.type"},
		{"long messageId", `{"messageId":"` + long + `","type":{"value":"typing.end"}}`, parley.BadValue, "m[0].messageId"},
		{"messageId with a NUL", `{"messageId":"a\u0000","type":{"value":"typing.end"}}`, parley.BadValue, "m[0].messageId"},
		{"text without anything", `{"type":{"value":"text"}}`, parley.Missing, "m[0].content.text"},
		{"text is no string", `{"type":{"value":"text"},"content":{"text":5}}`, parley.BadValue, "m[0].content.text"},
		{"content is no object", `{"type":{"value":"text"},"content":5}`, parley.BadValue, "m[0].content"},
		{"redact is no boolean", `{"type":{"value":"text"},"content":{"text":"x","redact":"yes"}}`, parley.BadValue, "m[0].content.redact"},
		{"json is a list", `{"type":{"value":"text"},"content":{"text":"x","json":[]}}`, parley.BadValue, "m[0].content.json"},
		{"conversation id", `{"type":{"value":"text"},"content":{"text":"x"},"conversation":{"id":"5"}}`, parley.BadValue, "m[0].conversation.id"},
		{"contact without address", `{"type":{"value":"text"},"content":{"text":"x"},"conversation":{"customer":{"contacts":{"contact":[{"type":"phone","address":"1"},{"type":"phone"}]}}}}`, parley.Missing, "m[0].conversation.customer.contacts.contact[1].address"},
		{"customer type", `{"type":{"value":"text"},"content":{"text":"x"},"conversation":{"customer":{"type":"cat"}}}`, parley.OutsideEnum, "m[0].conversation.customer.type"},
		{"time offset", `{"type":{"value":"text"},"content":{"text":"x"},"conversation":{"clientInfo":{"timeOffset":1.5}}}`, parley.BadValue, "m[0].conversation.clientInfo.timeOffset"},
		{"attachment of nothing", `{"type":{"value":"text"},"attachments":{"attachment":[{"name":"a"}]}}`, parley.Missing, "m[0].attachments.attachment[0].id"},
		{"attachment without name", `{"type":{"value":"text"},"attachments":{"attachment":[{"url":"https://x.example/"}]}}`, parley.Missing, "m[0].attachments.attachment[0].name"},
		{"attachment from a script", `{"type":{"value":"text"},"attachments":{"attachment":[{"url":"javascript:1","name":"a"}]}}`, parley.BadValue, "m[0].attachments.attachment[0].url"},
		{"attachment of unknown asset", `{"type":{"value":"text"},"attachments":{"attachment":[{"id":"nope"}]}}`, parley.BadAsset, "m[0].attachments.attachment[0].id"},
		{"attachment of negative size", `{"type":{"value":"text"},"attachments":{"attachment":[{"url":"https://x.example/","name":"a","size":-1}]}}`, parley.BadValue, "m[0].attachments.attachment[0].size"},
		{"too many attachments", `{"type":{"value":"text"},"attachments":{"attachment":[` + strings.Repeat(`{},`, 10) + `{}]}}`, parley.Missing, "m[0].attachments.attachment[0].id"},
		{"delete of nothing", `{"type":{"value":"delete.soft"}}`, parley.Missing, "m[0].parent.messageId"},
		{"page without address", `{"type":{"value":"pagePush"}}`, parley.Missing, "m[0].content.json.url"},
		{"page with a bad address", `{"type":{"value":"pagePush"},"content":{"json":{"url":"here"}}}`, parley.BadValue, "m[0].content.json.url"},
		{"state without status", `{"type":{"value":"conversation.state"},"content":{"json":{}}}`, parley.Missing, "m[0].content.json.status"},
		{"rich without payload", `{"type":{"value":"richMessage.form"}}`, parley.Missing, "m[0].content.json"},
		{"list without version", `{"type":{"value":"richMessage.listpicker"},"content":{"json":{"type":"list"}}}`, parley.Missing, "m[0].content.json.version"},
		{"list with a numeric version", `{"type":{"value":"richMessage.richlink"},"content":{"json":{"type":"web_url","version":1}}}`, parley.BadValue, "m[0].content.json.version"},
		{"recipient", `{"type":{"value":"typing.end"},"recipients":{"recipient":[{"type":"nobody"}]}}`, parley.OutsideEnum, "m[0].recipients.recipient[0].type"},
		{"json that is deep", `{"type":{"value":"text"},"content":{"text":"x","json":` + deep(51) + `}}`, parley.BadValue, "m[0].content.json"},
		{"a deep member of content", `{"type":{"value":"text"},"content":{"text":"x","mood":` + deep(51) + `}}`, parley.BadValue, "m[0].content.mood"},
		{"a deep payload as JSON text", `{"type":{"value":"agent.join"},"content":{"json":` + strconv.Quote(deep(51)) + `}}`, parley.BadValue, "m[0].content.json"},
		{"a deep payload as text", `{"type":{"value":"richMessage.form"},"content":{"text":` + strconv.Quote(deep(51)) + `}}`, parley.Missing, "m[0].content.json"},
		{"deep client info", `{"type":{"value":"text"},"content":{"text":"x"},"conversation":{"clientInfo":` + deep(51) + `}}`, parley.BadValue, "m[0].conversation.clientInfo"},
		{"attribute without name", `{"type":{"value":"typing.end"},"attributes":{"attribute":[{"value":"v"}]}}`, parley.Missing, "m[0].attributes.attribute[0].name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := DecodeMessage([]byte(test.raw), "m[0]")
			wantRefusal(t, err, test.reason, test.field)
		})
	}
}

// deep is an object with so many levels, in which brackets stand within texts as well.
func deep(levels int) string {
	return strings.Repeat(`{"[{\"[":[`, levels/2) + strings.Repeat("{", levels%2) + strings.Repeat("}", levels%2) + strings.Repeat("]}", levels/2)
}

// Fifty levels are enough for every payload there is, and few enough for every parser of a receiver.
func TestDecodeMessageTakesFiftyLevels(t *testing.T) {
	d, err := DecodeMessage([]byte(`{"type":{"value":"text"},"content":{"text":"x","json":`+deep(50)+`}}`), "")
	if err != nil || string(d.Body.Content.JSON) != deep(50) {
		t.Errorf("50 levels = %v, %v", d.Body.Content, err)
	}
}

func TestDecodeEnvelopeRefuses(t *testing.T) {
	message := func(s string) string { return `{"messages":{"message":[` + s + `]}}` }
	in := `"conversation":{"id":"` + conversationID + `"}`
	end := `"type":{"value":"typing.end"}`
	tests := []struct {
		name, raw string
		reason    parley.Reason
		field     string
	}{
		{"nothing", `null`, parley.BadValue, "body"},
		{"no messages", `{}`, parley.Missing, "messages.message"},
		{"empty list", message(``), parley.Missing, "messages.message"},
		{"26 messages", message(strings.Repeat(`{`+end+`,"sender":{"type":"customer"},`+in+`},`, 25) + `{}`), parley.BadValue, "messages.message"},
		{"no sender", message(`{` + end + `,` + in + `}`), parley.Missing, "messages.message[0].sender.type"},
		{"no conversation", message(`{` + end + `,"sender":{"type":"customer"}}`), parley.Missing, "messages.message[0].conversation"},
		{"a bot starts", message(`{` + end + `,"sender":{"type":"custom_bot"},"conversation":{}}`), parley.Missing, "messages.message[0].conversation.id"},
		{"start without channel", message(`{` + end + `,"sender":{"type":"customer"},"conversation":{}}`), parley.Missing, "messages.message[0].conversation.account.channel.type"},
		{"start without contact", message(`{` + end + `,"sender":{"type":"customer"},"conversation":{"account":{"address":"a","channel":{"type":"c"}},"customer":{}}}`), parley.Missing, "messages.message[0].conversation.customer.contacts.contact"},
		{"two conversations", message(`{` + end + `,"sender":{"type":"customer"},` + in + `},{` + end + `,"sender":{"type":"customer"},"conversation":{"id":"` + strings.Replace(conversationID, "01", "02", 1) + `"}}`), parley.BadValue, "messages.message[1].conversation"},
		{"metadata without name", `{"metadata":{"attributes":[{"value":"v"}]},"messages":{"message":[{` + end + `,"sender":{"type":"customer"},` + in + `}]}}`, parley.Missing, "metadata.attributes[0].name"},
		{"missing comes before wrong", message(`{"messageId":7,` + end + `,` + in + `}`), parley.Missing, "messages.message[0].sender.type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := DecodeEnvelope([]byte(test.raw))
			wantRefusal(t, err, test.reason, test.field)
		})
	}
}

func wantRefusal(t *testing.T, err error, reason parley.Reason, field string) {
	t.Helper()
	e, ok := errors.AsType[*parley.Error](err)
	if !ok || e.Kind != parley.Invalid || e.Reason != reason || e.Field != field {
		t.Errorf("got %+v, want Invalid, reason %d, field %q", err, reason, field)
	}
}

// Further problems are told beside the first.
func TestDecodeTellsEveryProblem(t *testing.T) {
	_, err := DecodeEnvelope([]byte(`{"messages":{"message":[{"messageId":7,"type":{"value":"text"},"sender":{"type":"king"}}]}}`))
	e, _ := errors.AsType[*parley.Error](err)
	if e == nil {
		t.Fatal("no error")
	}
	var fields []string
	for _, d := range e.Details {
		fields = append(fields, d.Key)
	}
	want := []string{"messages.message[0].messageId", "messages.message[0].sender.type", "messages.message[0].conversation"}
	if diff := cmp.Diff(want, fields); diff != "" || e.Field != "messages.message[0].content.text" {
		t.Errorf("first %q, then (-want +got)\n%s", e.Field, diff)
	}
}

// The metadata of a request belongs to each of its messages.
func TestMetadataReachesEveryMessage(t *testing.T) {
	one := `{"type":{"value":"text"},"content":{"text":"x"},"sender":{"type":"customer"},"conversation":{"id":"` + conversationID + `"}}`
	drafts, err := DecodeEnvelope([]byte(`{"messages":{"message":[` + one + `,` + one + `]},"metadata":{"attributes":[{"name":"k","value":"v"}]}}`))
	if err != nil || len(drafts) != 2 {
		t.Fatalf("DecodeEnvelope = %d drafts, %v", len(drafts), err)
	}
	for i, d := range drafts {
		if diff := cmp.Diff([]parley.NameValue{{Name: "k", Value: "v"}}, d.Body.Metadata); diff != "" {
			t.Errorf("message %d: %s", i, diff)
		}
	}
}

// Whatever strangers send is either refused as Invalid or can be written again and read back the same.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"messages":{"message":[{"type":{"value":"text"},"content":{"text":"x","html":"<b>x</b>","mood":[1, 2]},"sender":{"type":"customer"},"conversation":{"id":"` + conversationID + `"}}]}}`))
	f.Add([]byte(`{"metadata":{"attributes":[{"name":"k","value":"v"}]},"messages":{"message":[{"type":{"value":"richMessage.form"},"content":{"text":"{\"a\":\"\\n\"}"},"sender":{"type":"custom_bot"},"conversation":{"id":"` + conversationID + `"}}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		drafts, err := DecodeEnvelope(raw)
		if err != nil {
			if parley.KindOf(err) != parley.Invalid {
				t.Fatalf("error of another Kind: %v", err)
			}
			return
		}
		for _, d := range drafts {
			m := parley.Message{Type: d.Type, Sender: d.Sender, Body: d.Body}
			out := AppendEnvelope(nil, d.Body.Metadata, View{HTML: true, Internal: true, Conversation: &parley.Conversation{State: parley.ConversationState{ClientInfo: d.ClientInfo}}, Customer: true}, &m)
			if !json.Valid(out) {
				t.Fatalf("not JSON: %q", out)
			}
			for _, c := range out {
				if c == '\n' {
					t.Fatalf("a line break in %q", out)
				}
			}
		}
	})
}

func BenchmarkDecodeEnvelope(b *testing.B) {
	raw := []byte(`{"messages":{"message":[{"messageId":"m-1","type":{"value":"text"},"content":{"text":"Hello, how are you?"},"conversation":{"id":"` + conversationID + `"},"sender":{"type":"customer","participant":{"name":"Eva"}}}]}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEnvelope(raw); err != nil {
			b.Fatal(err)
		}
	}
}
