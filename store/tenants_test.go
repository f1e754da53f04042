package store_test

import (
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// newTenant makes a tenant beside the default one.
func newTenant(t *testing.T, s *store.Store) parley.TenantID {
	t.Helper()
	n := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "other", WidgetSecret: "w", Created: noon, Modified: noon}
	update(t, s, func(tx parley.Tx) error { return tx.InsertTenant(t.Context(), n) })
	return n.ID
}

func TestTenantsAreKeptWhole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		want := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "watched", RequireBearer: true, WidgetSecret: "w",
			Created: noon, Modified: noon, OperationsURL: "https://ops.example/", OperationsSecret: "whsec_c2VjcmV0"}
		check := func() {
			t.Helper()
			var got parley.Tenant
			if err := s.View(ctx, func(tx parley.Tx) (err error) {
				got, err = tx.Tenant(ctx, want.ID)
				return err
			}); err != nil || got != want {
				t.Errorf("the tenant is %+v, %v; want %+v", got, err, want)
			}
		}
		update(t, s, func(tx parley.Tx) error { return tx.InsertTenant(ctx, want) })
		check()
		want.OperationsURL, want.Modified = "", noon.Add(time.Hour) // its secret stays for another URL
		update(t, s, func(tx parley.Tx) error { return tx.ReplaceTenant(ctx, want) })
		check()
		want.OperationsSecret = ""
		update(t, s, func(tx parley.Tx) error { return tx.ReplaceTenant(ctx, want) })
		check()
	})
}

func TestBuiltInObjectsAreInEveryTenant(t *testing.T) {
	s := storetest.Open(t)
	for _, tenant := range []parley.TenantID{parley.DefaultTenant, newTenant(t, s)} {
		err := s.View(t.Context(), func(tx parley.Tx) error {
			widget, err := tx.Applications().Find(t.Context(), tenant, parley.WidgetApplication)
			if err != nil {
				return err
			}
			console, err := tx.Applications().Find(t.Context(), tenant, parley.ConsoleApplication)
			if err != nil {
				return err
			}
			channel, err := tx.ChannelByType(t.Context(), tenant, "web_chat")
			if _, ok := widget.Role(parley.Customer); !ok || !widget.BuiltIn || !console.BuiltIn || channel.ID != parley.WebChatChannel || !channel.BuiltIn {
				t.Errorf("tenant %s has %+v, %+v, %+v", tenant, widget, console, channel)
			}
			return err
		})
		if err != nil {
			t.Errorf("tenant %s: %v", tenant, err)
		}
	}
}

func TestTenantIsDeletedOnlyWhenEmpty(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, ctx := open(t), t.Context()
		tenant := newTenant(t, s)
		auth := parley.Authentication{ID: ident.New[parley.Authentication](), Base: base("crm", noon), Basic: &parley.BasicAuth{}}
		auth.Tenant = tenant
		update(t, s, func(tx parley.Tx) error { return tx.Authentications().Insert(ctx, &auth, nil) })
		remove := func() error {
			return s.Update(ctx, func(tx parley.Tx) error { return tx.DeleteTenant(ctx, tenant) })
		}
		if err := remove(); parley.ReasonOf(err) != parley.InUse {
			t.Errorf("DeleteTenant with configuration = %v, want InUse", err)
		}
		update(t, s, func(tx parley.Tx) error { return tx.Authentications().Delete(ctx, tenant, auth.ID) })
		if err := remove(); err != nil {
			t.Errorf("DeleteTenant with built-in objects only = %v", err)
		}
		if err := remove(); parley.KindOf(err) != parley.NotFound {
			t.Errorf("DeleteTenant again = %v, want NotFound", err)
		}
	})
}
