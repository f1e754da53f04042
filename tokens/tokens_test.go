package tokens

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// A ledger is Records in memory.
type ledger struct {
	parley.Tx // what is not overridden is not called
	clients   map[parley.APIClientID]parley.APIClient
	keys      []parley.SigningKey
	down      bool
	reads     int
}

func (l *ledger) Update(ctx context.Context, fn func(parley.Tx) error) error { return l.View(ctx, fn) }

func (l *ledger) View(_ context.Context, fn func(parley.Tx) error) error {
	l.reads++
	if l.down {
		return errors.New("the store is down")
	}
	return fn(l)
}

func (l *ledger) Client(_ context.Context, id parley.APIClientID) (parley.APIClient, error) {
	if c, ok := l.clients[id]; ok {
		return c, nil
	}
	return parley.APIClient{}, &parley.Error{Kind: parley.NotFound}
}

func (l *ledger) ClientByPublicID(_ context.Context, id string) (parley.APIClient, error) {
	for _, c := range l.clients {
		if c.PublicID == id {
			return c, nil
		}
	}
	return parley.APIClient{}, &parley.Error{Kind: parley.NotFound}
}

func (l *ledger) SigningKeys(context.Context) ([]parley.SigningKey, error) {
	return slices.Clone(l.keys), nil
}

func (l *ledger) InsertSigningKey(_ context.Context, k parley.SigningKey) error {
	l.keys = append(l.keys, k)
	return nil
}

func (l *ledger) DeleteSigningKey(_ context.Context, id string) error {
	l.keys = slices.DeleteFunc(l.keys, func(k parley.SigningKey) bool { return k.ID == id })
	return nil
}

// A bench is Tokens on a ledger with one client and a clock that the test moves.
type bench struct {
	*Tokens
	ledger *ledger
	client parley.APIClient
	now    time.Time
}

const issuer = "https://hub.example"

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.client = parley.APIClient{ID: parley.APIClientID{15: 1}, PublicID: "crm", Tenant: parley.TenantID{15: 7}, SecretHash: HashSecret("s3cret"),
		Scopes: []string{parley.ScopeRead, parley.ScopeManage}, Application: parley.ApplicationID{15: 3}, Roles: []parley.Role{parley.CustomBot}}
	b.ledger = &ledger{clients: map[parley.APIClientID]parley.APIClient{b.client.ID: b.client}}
	b.Tokens = New(Config{Issuer: issuer, Now: func() time.Time { return b.now }}, b.ledger)
	return b
}

func (b *bench) issue(t *testing.T, scopes ...string) string {
	t.Helper()
	token, _, err := b.Issue(t.Context(), &b.client, scopes)
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return token
}

func wantRefused(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || parley.KindOf(err) != parley.Unauthenticated {
		t.Errorf("%s: got %v, want Unauthenticated", what, err)
	}
}

func TestTokenTellsWhatItsClientMayDo(t *testing.T) {
	b := newBench(t)
	got, err := b.Verify(t.Context(), b.issue(t, parley.ScopeRead))
	want := Grant{Tenant: b.client.Tenant, Client: b.client.ID, Scopes: []string{parley.ScopeRead}, Expires: b.now.Add(time.Hour),
		Speaker: parley.Speaker{Tenant: b.client.Tenant, Application: b.client.Application, Roles: b.client.Roles}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Verify: %v (-want +got)\n%s", err, diff)
	}
}

func TestTokenExpires(t *testing.T) {
	b := newBench(t)
	token := b.issue(t)
	b.now = b.now.Add(time.Hour - time.Second)
	if _, err := b.Verify(t.Context(), token); err != nil {
		t.Fatalf("a second before the end: %v", err)
	}
	b.now = b.now.Add(time.Second + leeway)
	_, err := b.Verify(t.Context(), token) // its signature is remembered as good
	wantRefused(t, "after the end", err)
	_, err = New(Config{Issuer: issuer, Now: func() time.Time { return b.now }}, b.ledger).Verify(t.Context(), token)
	wantRefused(t, "after the end, on another node", err)
}

func TestRevokedClientIsRefusedWithinSeconds(t *testing.T) {
	b := newBench(t)
	token := b.issue(t)
	if _, err := b.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	revoked := b.client
	revoked.Revoked = b.now
	b.ledger.clients[b.client.ID] = revoked
	b.now = b.now.Add(clientTTL)
	_, err := b.Verify(t.Context(), token)
	wantRefused(t, "5 s after revocation", err)

	b.ledger.clients[b.client.ID] = b.client
	b.Forget(b.client.ID)
	if _, err := b.Verify(t.Context(), token); err != nil {
		t.Errorf("after Forget the record was not read again: %v", err)
	}
}

func TestScopeTakenFromClientIsTakenFromItsTokens(t *testing.T) {
	b := newBench(t)
	token := b.issue(t, parley.ScopeRead, parley.ScopeManage)
	less := b.client
	less.Scopes = []string{parley.ScopeRead}
	b.ledger.clients[b.client.ID] = less
	got, err := b.Verify(t.Context(), token)
	if diff := cmp.Diff([]string{parley.ScopeRead}, got.Scopes); diff != "" || err != nil {
		t.Errorf("Verify: %v %s", err, diff)
	}
}

func TestStoreFailureIsNotTheBearersFault(t *testing.T) {
	b := newBench(t)
	token := b.issue(t)
	b.now = b.now.Add(2 * keyRefresh)
	b.ledger.down = true
	if _, err := b.Verify(t.Context(), token); parley.KindOf(err) != parley.Internal {
		t.Errorf("Verify with the store down = %v, want Internal", err)
	}
}

func TestKeysRotate(t *testing.T) {
	b := newBench(t)
	first := b.issue(t)
	old := b.ledger.keys[0].ID
	b.now = b.now.Add(keyLife + time.Second)
	b.issue(t)
	if len(b.ledger.keys) != 2 {
		t.Fatalf("%d keys after 30 days, want 2", len(b.ledger.keys))
	}
	if set, err := b.KeySet(t.Context()); err != nil || len(set.Keys) != 2 || !set.Keys[0].IsPublic() {
		t.Fatalf("KeySet = %d keys, %v; want both, and public", len(set.Keys), err)
	}
	kid := func(token string) string {
		for _, k := range b.ledger.keys {
			if strings.Contains(decode(t, token, 0), k.ID) {
				return k.ID
			}
		}
		return ""
	}
	if kid(first) != old || kid(b.issue(t)) != old {
		t.Error("a new key signs before the other nodes can know it")
	}
	b.now = b.now.Add(keyRest)
	fresh := b.issue(t)
	if kid(fresh) == old {
		t.Error("the old key still signs")
	}
	if _, err := b.Verify(t.Context(), fresh); err != nil {
		t.Error(err)
	}
	b.now = b.now.Add(keyLife + time.Hour + renewable) // the third is made, the first has no good token left
	b.issue(t)
	for _, k := range b.ledger.keys {
		if k.ID == old {
			t.Error("the first key was kept for ever")
		}
	}
}

// A token that another node signed with a key made a moment ago is good here at once.
func TestKeyOfAnotherNodeIsFound(t *testing.T) {
	b := newBench(t)
	elsewhere := New(Config{Issuer: issuer, Now: func() time.Time { return b.now }}, b.ledger)
	_, err := b.Verify(t.Context(), "e30.e30.e30") // b has read the keys: there are none
	wantRefused(t, "empty token", err)
	token, _, err := elsewhere.Issue(t.Context(), &b.client, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(keyReload)
	if _, err := b.Verify(t.Context(), token); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

// Strangers who make up key ids cannot make us read the store for each.
func TestUnknownKeysDoNotLoadTheStore(t *testing.T) {
	b := newBench(t)
	token := b.issue(t)
	forged := strings.Replace(decode(t, token, 0), b.ledger.keys[0].ID, "made-up", 1)
	before := b.ledger.reads
	for range 100 {
		_, err := b.Verify(t.Context(), encode(forged)+token[strings.IndexByte(token, '.'):])
		wantRefused(t, "made-up kid", err)
	}
	if reads := b.ledger.reads - before; reads > 2 {
		t.Errorf("%d reads for 100 made-up kids", reads)
	}
}

func TestGranted(t *testing.T) {
	client := &parley.APIClient{Scopes: []string{"a", "b"}}
	for request, want := range map[string][]string{
		"": {"a", "b"}, "  ": {"a", "b"}, "https://hub.example/.default": {"a", "b"}, "a": {"a"}, "b  a b": {"b", "a"}, "a api://x/.default": {"a", "b"},
	} {
		got, err := Granted(client, request)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Granted(%q): %v %s", request, err, diff)
		}
	}
	if _, err := Granted(client, "a c"); parley.KindOf(err) != parley.Invalid {
		t.Errorf("Granted of a scope the client lacks = %v, want Invalid", err)
	}
}

func TestAuthenticate(t *testing.T) {
	b := newBench(t)
	if c, err := b.Authenticate(t.Context(), "crm", "s3cret"); err != nil || c.ID != b.client.ID {
		t.Errorf("Authenticate = %v, %v", c.ID, err)
	}
	for _, try := range [][2]string{{"crm", "S3cret"}, {"crm", ""}, {"cms", "s3cret"}, {"", ""}} {
		_, err := b.Authenticate(t.Context(), try[0], try[1])
		wantRefused(t, try[0]+" "+try[1], err)
	}
	revoked := b.client
	revoked.Revoked = b.now
	b.ledger.clients[b.client.ID] = revoked
	_, err := b.Authenticate(t.Context(), "crm", "s3cret")
	wantRefused(t, "revoked", err)
}

func TestSecrets(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if a == b || len(a) != 43 {
		t.Errorf("NewSecret = %q, %q", a, b)
	}
	if !SecretMatches(HashSecret(a), a) || SecretMatches(HashSecret(a), b) || SecretMatches(nil, "") {
		t.Error("SecretMatches does not tell secrets apart")
	}
	for range 2000 { // each 64th would
		if s := NewSecret(); s[0] == '-' {
			t.Fatalf("%q would be taken for an option", s)
		}
	}
}

func TestCustomerComesBackAsTheSame(t *testing.T) {
	b := newBench(t)
	token, expires, err := b.IssueCustomer(t.Context(), parley.DefaultTenant, parley.AccountID{15: 4}, "visitor-1", "Eva")
	if err != nil || !expires.Equal(b.now.Add(time.Hour)) {
		t.Fatalf("IssueCustomer: %v, %v", expires, err)
	}
	got, err := b.VerifySession(t.Context(), token)
	want := Grant{Tenant: parley.DefaultTenant, Name: "Eva", Expires: expires, Speaker: parley.Speaker{Tenant: parley.DefaultTenant,
		Application: parley.WidgetApplication, Roles: []parley.Role{parley.Customer}, Contact: "visitor-1", Account: parley.AccountID{15: 4}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("VerifySession: %v (-want +got)\n%s", err, diff)
	}
	b.now = b.now.Add(24 * time.Hour)
	_, err = b.VerifySession(t.Context(), token)
	wantRefused(t, "the next day", err)
	if again, err := b.VerifyRenewal(t.Context(), token); err != nil || again.Speaker.Contact != "visitor-1" {
		t.Errorf("VerifyRenewal the next day = %+v, %v", again, err)
	}
	b.now = b.now.Add(renewable)
	_, err = b.VerifyRenewal(t.Context(), token)
	wantRefused(t, "a month later", err)
}
