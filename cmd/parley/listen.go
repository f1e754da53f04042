package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"parley"
	"parley/forward"
	"parley/signing"
)

type listenCommand struct {
	ForwardTo     string   `help:"URL of the program that gets the callbacks, such as http://localhost:3000." required:"" env:"PARLEY_LISTEN_FORWARD_TO"`
	Application   string   `help:"Id of the client application. The callback of its role must be urn:parley:session." required:"" env:"PARLEY_LISTEN_APPLICATION"`
	Role          string   `help:"Role to listen to; empty = the only one, of the API client or of the application." env:"PARLEY_LISTEN_ROLE"`
	URL           string   `name:"url" help:"Base URL of the hub." default:"http://127.0.0.1:8080" env:"PARLEY_LISTEN_URL"`
	Client        string   `help:"Id of an API client that is bound to the application (parley client create NAME --application ID)." required:"" env:"PARLEY_LISTEN_CLIENT"`
	Secret        string   `help:"Secret of the API client; better in the environment, where other users do not see it." required:"" env:"PARLEY_LISTEN_SECRET"`
	SigningSecret string   `help:"Sign what is forwarded with this secret, whsec_…, as Standard Webhooks says; empty = no signature." env:"PARLEY_LISTEN_SIGNING_SECRET"`
	Header        []string `help:"Further header, 'Name: value', such as the Authorization that the program wants; may be given several times." sep:"none"`
}

// Run forwards until it is interrupted.
func (c *listenCommand) Run(ctx context.Context, s streams) error {
	if err := webURL(c.ForwardTo); err != nil {
		return errors.New("--forward-to: " + err.Error())
	}
	if err := webURL(c.URL); err != nil {
		return errors.New("--url: " + err.Error())
	}
	if c.Role != "" && !slices.Contains(parley.Roles(), parley.Role(c.Role)) {
		return errors.New("--role: that is no role")
	}
	if c.SigningSecret != "" {
		if err := signing.Stamp(http.Header{}, []string{c.SigningSecret}, "", time.Now(), nil); err != nil {
			return errors.New("--signing-secret: give whsec_ and the base64 of the secret, as admin/v1 answered it")
		}
	}
	header, err := headers(c.Header)
	if err != nil {
		return err
	}
	return forward.Run(ctx, forward.Config{Hub: c.URL, ClientID: c.Client, ClientSecret: c.Secret, Application: c.Application, Role: parley.Role(c.Role),
		To: c.ForwardTo, SigningSecret: c.SigningSecret, Header: header, Out: s.out, Logger: slog.New(slog.NewTextHandler(s.err, nil))})
}

// webURL wants an absolute http or https URL.
func webURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("give an absolute http or https URL")
	}
	return nil
}
