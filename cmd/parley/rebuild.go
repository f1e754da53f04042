package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2/clientcredentials"

	"parley/rest/admin"
)

type rebuildCommand struct {
	Analytics rebuildAnalyticsCommand `cmd:"" help:"Count all figures anew from the record, while what was counted still answers."`
}

type rebuildAnalyticsCommand struct {
	URL    string        `name:"url" help:"Base URL of the hub." default:"http://127.0.0.1:8080" env:"PARLEY_REBUILD_URL"`
	Client string        `help:"Id of an API client of the default environment with the scope app.parley.admin." required:"" env:"PARLEY_REBUILD_CLIENT"`
	Secret string        `help:"Secret of the API client; better in the environment, where other users do not see it." required:"" env:"PARLEY_REBUILD_SECRET"`
	NoWait bool          `help:"Only begin."`
	Every  time.Duration `help:"How often to say how far it is." default:"1s"`
}

// Run has the hub count everything anew, and says how far it is until it is done. Ended before that, it leaves the hub at it.
func (c *rebuildAnalyticsCommand) Run(ctx context.Context, s streams) error {
	if err := webURL(c.URL); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	if c.Every <= 0 {
		return fmt.Errorf("--every: give a positive duration")
	}
	base := strings.TrimRight(c.URL, "/")
	config := clientcredentials.Config{ClientID: c.Client, ClientSecret: c.Secret, TokenURL: base + "/oauth2/token"}
	hub := &adminAPI{client: config.Client(ctx), base: base + admin.BasePath}
	var status admin.FiguresStatus
	if err := hub.do(ctx, http.MethodPost, "/figures/rebuild", nil, &status); err != nil {
		return err
	}
	if c.NoWait {
		_, err := fmt.Fprintln(s.out, "begun")
		return err
	}
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		if status.Rebuild == nil {
			_, err := fmt.Fprintln(s.out, "done: all figures were counted anew")
			return err
		}
		part := 100.0
		if total := status.Rebuild.Total; total > 0 {
			part = 100 * float64(status.Rebuild.Done) / float64(total)
		}
		if _, err := fmt.Fprintf(s.out, "%.1f %% of the record\n", part); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the hub goes on with it: %w", ctx.Err())
		}
		status = admin.FiguresStatus{}
		if err := hub.do(ctx, http.MethodGet, "/figures", nil, &status); err != nil {
			return err
		}
	}
}
