package store_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// update runs fn in a transaction that must succeed.
func update(t *testing.T, s *store.Store, fn func(parley.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func base(name string, created time.Time) parley.Base {
	return parley.Base{Tenant: parley.DefaultTenant, Name: name, Active: true, Created: created, Modified: created}
}

func TestObjectsAreKeptWhole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		want := parley.Authentication{ID: ident.New[parley.Authentication](), Base: base("crm", noon), OAuth2: &parley.TokenRecipe{
			URL: "https://id.example/token", Method: "POST", Headers: []parley.NameValue{{Name: "a", Value: "b"}}, Payload: "secret", TokenPath: "$.t"}}
		want.Description = "d"
		update(t, s, func(tx parley.Tx) error { return tx.Authentications().Insert(ctx, &want, nil) })
		var got parley.Authentication
		find := func(tx parley.Tx) (err error) {
			got, err = tx.Authentications().Find(ctx, parley.DefaultTenant, want.ID)
			return err
		}
		if err := s.View(ctx, find); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Find after Insert (-want +got)\n%s", diff)
		}

		changed := want
		changed.Name, changed.Active, changed.OAuth2, changed.Basic = "crm2", false, nil, &parley.BasicAuth{Username: "u", Password: "p"}
		changed.Created, changed.Modified = noon.Add(time.Hour), noon.Add(time.Hour)
		update(t, s, func(tx parley.Tx) error { return tx.Authentications().Replace(ctx, &changed, nil) })
		if err := s.View(ctx, find); err != nil {
			t.Fatal(err)
		}
		changed.Created = noon // is kept
		if diff := cmp.Diff(changed, got); diff != "" {
			t.Errorf("Find after Replace (-want +got)\n%s", diff)
		}
		update(t, s, func(tx parley.Tx) error { return tx.Authentications().Delete(ctx, parley.DefaultTenant, want.ID) })
		if err := s.View(ctx, find); parley.KindOf(err) != parley.NotFound {
			t.Errorf("Find after Delete = %v, want NotFound", err)
		}
	})
}

func TestNamesAreUniqueInATenant(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		other := newTenant(t, s)
		insert := func(name string, tenant parley.TenantID) error {
			a := parley.Authentication{ID: ident.New[parley.Authentication](), Base: base(name, noon), Basic: &parley.BasicAuth{}}
			a.Tenant = tenant
			return s.Update(ctx, func(tx parley.Tx) error { return tx.Authentications().Insert(ctx, &a, nil) })
		}
		if err := insert("crm", parley.DefaultTenant); err != nil {
			t.Fatal(err)
		}
		if err := insert("crm", parley.DefaultTenant); parley.ReasonOf(err) != parley.NameTaken {
			t.Errorf("second crm: %v, want NameTaken", err)
		}
		if err := insert("CRM", parley.DefaultTenant); err != nil {
			t.Errorf("names are compared exactly (reference 1.7): %v", err)
		}
		if err := insert("crm", other); err != nil {
			t.Errorf("crm of another tenant: %v", err)
		}
		orchestration := func() error {
			o := parley.Orchestration{ID: ident.New[parley.Orchestration](), Base: base("main", noon)}
			return s.Update(ctx, func(tx parley.Tx) error { return tx.Orchestrations().Insert(ctx, &o, nil) })
		}
		if err := orchestration(); err != nil {
			t.Fatal(err)
		}
		if err := orchestration(); err != nil {
			t.Errorf("second orchestration of the same name: %v", err)
		}
	})
}

func TestWhatIsReferredToStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		auth := parley.Authentication{ID: ident.New[parley.Authentication](), Base: base("crm", noon), Basic: &parley.BasicAuth{}}
		app := parley.ClientApplication{ID: ident.New[parley.ClientApplication](), Base: base("bot", noon)}
		refers := []parley.Reference{{Kind: parley.KindAuthentication, ID: auth.ID}, {Kind: parley.KindAuthentication, ID: auth.ID}}
		update(t, s, func(tx parley.Tx) error {
			if err := tx.Authentications().Insert(ctx, &auth, nil); err != nil {
				return err
			}
			return tx.Applications().Insert(ctx, &app, refers)
		})
		var users []parley.Reference
		remove := func() error {
			return s.Update(ctx, func(tx parley.Tx) (err error) {
				if users, err = tx.Authentications().Users(ctx, parley.DefaultTenant, auth.ID); err != nil {
					return err
				}
				return tx.Authentications().Delete(ctx, parley.DefaultTenant, auth.ID)
			})
		}
		if err := remove(); parley.ReasonOf(err) != parley.InUse {
			t.Errorf("Delete while in use = %v, want InUse", err)
		}
		if diff := cmp.Diff([]parley.Reference{{Kind: parley.KindApplication, ID: app.ID}}, users); diff != "" {
			t.Errorf("Users: %s", diff)
		}
		update(t, s, func(tx parley.Tx) error { return tx.Applications().Replace(ctx, &app, nil) })
		if err := remove(); err != nil || len(users) != 0 {
			t.Errorf("Delete after the reference went = %v, users %v", err, users)
		}
		err := s.Update(ctx, func(tx parley.Tx) error { return tx.Applications().Replace(ctx, &app, refers) })
		if parley.ReasonOf(err) != parley.BadReference {
			t.Errorf("reference to what is gone = %v, want BadReference", err)
		}
	})
}

func TestListIsInOrderOfCreation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		for i, name := range []string{"c", "a", "b"} {
			p := parley.Participant{ID: ident.New[parley.Participant](), Base: base(name, noon.Add(-time.Duration(i)*time.Hour)), Type: parley.CustomBot}
			update(t, s, func(tx parley.Tx) error { return tx.Participants().Insert(ctx, &p, nil) })
		}
		err := s.View(ctx, func(tx parley.Tx) error {
			for offset, want := range []string{"b", "a", "c"} {
				page, count, err := tx.Participants().List(ctx, parley.DefaultTenant, offset, 1)
				if err != nil || count != 3 || len(page) != 1 || page[0].Name != want {
					t.Errorf("List(%d, 1) = %v of %d, %v; want %s of 3", offset, page, count, err, want)
				}
			}
			page, count, err := tx.Participants().List(ctx, parley.DefaultTenant, 3, 10)
			if err != nil || count != 3 || page == nil || len(page) != 0 {
				t.Errorf("List past the end = %v of %d, %v", page, count, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// With several accounts on one address the earliest active one has the traffic (reference section 7).
func TestAccountByAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		sms := parley.Channel{ID: ident.New[parley.Channel](), Base: base("", noon), Type: "sms"}
		update(t, s, func(tx parley.Tx) error { return tx.Channels().Insert(ctx, &sms, nil) })
		account := func(name string, age time.Duration, active bool) parley.Account {
			a := parley.Account{ID: ident.New[parley.Account](), Base: base(name, noon.Add(-age)), Address: "+1", Channel: sms.ID}
			a.Active = active
			update(t, s, func(tx parley.Tx) error {
				return tx.Accounts().Insert(ctx, &a, []parley.Reference{{Kind: parley.KindChannel, ID: sms.ID}})
			})
			return a
		}
		account("young", 0, true)
		second := account("second", time.Hour, true)
		oldest := account("off", 2*time.Hour, false)
		got := func(channel, address string) string {
			var a parley.Account
			err := s.View(ctx, func(tx parley.Tx) (err error) {
				a, err = tx.AccountByAddress(ctx, parley.DefaultTenant, channel, address)
				return err
			})
			if err != nil && parley.KindOf(err) != parley.NotFound {
				t.Fatal(err)
			}
			return a.Name
		}
		if name := got("sms", "+1"); name != "second" {
			t.Errorf("found %q, want the earliest active one", name)
		}
		second.Active, oldest.Active = false, true
		update(t, s, func(tx parley.Tx) error {
			if err := tx.Accounts().Replace(ctx, &second, []parley.Reference{{Kind: parley.KindChannel, ID: sms.ID}}); err != nil {
				return err
			}
			return tx.Accounts().Replace(ctx, &oldest, []parley.Reference{{Kind: parley.KindChannel, ID: sms.ID}})
		})
		if name := got("sms", "+1"); name != "off" {
			t.Errorf("found %q after the switch", name)
		}
		if a, b := got("sms", "+2"), got("mail", "+1"); a != "" || b != "" {
			t.Errorf("other address %q, other channel %q", a, b)
		}
		sms.Active = false
		update(t, s, func(tx parley.Tx) error { return tx.Channels().Replace(ctx, &sms, nil) })
		if name := got("sms", "+1"); name != "" {
			t.Errorf("found %q on a channel that is switched off", name)
		}
	})
}

func TestClients(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		want := parley.APIClient{ID: ident.New[parley.APIClient](), PublicID: "crm", Tenant: parley.DefaultTenant, Name: "CRM", SecretHash: []byte{1, 2},
			Scopes: []string{"a"}, Application: parley.WidgetApplication, Roles: []parley.Role{parley.Customer}, Created: noon, Modified: noon}
		update(t, s, func(tx parley.Tx) error { return tx.InsertClient(ctx, want) })
		again := want
		again.ID = ident.New[parley.APIClient]()
		if err := s.Update(ctx, func(tx parley.Tx) error { return tx.InsertClient(ctx, again) }); parley.ReasonOf(err) != parley.NameTaken {
			t.Errorf("second client of one public id: %v, want NameTaken", err)
		}
		want.Application, want.Roles, want.Revoked = parley.ApplicationID{}, nil, noon.Add(time.Hour)
		update(t, s, func(tx parley.Tx) error { return tx.ReplaceClient(ctx, want) })
		err := s.View(ctx, func(tx parley.Tx) error {
			byID, err := tx.Client(ctx, want.ID)
			if diff := cmp.Diff(want, byID); diff != "" {
				t.Errorf("Client (-want +got)\n%s", diff)
			}
			if err != nil {
				return err
			}
			byName, err := tx.ClientByPublicID(ctx, "crm")
			if byName.ID != want.ID {
				t.Errorf("ClientByPublicID = %v", byName.ID)
			}
			if err != nil {
				return err
			}
			page, count, err := tx.Clients(ctx, parley.ClientQuery{Tenant: parley.DefaultTenant, Limit: 10})
			if len(page) != 0 || count != 0 { // it was revoked
				t.Errorf("Clients = %d of %d", len(page), count)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}

		// A key is a client of a kind, and found among its like only.
		key := parley.APIClient{ID: ident.New[parley.APIClient](), PublicID: "key", Tenant: parley.DefaultTenant, SecretHash: []byte{1}, Kind: parley.KeyBroker, Shown: "planted secret",
			Scopes: []string{"a"}, Expires: noon.Add(time.Hour), Created: noon, Modified: noon}
		update(t, s, func(tx parley.Tx) error { return tx.InsertClient(ctx, key) })
		key.Expires = noon.Add(2 * time.Hour)
		update(t, s, func(tx parley.Tx) error { return tx.ReplaceClient(ctx, key) })
		err = s.View(ctx, func(tx parley.Tx) error {
			clients, count, err := tx.Clients(ctx, parley.ClientQuery{Tenant: parley.DefaultTenant, Limit: 10})
			if err != nil || len(clients) != 0 || count != 0 {
				t.Errorf("Clients with a key = %d of %d, %v", len(clients), count, err)
			}
			keys, count, err := tx.Clients(ctx, parley.ClientQuery{Tenant: parley.DefaultTenant, Kinds: parley.KeyKinds(), Limit: 10})
			if diff := cmp.Diff([]parley.APIClient{key}, keys); diff != "" || count != 1 {
				t.Errorf("Clients of a kind (-want +got), %d in all\n%s", count, diff)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestAssetIsUploadedOnceAndStaysWhileUsed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		a := parley.Asset{ID: ident.New[parley.Asset](), Tenant: parley.DefaultTenant, ChannelType: "sms", Sender: parley.Customer, Name: "a.png", Size: 3, ContentType: "image/png", Created: noon}
		update(t, s, func(tx parley.Tx) error { return tx.InsertAsset(ctx, a) })
		mark := func(tenant parley.TenantID) error {
			return s.Update(ctx, func(tx parley.Tx) error { return tx.MarkUploaded(ctx, tenant, a.ID, 7) })
		}
		other := newTenant(t, s)
		if err := mark(other); parley.KindOf(err) != parley.NotFound {
			t.Errorf("MarkUploaded by another tenant = %v, want NotFound", err)
		}
		if err := mark(parley.DefaultTenant); err != nil {
			t.Errorf("MarkUploaded = %v", err)
		}
		if err := mark(parley.DefaultTenant); parley.ReasonOf(err) != parley.BadAsset {
			t.Errorf("MarkUploaded again = %v, want BadAsset", err)
		}
		err := s.View(ctx, func(tx parley.Tx) error {
			unused, err := tx.UnusedAssets(ctx, noon.Add(time.Second), 10)
			if len(unused) != 1 || !unused[0].Uploaded {
				t.Errorf("UnusedAssets = %+v", unused)
			}
			if err != nil {
				return err
			}
			young, err := tx.UnusedAssets(ctx, noon, 10)
			if len(young) != 0 {
				t.Errorf("UnusedAssets before it was made = %+v", young)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		remove := func(tenant parley.TenantID) error {
			return s.Update(ctx, func(tx parley.Tx) error { return tx.DeleteAsset(ctx, tenant, a.ID) })
		}
		if err := remove(other); parley.KindOf(err) != parley.NotFound {
			t.Errorf("DeleteAsset by another tenant = %v, want NotFound", err)
		}
		used := ident.New[parley.Asset]()
		b := a
		b.ID, b.Used = used, true
		update(t, s, func(tx parley.Tx) error { return tx.InsertAsset(ctx, b) })
		if err := s.Update(ctx, func(tx parley.Tx) error { return tx.DeleteAsset(ctx, parley.DefaultTenant, used) }); parley.ReasonOf(err) != parley.AssetInUse {
			t.Errorf("DeleteAsset of a used one = %v, want AssetInUse", err)
		}
		if err := remove(parley.DefaultTenant); err != nil {
			t.Errorf("DeleteAsset = %v", err)
		}
	})
}

// Updates that meet are run again until each is true on top of the others: none is lost.
func TestUpdatesThatMeetAreAllKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		id := newTenant(t, s)
		meet := strings.HasSuffix(t.Name(), "/postgres") // SQLite lets one writer in at a time
		const writers = 4
		var ready, all sync.WaitGroup
		ready.Add(writers)
		var runs atomic.Int64
		for range writers {
			all.Go(func() {
				first := true
				err := s.Update(ctx, func(tx parley.Tx) error {
					runs.Add(1)
					tenant, err := tx.Tenant(ctx, id)
					if err != nil {
						return err
					}
					if meet && first {
						first = false
						ready.Done() // everybody has read before anybody writes
						ready.Wait()
					}
					tenant.Name += "x"
					return tx.ReplaceTenant(ctx, tenant)
				})
				if err != nil {
					t.Errorf("Update = %v", err)
				}
			})
		}
		all.Wait()
		err := s.View(ctx, func(tx parley.Tx) error {
			tenant, err := tx.Tenant(ctx, id)
			if want := "other" + strings.Repeat("x", writers); tenant.Name != want {
				t.Errorf("after %d updates the name is %q", writers, tenant.Name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if meet && runs.Load() == writers {
			t.Error("no update was run again: the test shows nothing")
		}
	})
}

// What cannot have been stored is not found, and no fault of ours, on either database.
func TestUnstorableNamesAreUnknown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		for _, name := range []string{"a\x00b", "a\xff"} {
			for what, look := range map[string]func(parley.Tx) error{
				"client":  func(tx parley.Tx) error { _, err := tx.ClientByPublicID(ctx, name); return err },
				"channel": func(tx parley.Tx) error { _, err := tx.ChannelByType(ctx, parley.DefaultTenant, name); return err },
				"account": func(tx parley.Tx) error {
					_, err := tx.AccountByAddress(ctx, parley.DefaultTenant, "sms", name)
					return err
				},
			} {
				if err := s.View(ctx, look); parley.KindOf(err) != parley.NotFound {
					t.Errorf("%s %q: %v, want NotFound", what, name, err)
				}
			}
		}
	})
}
