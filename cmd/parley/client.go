package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"parley"
	"parley/configs"
	"parley/directory"
	"parley/store"
)

type clientCommand struct {
	Create clientCreate `cmd:"" help:"Make an API client and print its id and secret; the secret is shown once."`
	List   clientList   `cmd:"" help:"List API clients that are not revoked."`
	Revoke clientRevoke `cmd:"" help:"Revoke an API client: its tokens are refused within seconds."`
}

type clientCreate struct {
	configs.Store
	Name        string   `arg:"" help:"What the client is called in lists."`
	Tenant      string   `help:"Id of the environment; empty = the default one."`
	Scopes      []string `help:"Scopes it may be granted; all = every one." default:"all"`
	Application string   `help:"Id of a client application it is bound to."`
	Roles       []string `help:"With --application: roles it may speak as."`
}

// Run makes the client.
func (c *clientCreate) Run(ctx context.Context, s streams) error {
	client := parley.APIClient{Name: c.Name, Tenant: parley.DefaultTenant, Scopes: c.Scopes}
	if slices.Contains(c.Scopes, "all") {
		client.Scopes = parley.Scopes()
	}
	for _, scope := range client.Scopes {
		if !slices.Contains(parley.Scopes(), scope) {
			return fmt.Errorf("--scopes: %q is none of %s", scope, strings.Join(parley.Scopes(), ", "))
		}
	}
	for _, r := range c.Roles {
		if !slices.Contains(parley.SenderRoles(), parley.Role(r)) {
			return fmt.Errorf("--roles: %q is no role that sends", r)
		}
		client.Roles = append(client.Roles, parley.Role(r))
	}
	var err error
	if c.Tenant != "" {
		if client.Tenant, err = parley.ParseID[parley.Tenant](c.Tenant); err != nil {
			return fmt.Errorf("--tenant: %w", err)
		}
	}
	if c.Application != "" {
		if client.Application, err = parley.ParseID[parley.ClientApplication](c.Application); err != nil {
			return fmt.Errorf("--application: %w", err)
		}
	}
	return withAdministration(ctx, &c.Store, s, func(admin *directory.Administration) error {
		made, secret, err := admin.CreateClient(ctx, operator, client)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "id: %s\nsecret: %s\n", made.PublicID, secret)
		return err
	})
}

// operator is who acts on the command line: whoever can open the record may do everything.
var operator = directory.Administrator(parley.DefaultTenant)

type clientList struct {
	configs.Store
	Tenant string `help:"Id of the environment; empty = the default one."`
}

// Run prints a line a client.
func (c *clientList) Run(ctx context.Context, s streams) error {
	tenant := parley.DefaultTenant
	if c.Tenant != "" {
		var err error
		if tenant, err = parley.ParseID[parley.Tenant](c.Tenant); err != nil {
			return fmt.Errorf("--tenant: %w", err)
		}
	}
	return withAdministration(ctx, &c.Store, s, func(admin *directory.Administration) error {
		table := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tCREATED\tSCOPES")
		const page = 100
		for offset := 0; ; offset += page {
			all, count, err := admin.Clients(ctx, operator, tenant, offset, page)
			if err != nil {
				return err
			}
			for _, a := range all {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", a.PublicID, a.Name, a.Created.Format(time.RFC3339), strings.Join(a.Scopes, " "))
			}
			if offset+page >= count {
				return table.Flush()
			}
		}
	})
}

type clientRevoke struct {
	configs.Store
	ID string `arg:"" help:"The client's id."`
}

// Run revokes the client.
func (c *clientRevoke) Run(ctx context.Context, s streams) error {
	return withAdministration(ctx, &c.Store, s, func(admin *directory.Administration) error {
		return admin.RevokeClient(ctx, operator, c.ID)
	})
}

// withAdministration opens the record for one command about clients.
func withAdministration(ctx context.Context, c *configs.Store, s streams, fn func(*directory.Administration) error) error {
	return withStore(ctx, c, s, func(record *store.Store) error {
		return fn(directory.NewAdministration(directory.Config{}, record, func(parley.APIClientID) {}))
	})
}

type migrateCommand struct{ configs.Store }

// Run opens the store, which migrates it.
func (c *migrateCommand) Run(ctx context.Context, s streams) error {
	return withStore(ctx, &c.Store, s, func(*store.Store) error {
		_, err := fmt.Fprintln(s.out, "the schema is up to date")
		return err
	})
}

// withStore opens the record for one command.
func withStore(ctx context.Context, c *configs.Store, s streams, fn func(*store.Store) error) error {
	record, _, err := openStore(ctx, c, slog.New(slog.NewTextHandler(s.err, nil)), nil)
	if err != nil {
		return err
	}
	defer record.Close()
	return fn(record)
}
