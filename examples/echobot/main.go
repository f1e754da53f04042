// Command echobot runs the bot of package echobot beside a hub:
//
//	go run ./examples/echobot -hub http://127.0.0.1:8080 -client ID -secret SECRET -password PASSWORD
//
// Its callback address, http://127.0.0.1:9090/, belongs into a client application with the role custom_bot, with an
// authentication of type basic. Secrets may come from the environment: ECHOBOT_SECRET, ECHOBOT_PASSWORD.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"parley/examples/echobot/echobot"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "echobot:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg := echobot.Config{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	listen := flag.String("listen", "127.0.0.1:9090", "address for the hub's callbacks")
	flag.StringVar(&cfg.Hub, "hub", "http://127.0.0.1:8080", "base URL of the hub")
	flag.StringVar(&cfg.ClientID, "client", os.Getenv("ECHOBOT_CLIENT"), "id of the OAuth2 client")
	flag.StringVar(&cfg.ClientSecret, "secret", os.Getenv("ECHOBOT_SECRET"), "its secret")
	flag.StringVar(&cfg.Username, "username", "parley", "user name of the callbacks")
	flag.StringVar(&cfg.Password, "password", os.Getenv("ECHOBOT_PASSWORD"), "password of the callbacks")
	flag.Parse()
	if cfg.ClientID == "" || cfg.ClientSecret == "" || cfg.Password == "" {
		return fmt.Errorf("-client, -secret and -password are needed; -help explains")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	cfg.Log.Info("listening", "address", l.Addr().String())
	return echobot.Serve(ctx, l, cfg)
}
