package store

import (
	"context"

	"parley"
)

// seedTenant makes the built-in applications and channel of a new tenant. Their ids are the same in each.
func (t *tx) seedTenant(ctx context.Context, n parley.Tenant) error {
	base := func(name, description string) parley.Base {
		return parley.Base{Tenant: n.ID, Name: name, Description: description, Active: true, Created: n.Created, Modified: n.Created}
	}
	application := func(id parley.ApplicationID, name, description string, role parley.Role) error {
		return t.Applications().Insert(ctx, &parley.ClientApplication{ID: id, Base: base(name, description), BuiltIn: true,
			Roles: []parley.ApplicationRole{{Name: role, Version: "v3"}}}, nil)
	}
	if err := application(parley.WidgetApplication, "widget", "The chat widget, over WebSocket", parley.Customer); err != nil {
		return err
	}
	if err := application(parley.ConsoleApplication, "console", "The agents' console, over WebSocket", parley.CustomAgent); err != nil {
		return err
	}
	return t.Channels().Insert(ctx, &parley.Channel{ID: parley.WebChatChannel, Base: base("", "The chat widget"), BuiltIn: true,
		Type: "web_chat", DisplayName: "Web chat", Icon: "web_chat"}, nil) // an icon is required and never decoded (reference 5)
}
