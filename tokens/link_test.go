package tokens

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley"
)

func TestLinkIsGoodForOneThing(t *testing.T) {
	b := newBench(t)
	want := Link{Tenant: parley.TenantID{15: 7}, Asset: parley.AssetID{15: 9}, Method: "POST", Expires: b.now.Add(5 * time.Minute)}
	signature, err := b.SignLink(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if header := decode(t, signature, 0); !strings.Contains(header, `"HS256"`) {
		t.Errorf("header %s, want HS256 (reference section 8)", header)
	}
	got, err := b.VerifyLink(t.Context(), signature, "POST")
	if err != nil || got.Tenant != want.Tenant || got.Asset != want.Asset || !got.Expires.Equal(want.Expires) {
		t.Errorf("VerifyLink = %+v, %v; want %+v", got, err, want)
	}
	refused := func(what, signature, method string) {
		t.Helper()
		if _, err := b.VerifyLink(t.Context(), signature, method); parley.KindOf(err) != parley.Forbidden || parley.ReasonOf(err) != parley.BadSignature {
			t.Errorf("%s: %v, want BadSignature", what, err)
		}
	}
	refused("other method", signature, "GET")
	refused("nothing", "", "POST")
	refused("a token", b.issue(t), "POST")
	refused("changed", signature[:len(signature)-2]+"AA", "POST")
	refused("another file", forge(t, jwt.SigningMethodHS256, []byte("guess"), decode(t, signature, 0), strings.Replace(decode(t, signature, 1), "09", "08", 1)), "POST")
	refused("alg none", encode(`{"alg":"none"}`)+"."+encode(decode(t, signature, 1))+".", "POST")
	_, err = b.Verify(t.Context(), signature)
	wantRefused(t, "a link as token", err)
	b.now = b.now.Add(5*time.Minute + time.Second)
	refused("expired", signature, "POST")
}
