package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"parley"
	"parley/bots"
	"parley/ident"
)

const planted = "sk-planted"

// asked is a turn with nothing said before.
func asked(text string) *bots.Turn {
	return &bots.Turn{Conversation: ident.New[parley.Conversation](), Seq: 9, Text: text,
		History: func(context.Context, int) ([]parley.Message, error) { return nil, nil }}
}

// serve is an endpoint.
func serve(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// A sent is a request that an endpoint got.
type sent struct {
	*http.Request
	body map[string]any
}

// recording is an endpoint that tells what it was asked, and answers by another.
func recording(t testing.TB, next http.HandlerFunc) (url string, requests chan sent) {
	t.Helper()
	requests = make(chan sent, 10)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		s := sent{Request: r}
		if err := json.Unmarshal(raw, &s.body); err != nil {
			t.Errorf("the request is no JSON: %v", err)
		}
		requests <- s
		next(w, r)
	}), requests
}

// streaming answers with a stream of chunks.
func streaming(chunks ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, c := range chunks {
			fmt.Fprintf(w, "data: %s\n\n", c)
			w.(http.Flusher).Flush()
		}
	}
}

func answering(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// say, ends and counted are the chunks of a stream.
func say(text string) string { return delta(map[string]any{"content": text}) }

func delta(d map[string]any) string {
	raw, _ := json.Marshal(map[string]any{"id": "c", "object": "chat.completion.chunk", "choices": []any{map[string]any{"index": 0, "delta": d}}})
	return string(raw)
}

func toolCall(index int, id, name, arguments string) string {
	f := map[string]any{"arguments": arguments}
	c := map[string]any{"index": index, "function": f}
	if name != "" {
		f["name"] = name
	}
	if id != "" {
		c["id"], c["type"] = id, "function"
	}
	return delta(map[string]any{"tool_calls": []any{c}})
}

func ends(why string) string {
	return `{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"` + why + `"}]}`
}

func counted(prompt, completion int) string {
	return fmt.Sprintf(`{"id":"c","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":0}}`, prompt, completion)
}

const done = "[DONE]"

func settings(url string) parley.BotSettings {
	return parley.BotSettings{URL: url + "/v1", Model: parley.ModelSettings{Name: "m", Key: planted}}
}

func bot(url string) *Bot { return New(Config{Client: http.DefaultClient, Settings: settings(url)}) }
