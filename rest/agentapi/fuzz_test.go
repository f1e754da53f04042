package agentapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"parley"
)

// Whatever is sent is read without a panic, and what is taken can be stored: no broken text, nothing beyond its limit.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `[]`, `{"channel":"email","firstName":"A","lastName":"B","email":"a@b","emailSubject":"s","emailIntroduction":"i","customData":{"a":[1e400]}}`,
		`{"message":"\ud800","files":[{"fileName":"a","storagePath":"b"},null]}`, `{"conversationStateId":"","title":"a\u0000","resetConversation":1}`, `{"headers":{"A":"b\r\n","a":"c"},"url":"x"}`, "{\"message\":\"\xff\"}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		read := func() *body {
			b, err := read(&request{Request: httptest.NewRequest(http.MethodPost, "/external", strings.NewReader(sent))})
			if err != nil {
				return nil
			}
			return b
		}
		sane := func(b *body, texts ...string) {
			if b.err() != nil {
				return
			}
			for _, text := range texts {
				if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || utf8.RuneCountInString(text) > maxContext {
					t.Errorf("%q is taken", text)
				}
			}
		}
		b := read()
		if b == nil {
			return
		}
		in := readBeginning(b)
		sane(b, in.introduction, in.about, in.user.FirstName, in.user.LastName, in.user.Email, in.user.Phone, in.user.ForeignID, in.user.Context, string(in.custom))
		b = read()
		sane(b, b.required("message", maxMessage), b.optional("context", maxContext), b.choice("mode", modeAI, modeManual))
		for _, file := range (&Surface{}).readFiles(b) {
			sane(b, file.name, file.path)
		}
		id[parley.AgentState](b, "conversationStateId")
		for _, h := range readHeaders(b) {
			sane(b, h.Name, h.Value)
		}
	})
}
