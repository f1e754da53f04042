package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

type doctorCommand struct {
	URL    string `help:"Base URL of the hub." default:"http://127.0.0.1:8080" env:"PARLEY_DOCTOR_URL"`
	Health bool   `help:"Only ask whether the process is alive, and print nothing: for container health checks."`
}

// doctorTimeout is how long a hub may take to answer; one that takes longer is not well.
const doctorTimeout = 5 * time.Second

// Run asks a running hub how it is. The exit status says whether it is well.
func (c *doctorCommand) Run(ctx context.Context, s streams) error {
	path := "/readyz"
	if c.Health {
		path = "/healthz"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Timeout: doctorTimeout}).Do(req)
	if err != nil {
		return fmt.Errorf("no hub answers at %s; is it running? (%w)", c.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return err
	}
	var state struct {
		Parts struct {
			Clock struct{ AheadOfDatabase, State string }
		}
	}
	if !c.Health {
		var text bytes.Buffer
		if json.Unmarshal(body, &state) != nil || json.Indent(&text, bytes.TrimSpace(body), "", "  ") != nil {
			return fmt.Errorf("what answers at %s is no hub", c.URL)
		}
		fmt.Fprintln(s.out, text.String())
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the hub is not ready (status %d)", res.StatusCode)
	}
	if clock := state.Parts.Clock; clock.State == "apart" {
		return fmt.Errorf("the hub's clock is ahead of the database's by %s; at most %v are good, behind or ahead", clock.AheadOfDatabase, maxApart)
	}
	return nil
}
