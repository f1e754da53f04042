package wire

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
)

var (
	created = time.Date(2024, 5, 1, 10, 0, 0, 7_900_000, time.UTC)
	bot     = parley.ParticipantID{15: 9}
	thread  = &parley.Conversation{ID: conversation, State: parley.ConversationState{
		ChannelType: "sms", Address: "+1", Language: "en-US", EntryPoint: "1001", LookupContact: "phone",
		ClientInfo: json.RawMessage(`{"timeOffset":0}`),
		Customer:   parley.CustomerData{Name: "Eva", Contacts: []parley.Contact{{Type: "phone", Address: "+2"}}},
		Parties:    []parley.Party{{Role: parley.Customer}, {Role: parley.CustomBot, Participant: bot, Name: "Ada"}, {Role: parley.CustomAgent}, {Role: parley.BusinessNotification}},
	}}
)

func message(change func(*parley.Message)) *parley.Message {
	m := &parley.Message{ID: parley.MessageID{15: 1}, Type: parley.TypeText, Sender: parley.Customer, Created: created, To: 0b010,
		Body: parley.Body{Content: &parley.Content{Text: "a < b"}}}
	if change != nil {
		change(m)
	}
	return m
}

// Each reader sees what it may see, in the documented shape.
func TestAppend(t *testing.T) {
	const head = `{"id":"00000000-0000-0000-0000-000000000001","messageId":"00000000-0000-0000-0000-000000000001",`
	const tail = `"sender":{"type":"customer","participant":{"name":"customer"}},"created":"2024-05-01T10:00:00.007Z"}`
	tests := []struct {
		name string
		m    *parley.Message
		v    View
		want string
	}{
		{"text only", message(nil), View{}, head + `"type":{"value":"text"},"content":{"text":"a < b","redact":false},` + tail},
		{"html is made", message(nil), View{HTML: true}, head + `"type":{"value":"text"},"content":{"text":"a < b","html":"a &lt; b","redact":false},` + tail},
		{"text is made", message(func(m *parley.Message) {
			m.Body.Content = &parley.Content{HTML: "<p>a &amp; b</p><script>1</script><p>c</p>"}
		}), View{},
			head + `"type":{"value":"text"},"content":{"text":"a & b\nc","redact":false},` + tail},
		{"as sent, plain", message(nil), View{AsSent: true}, head + `"type":{"value":"text"},"content":{"text":"a < b","redact":false},` + tail},
		{"as sent, rich", message(func(m *parley.Message) { m.Body.Content = &parley.Content{HTML: "<b>a</b>"} }), View{AsSent: true},
			head + `"type":{"value":"text"},"content":{"text":"a","html":"<b>a</b>","redact":false},` + tail},
		{"masked", message(func(m *parley.Message) {
			m.Body.Content = &parley.Content{Text: "pin", HTML: "pin", JSON: json.RawMessage(`{}`), Redact: true, Extra: map[string]json.RawMessage{"x": json.RawMessage("1")}}
		}), View{Masked: true, HTML: true}, head + `"type":{"value":"text"},"content":{"text":"***","redact":true},` + tail},
		{"redact alone hides nothing", message(func(m *parley.Message) { m.Body.Content = &parley.Content{Text: "pin", Redact: true} }), View{},
			head + `"type":{"value":"text"},"content":{"text":"pin","redact":true},` + tail},
		{"deleted", message(func(m *parley.Message) {
			m.Deleted = parley.SoftlyDeleted
			m.Body.Attachments = []parley.Attachment{{URL: "https://x.example/", Name: "x"}}
		}), View{Status: "sent", Sent: created},
			head + `"type":{"value":"text"},"sender":{"type":"customer","participant":{"name":"customer"}},"created":"2024-05-01T10:00:00.007Z","status":"deleted","sent":"2024-05-01T10:00:00.007Z"}`},
		{"end has no content", message(func(m *parley.Message) { m.Type, m.Body.Content = parley.TypeConversationEnd, nil }), View{},
			head + `"type":{"value":"conversation.end"},` + tail},
		{"payload and unknown members", message(func(m *parley.Message) {
			m.Type = parley.TypeRichForm
			m.Body.Content = &parley.Content{JSON: json.RawMessage(`{"a":1}`), Extra: map[string]json.RawMessage{"z": json.RawMessage("1"), "b": json.RawMessage("2")}}
		}), View{}, head + `"type":{"value":"richMessage.form"},"content":{"json":{"a":1},"b":2,"z":1,"redact":false},` + tail},
		{"to a bot", message(func(m *parley.Message) { m.To = 0b111 }), View{Conversation: thread, Customer: true, Recipients: 0b010},
			head + `"type":{"value":"text"},"content":{"text":"a < b","redact":false},"conversation":{"id":"` + conversationID + `","account":{"address":"+1","channel":{"type":"sms"}},"entryPoint":{"id":"1001"},"lookupContact":"phone","language":"en-US","clientInfo":{"timeOffset":0},"customer":{"name":"Eva","type":"individual","contacts":{"contact":[{"type":"phone","address":"+2"}]}}},` +
				`"sender":{"type":"customer","participant":{"name":"Eva"}},"recipients":{"recipient":[{"type":"custom_bot","participant":{"id":"00000000-0000-0000-0000-000000000009","name":"Ada"}}]},"created":"2024-05-01T10:00:00.007Z"}`},
		{"to the customer", message(func(m *parley.Message) {
			m.Sender, m.To = parley.CustomBot, 0b1001 // and to a hook, of which nobody is told
			m.Body.Participant, m.Body.Name = bot, "Ada"
		}), View{Conversation: thread},
			head + `"type":{"value":"text"},"content":{"text":"a < b","redact":false},"conversation":{"id":"` + conversationID + `","account":{"address":"+1","channel":{"type":"sms"}},"entryPoint":{"id":"1001"},"lookupContact":"phone","language":"en-US"},` +
				`"sender":{"type":"custom_bot","participant":{"id":"00000000-0000-0000-0000-000000000009","name":"Ada"}},"recipients":{"recipient":[{"type":"customer"}]},"created":"2024-05-01T10:00:00.007Z"}`},
		{"attachments, parent, attributes", message(func(m *parley.Message) {
			m.Body.Content = nil
			m.Body.Attachments = []parley.Attachment{{Asset: parley.AssetID{15: 3}, Name: "a.png", ContentType: "image/png", Size: 10}, {URL: "https://x.example/b", Name: "b"}}
			m.Body.Parent = "p"
			m.Body.Attributes = []parley.Attribute{{Name: "in", Value: "1"}, {Name: "out", Value: "2", External: true}}
		}), View{AssetURL: func(id parley.AssetID) string { return "https://hub.example/" + id.String() }},
			head + `"type":{"value":"text"},"content":{"redact":false},"sender":{"type":"customer","participant":{"name":"customer"}},"attachments":{"attachment":[{"id":"00000000-0000-0000-0000-000000000003","name":"a.png","contentType":"image/png","size":10,"url":"https://hub.example/00000000-0000-0000-0000-000000000003"},{"name":"b","url":"https://x.example/b"}]},"parent":{"messageId":"p"},"attributes":{"attribute":[{"name":"out","value":"2","external":true}]},"created":"2024-05-01T10:00:00.007Z"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Append(nil, test.m, test.v)
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("Append: (-want +got)\n%s", diff)
			}
			if !json.Valid(got) {
				t.Error("Append: not JSON")
			}
		})
	}
}

func TestAppendEnvelope(t *testing.T) {
	m := message(nil)
	got := string(AppendEnvelope(nil, []parley.NameValue{{Name: "k", Value: "\""}}, View{}, m, m))
	one := string(Append(nil, m, View{}))
	if want := `{"metadata":{"attributes":[{"name":"k","value":"\""}]},"messages":{"message":[` + one + `,` + one + `]}}`; got != want {
		t.Errorf("AppendEnvelope = %s, want %s", got, want)
	}
	if got, want := string(AppendEnvelope(nil, nil, View{}, m)), `{"messages":{"message":[`+one+`]}}`; got != want {
		t.Errorf("AppendEnvelope without metadata = %s, want %s", got, want)
	}
}

func BenchmarkAppendEnvelope(b *testing.B) {
	m := message(nil)
	v := View{Conversation: thread, Customer: true, HTML: true}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEnvelope(buf[:0], nil, v, m)
	}
}
