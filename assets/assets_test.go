package assets_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"parley"
	"parley/assets"
	"parley/ident"
	"parley/store"
	"parley/store/blob"
	"parley/store/storetest"
	"parley/tokens"
)

// A shelf is files on a real store and directory, with a clock that the test moves.
type shelf struct {
	*assets.Assets
	t     *testing.T
	store *store.Store
	now   time.Time
}

func open(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{t: t, store: storetest.Open(t), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return s.now }
	bucket, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })
	s.Assets = assets.New(assets.Config{URL: "https://hub.example/assets", Now: clock}, s.store, bucket, tokens.New(tokens.Config{Issuer: "x", Now: clock}, s.store))
	s.channel("plain", nil)
	return s
}

func (s *shelf) channel(kind string, r *parley.Restrictions) {
	s.t.Helper()
	c := parley.Channel{ID: ident.New[parley.Channel](), Base: parley.Base{Tenant: parley.DefaultTenant, Active: true, Created: s.now, Modified: s.now}, Type: kind, Restrictions: r}
	if err := s.store.Update(s.t.Context(), func(tx parley.Tx) error { return tx.Channels().Insert(s.t.Context(), &c, nil) }); err != nil {
		s.t.Fatal(err)
	}
}

// announce makes a file of n bytes and returns the signature to upload it with.
func (s *shelf) announce(name string, n int64) (parley.AssetID, string) {
	s.t.Helper()
	a, signed, err := s.Announce(s.t.Context(), parley.Asset{Tenant: parley.DefaultTenant, ChannelType: "plain", Sender: parley.Customer, Name: name, Size: n})
	if err != nil {
		s.t.Fatalf("Announce: %v", err)
	}
	if want := "https://hub.example/assets/upload?signature="; !strings.HasPrefix(signed.URL, want) || !signed.Expires.Equal(s.now.Add(5*time.Minute)) {
		s.t.Errorf("Announce signed %s until %v", signed.URL, signed.Expires)
	}
	return a.ID, signature(s.t, signed.URL)
}

func signature(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("signature")
}

func wantReason(t *testing.T, what string, err error, kind parley.Kind, reason parley.Reason) {
	t.Helper()
	if err == nil || parley.KindOf(err) != kind || parley.ReasonOf(err) != reason {
		t.Errorf("%s: %v, want %v with reason %d", what, err, kind, reason)
	}
}

func TestFileGoesThereAndBack(t *testing.T) {
	s, ctx := open(t), t.Context()
	id, up := s.announce("photo.PNG", 5)
	_, _, err := s.Find(ctx, parley.DefaultTenant, id)
	wantReason(t, "Find before the upload", err, parley.NotFound, parley.Unspecified)
	if got, err := s.Receive(ctx, up, "image/png", strings.NewReader("bytes")); err != nil || got != id {
		t.Fatalf("Receive = %v, %v", got, err)
	}
	a, signed, err := s.Find(ctx, parley.DefaultTenant, id)
	if err != nil || a.Name != "photo.PNG" || a.Size != 5 || a.ContentType != "image/png" {
		t.Fatalf("Find = %+v, %v", a, err)
	}
	for range 2 { // any number of times
		_, r, err := s.Open(ctx, signature(t, signed.URL))
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "bytes" {
			t.Errorf("read %q, %v", got, err)
		}
		r.Close()
	}
	_, err = s.Receive(ctx, up, "image/png", strings.NewReader("other"))
	wantReason(t, "second upload", err, parley.Invalid, parley.BadAsset)
	_, _, err = s.Open(ctx, up)
	wantReason(t, "download with the upload's signature", err, parley.Forbidden, parley.BadSignature)
	_, err = s.Receive(ctx, signature(t, signed.URL), "image/png", strings.NewReader("other"))
	wantReason(t, "upload with the download's signature", err, parley.Forbidden, parley.BadSignature)
	s.now = s.now.Add(6 * time.Minute)
	_, _, err = s.Open(ctx, signature(t, signed.URL))
	wantReason(t, "download after 6 minutes", err, parley.Forbidden, parley.BadSignature)
	_, _, err = s.Find(ctx, ident.New[parley.Tenant](), id)
	wantReason(t, "Find by another tenant", err, parley.NotFound, parley.Unspecified)
}

// What does not match its announcement leaves nothing behind, and the upload may be tried again.
func TestUploadMustBeAsAnnounced(t *testing.T) {
	s, ctx := open(t), t.Context()
	id, up := s.announce("photo.png", 5)
	for what, try := range map[string]struct {
		media string
		body  io.Reader
	}{
		"larger":     {"image/png", strings.NewReader("bytes!")},
		"smaller":    {"image/png", strings.NewReader("byte")},
		"empty":      {"image/png", strings.NewReader("")},
		"other type": {"text/html", strings.NewReader("bytes")},
		"no type":    {"/", strings.NewReader("bytes")},
		"broken":     {"image/png", io.MultiReader(strings.NewReader("byt"), iotest.ErrReader(errors.New("gone")))},
		"no part":    {"multipart/form-data; boundary=x", strings.NewReader("bytes")},
	} {
		_, err := s.Receive(ctx, up, try.media, try.body)
		wantReason(t, what, err, parley.Invalid, parley.BadAsset)
	}
	if _, _, err := s.Find(ctx, parley.DefaultTenant, id); parley.KindOf(err) != parley.NotFound {
		t.Errorf("after failed uploads Find = %v", err)
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="f"; filename="x"`}, "Content-Type": {"image/png"}})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(part, "bytes")
	w.Close()
	if _, err := s.Receive(ctx, up, w.FormDataContentType(), &form); err != nil {
		t.Errorf("as a form: %v", err)
	}
}

// An endless upload is read no further than announced.
func TestEndlessUploadIsCut(t *testing.T) {
	s := open(t)
	_, up := s.announce("a.bin", 1000)
	endless := &counter{}
	_, err := s.Receive(t.Context(), up, "", endless)
	wantReason(t, "endless", err, parley.Invalid, parley.BadAsset)
	if endless.n > 1001 {
		t.Errorf("%d bytes were read", endless.n)
	}
}

type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) { c.n += len(p); return len(p), nil }

func TestChannelDecidesWhatMayPass(t *testing.T) {
	s := open(t)
	s.channel("strict", &parley.Restrictions{
		Inbound:  &parley.Restriction{Attachments: &parley.AttachmentPolicy{Enabled: true, MaxSize: 10, Allow: true, Extensions: []string{"png"}}},
		Outbound: &parley.OutboundRestriction{Restriction: parley.Restriction{Features: []parley.Feature{parley.FeatureTyping}}},
	})
	s.channel("blocked", &parley.Restrictions{Inbound: &parley.Restriction{Attachments: &parley.AttachmentPolicy{Enabled: true, Extensions: []string{"EXE"}}}})
	s.channel("off", &parley.Restrictions{Inbound: &parley.Restriction{Attachments: &parley.AttachmentPolicy{}}})
	for _, test := range []struct {
		channel string
		sender  parley.Role
		name    string
		size    int64
		want    parley.Reason
	}{
		{"strict", parley.Customer, "a.PNG", 10, parley.Unspecified},
		{"strict", parley.Customer, "a.png", 11, parley.AttachmentTooLarge},
		{"strict", parley.Customer, "a.pdf", 1, parley.AttachmentRefused},
		{"strict", parley.Customer, "png", 1, parley.AttachmentRefused},
		{"strict", parley.CustomBot, "a.png", 1, parley.AttachmentRefused},
		{"blocked", parley.Customer, "a.exe", 1, parley.AttachmentRefused},
		{"blocked", parley.Customer, "a.png", 1, parley.Unspecified},
		{"blocked", parley.CustomAgent, "a.exe", 1, parley.Unspecified},
		{"off", parley.Customer, "a.png", 1, parley.AttachmentRefused},
		{"unknown", parley.Customer, "a.png", 1, parley.BadReference},
	} {
		_, _, err := s.Announce(t.Context(), parley.Asset{Tenant: parley.DefaultTenant, ChannelType: test.channel, Sender: test.sender, Name: test.name, Size: test.size})
		if parley.ReasonOf(err) != test.want || (test.want == parley.Unspecified) != (err == nil) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestUnusedFilesGoAfterADay(t *testing.T) {
	s, ctx := open(t), t.Context()
	old, up := s.announce("old.txt", 3)
	if _, err := s.Receive(ctx, up, "text/plain", strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Find(ctx, parley.DefaultTenant, old)
	if err != nil {
		t.Fatal(err)
	}
	used := parley.Asset{ID: ident.New[parley.Asset](), Tenant: parley.DefaultTenant, Uploaded: true, Used: true, Created: s.now}
	if err := s.store.Update(ctx, func(tx parley.Tx) error { return tx.InsertAsset(ctx, used) }); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Hour)
	_, _ = s.announce("young.txt", 3)
	s.now = s.now.Add(23*time.Hour + time.Second)
	if n, err := s.Sweep(ctx); err != nil || n != 1 {
		t.Errorf("Sweep = %d, %v; want the old one", n, err)
	}
	if n, err := s.Sweep(ctx); err != nil || n != 0 {
		t.Errorf("Sweep again = %d, %v", n, err)
	}
	if _, _, err := s.Find(ctx, parley.DefaultTenant, old); parley.KindOf(err) != parley.NotFound {
		t.Errorf("Find of a swept file = %v", err)
	}
	if _, _, err := s.Find(ctx, parley.DefaultTenant, used.ID); err != nil {
		t.Errorf("the used file went too: %v", err)
	}
	if err := s.Delete(ctx, parley.DefaultTenant, used.ID); parley.ReasonOf(err) != parley.AssetInUse {
		t.Errorf("Delete of a used file = %v", err)
	}
}

// Run ends with its context.
func TestRunStops(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
}
