package directory_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"parley"
	"parley/directory"
	"parley/egress"
)

// Who configures an address that no attempt would reach hears of it at once, in every spelling; names are judged later.
func TestAddressesAreRefusedWhenConfigured(t *testing.T) {
	text, err := os.ReadFile("../egress/testdata/urls.txt")
	if err != nil {
		t.Fatal(err)
	}
	allowing, err := egress.ParseAllow([]string{"127.0.0.0/8", "0.0.0.0/8", "::1/128", "::/128"})
	if err != nil {
		t.Fatal(err)
	}
	closed, open := directoryOf(t, nil), directoryOf(t, allowing)
	for line := range strings.Lines(string(text)) {
		kind, url, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || kind == "#" {
			continue
		}
		url = strings.ReplaceAll(url, "PORT", "8080")
		for field, try := range map[string]func(*desk) error{
			"roles[0].callback": func(d *desk) error {
				r := role(parley.CustomBot)
				r.Callback = url
				_, err := d.Applications.Create(t.Context(), parley.DefaultTenant, parley.ClientApplication{Base: named(url), Roles: []parley.ApplicationRole{r}})
				return err
			},
			"oauth2.tokenRequestUrl": func(d *desk) error {
				_, err := d.Authentications.Create(t.Context(), parley.DefaultTenant, parley.Authentication{Base: named(url), OAuth2: &parley.TokenRecipe{URL: url, TokenPath: "$.t"}})
				return err
			},
		} {
			if err := try(closed); kind == "name" && err != nil {
				t.Errorf("%s: %v; names are judged on connect", url, err)
			} else if kind != "name" {
				wantError(t, field+" "+url, err, parley.Invalid, parley.BadValue, field)
			}
			if err := try(open); kind == "here" && err != nil {
				t.Errorf("%s, which --callback-allow lists: %v", url, err)
			}
		}
	}
}

func directoryOf(t *testing.T, allow []netip.Prefix) *desk {
	return open(t, directory.Config{PlainHTTP: true, Allow: allow})
}
