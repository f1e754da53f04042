package directory

import (
	"context"

	"parley"
)

func channels(s shared) *Collection[parley.Channel] {
	return &Collection[parley.Channel]{
		shared: s, kind: parley.KindChannel,
		objects: parley.Tx.Channels,
		id:      func(c *parley.Channel) *parley.ChannelID { return &c.ID },
		base:    func(c *parley.Channel) *parley.Base { return &c.Base },
		form: func(c, _ *parley.Channel) error {
			c.BuiltIn = false
			return nil
		},
		refers:  func(*parley.Channel) []reference { return nil },
		suits:   suitsChannel,
		builtIn: func(c *parley.Channel) bool { return c.BuiltIn },
	}
}

// suitsChannel: messages and assets name a channel by its type, so the type stays while accounts use it (reference 5).
func suitsChannel(ctx context.Context, tx parley.Tx, c, old *parley.Channel) error {
	if old == nil || old.Type == c.Type {
		return nil
	}
	users, err := tx.Channels().Users(ctx, c.Tenant, c.ID)
	if err != nil || len(users) == 0 {
		return err
	}
	return inUse(users)
}
