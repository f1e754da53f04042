package main

import (
	"context"
	"fmt"

	"parley"
	"parley/egress"
	"parley/notice"
)

// newNotices makes what tells people of receivers that fail. It reaches only what callbacks may reach.
func (n *node) newNotices(guard *egress.Guard) (*notice.Notifier, error) {
	c := notice.Config{About: n.about, Hub: n.config.PublicURL, Dial: guard.DialContext, Logger: n.logger, Meter: n.meter}
	if n.config.SMTP != "" {
		var err error
		if c.Mail, err = notice.ParseSMTP(n.config.SMTP); err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
	}
	return notice.New(c), nil
}

// about reads what a notice says of a receiver.
func (n *node) about(ctx context.Context, r parley.Receiver) (about notice.About, err error) {
	err = n.store.View(ctx, func(tx parley.Tx) error {
		app, err := tx.Applications().Find(ctx, r.Tenant, r.Application)
		if err != nil {
			return err
		}
		tenant, err := tx.Tenant(ctx, r.Tenant)
		if err != nil {
			return err
		}
		about = notice.About{Application: app.Name, Environment: tenant.Name, Operations: notice.Operations{URL: tenant.OperationsURL, Secret: tenant.OperationsSecret}}
		return nil
	})
	return about, err
}
