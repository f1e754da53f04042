package ws_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/tokens"
	"parley/ws"
)

// fatal makes the look at one token panic.
type fatal struct{ *site }

func (f fatal) VerifySession(ctx context.Context, token string) (tokens.Grant, error) {
	if token == "fatal" {
		panic("planted")
	}
	return f.site.VerifySession(ctx, token)
}

// A fault of ours that one client meets ends its session, with a code that lets it come back, and nobody else's.
func TestPanicEndsOneSession(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.Tokens = fatal{c.Tokens.(*site)} })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	bert, _ := s.connect("bert")
	bert.send(`{"id":"1","refresh":{"token":"fatal"}}`)
	if code := bert.closed(); code != 1011 {
		t.Errorf("the session ends with %d, want 1011", code)
	}
	stranger := s.dial(nil)
	stranger.send(`{"id":"1","connect":{"token":"fatal"}}`)
	if code := stranger.closed(); code != 1011 {
		t.Errorf("connect ends with %d, want 1011", code)
	}
	anna.ask("post", in(id, text("m2")))
	s.connect("bert")
}

// A message that cannot be shown ends the session to which it was to be; who comes back once it can be has it, and has lost nothing.
func TestPanicWhileAMessageIsShown(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	s := newSite(t, func(c *ws.Config) {
		c.AssetURL = func(parley.TenantID, parley.AssetID) string {
			if broken.Load() {
				panic("planted")
			}
			return "https://files.example.org/x"
		}
	})
	file := parley.Asset{ID: ident.New[parley.Asset](), Tenant: parley.DefaultTenant, ChannelType: "webchat", Sender: parley.Customer, Name: "x.png",
		ContentType: "image/png", Uploaded: true, Created: time.Now()}
	if err := s.store.Update(t.Context(), func(tx parley.Tx) error { return tx.InsertAsset(t.Context(), file) }); err != nil {
		t.Fatal(err)
	}
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	dana, _ := s.connect("dana")
	dana.ask("subscribe", map[string]any{"conversation": id, "after": 0})
	dana.message()

	pictured := text("m2")
	pictured["attachments"] = map[string]any{"attachment": []any{map[string]any{"id": file.ID}}}
	anna.ask("post", in(id, pictured)) // acknowledged: it is in the record
	if code := dana.closed(); code != 1011 {
		t.Errorf("the session ends with %d, want 1011", code)
	}
	again := s.dial(nil)
	at := map[string]any{"conversation": id, "after": 1}
	again.send(`{"id":"1","connect":{"token":"dana","resume":[{"conversation":"` + id.(string) + `","after":1}]}}`)
	if code := again.closed(); code != 1011 {
		t.Errorf("who resumes is ended with %d, want 1011", code)
	}
	anna.ask("post", in(id, text("m3")))

	broken.Store(false)
	back, _ := s.connect("dana", at)
	for _, want := range []string{"m2", "m3"} {
		if got := back.message(); got.Message.Content.Text != want {
			t.Errorf("who comes back is shown %q, want %q", got.Message.Content.Text, want)
		}
	}
}
