package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"parley"
	"parley/assets"
	"parley/bots"
	"parley/bots/judge"
	"parley/bots/llm"
	"parley/bots/rules"
	"parley/bots/webhook"
	"parley/configs"
	"parley/directory"
	"parley/dispatch"
	"parley/dispatch/asynqueue"
	"parley/egress"
	"parley/hub"
	"parley/insight"
	"parley/insight/embed"
	"parley/insight/figures"
	"parley/insight/notify"
	"parley/rest"
	"parley/rest/admin"
	"parley/rest/agentapi"
	"parley/rest/analytics"
	"parley/rest/api"
	"parley/rest/broker"
	"parley/rest/conversationmgr"
	"parley/rest/docs"
	"parley/rest/manage"
	"parley/rest/oauth"
	"parley/rest/widget"
	"parley/retention"
	"parley/store"
	"parley/store/blob"
	"parley/store/keyset"
	"parley/store/live"
	"parley/tokens"
	"parley/ws"
)

// A node is one running process of the hub, wired together. Parts are started in the order in which they need each other
// and stopped backwards.
type node struct {
	config       *configs.Serve
	logger       *slog.Logger
	databaseKind string
	ready        atomic.Bool

	store     *store.Store
	live      *live.Live
	hub       *hub.Hub
	tokens    *tokens.Tokens
	directory *directory.Directory
	admin     *directory.Administration
	bots      *directory.Bots
	sessions  *ws.Server
	meter     *prometheus.Registry
	tracing   *sdktrace.TracerProvider
	handler   http.Handler

	run     context.CancelFunc // ends what runs
	running sync.WaitGroup
	closers []func(context.Context) error // in the order of starting
}

// openStore opens the record that the settings name.
func openStore(ctx context.Context, c *configs.Store, logger *slog.Logger, meter prometheus.Registerer) (s *store.Store, kind string, err error) {
	if err := dataDir(c.Data); err != nil {
		return nil, "", err
	}
	seal, err := keyset.Open(c.Data)
	if err != nil {
		return nil, "", err
	}
	url, kind := filepath.Join(c.Data, "parley.db"), "sqlite"
	if c.Database != "" {
		url, kind = c.Database, "postgres"
	}
	s, err = store.Open(ctx, store.Config{URL: url, Seal: seal, Logger: logger, Meter: meter})
	return s, kind, err
}

// start wires a node and starts what runs by itself. On an error nothing is left behind.
func start(ctx context.Context, c *configs.Serve, logger *slog.Logger) (n *node, err error) {
	n = &node{config: c, logger: logger, meter: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.stop(context.WithoutCancel(ctx)))
		}
	}()
	n.meter.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	if n.store, n.databaseKind, err = openStore(ctx, &c.Store, logger, n.meter); err != nil {
		return n, err
	}
	n.closers = append(n.closers, func(context.Context) error { return n.store.Close() })
	if n.live, err = live.Open(ctx, live.Config{URL: c.Redis, Installation: n.store.Installation(), Dir: filepath.Join(c.Data, "redis"), Logger: logger, Meter: n.meter}); err != nil {
		return n, err
	}
	n.closers = append(n.closers, func(context.Context) error { return n.live.Close() })
	n.meter.MustRegister(newVitals(n))
	if n.live.Kind == "miniredis" {
		logger.InfoContext(ctx, "no Redis: live state is kept inside this process, which serves one node only")
	}
	if n.tracing, err = newTracing(ctx, c); err != nil {
		return n, err
	}
	n.closers = append(n.closers, n.tracing.Shutdown)
	queue := asynqueue.New(n.live, n.store.Installation(), logger)
	n.closers = append(n.closers, func(context.Context) error { return queue.Close() })
	bucket, err := openBlobs(ctx, c)
	if err != nil {
		return n, err
	}
	n.closers = append(n.closers, func(context.Context) error { return bucket.Close() })
	issuing := tokens.Config{Issuer: c.PublicURL}
	if c.Issuer != "" {
		issuing.Outside = &tokens.OutsideIssuer{URL: c.Issuer, Audience: c.IssuerAudience}
	}
	n.tokens = tokens.New(issuing, n.store)
	files := assets.New(assets.Config{URL: c.PublicURL + conversationmgr.BasePath + "/assets"}, n.store, bucket, n.tokens)
	assetURL := func(t parley.TenantID, a parley.AssetID) string {
		url, err := files.DownloadURL(context.WithoutCancel(ctx), t, a)
		if err != nil {
			logger.WarnContext(ctx, "signing a link to an asset", "asset", a, "error", err)
		}
		return url
	}
	allow := c.CallbackAllow
	if c.Demo {
		allow = append(allow, "127.0.0.0/8", "::1/128")
	}
	prefixes, err := egress.ParseAllow(allow)
	if err != nil {
		return n, err
	}
	proxy, err := egress.ParseProxy(c.CallbackProxy)
	if err != nil {
		return n, fmt.Errorf("--callback-proxy: %w", err)
	}
	notices, err := n.newNotices(&egress.Guard{Allow: prefixes, Proxy: proxy})
	if err != nil {
		return n, err
	}
	late := &lateHub{}
	outside := dispatch.NewClient(&egress.Guard{Allow: prefixes, Proxy: proxy})
	runner := bots.New(bots.Config{Store: n.store, Hub: late, Health: n.store, Connectors: map[parley.Connector]bots.Factory{
		parley.ConnectorRules: rules.New(flows{n.store}, nil), parley.ConnectorWebhook: webhook.Factory(outside), parley.ConnectorLLM: llm.Factory(outside)}, Logger: logger, Meter: n.meter})
	callbacks := dispatch.New(dispatch.Config{Store: n.store, Hub: late, Queue: queue, Work: c.Has(configs.RoleDispatch), Allow: prefixes,
		AssetURL: assetURL, Logger: logger, Meter: n.meter, Tracer: n.tracing, Proxy: proxy, Notifier: notices, Bots: runner, Hooks: agentapi.Hooks{Store: n.store}})
	n.hub = hub.New(hub.Config{Store: n.store, Live: n.live, Dispatcher: callbacks, Logger: logger, Meter: n.meter, Redaction: insight.Redactor})
	late.Hub = n.hub
	heard := changes{n.hub, callbacks, runner}
	n.directory = directory.New(directory.Config{ShowSecrets: c.ShowSecrets, PlainHTTP: c.CallbackHTTP, Allow: prefixes}, n.store, heard)
	n.bots = directory.NewBots(directory.Config{PlainHTTP: c.CallbackHTTP, Allow: prefixes}, n.store, heard)
	n.sessions = ws.New(ws.Config{Hub: n.hub, Tokens: n.tokens, Code: errorCode, AssetURL: assetURL, Live: n.live, Deliveries: callbacks, Logger: logger, Meter: n.meter,
		Rate: c.SessionRate, Burst: c.SessionBurst, InFlight: c.SessionInFlight, MaxFrame: c.SessionFrame})
	n.admin = directory.NewAdministration(directory.Config{PlainHTTP: c.CallbackHTTP, Allow: prefixes}, n.store, n.tokens.Forget)
	if id, secret, ok := strings.Cut(c.BootstrapClient, ":"); ok {
		if err = n.admin.Bootstrap(ctx, id, secret); err != nil {
			return n, fmt.Errorf("bootstrap client: %w", err)
		}
	}

	var meaning *insight.Meaning
	if c.EmbeddingsURL != "" {
		meaning = insight.NewMeaning(embed.New(embed.Config{Client: outside, URL: c.EmbeddingsURL, Model: c.EmbeddingsModel, Key: c.EmbeddingsKey}), c.EmbeddingsLeast, logger, n.meter)
	}
	detector := insight.NewDetector(insight.Config{Record: n.store, Meaning: meaning, Live: n.live, Hub: n.hub, Teller: dispatch.NewTeller(&egress.Guard{Allow: prefixes, Proxy: proxy}),
		Logger: logger, Meter: n.meter})

	if c.Has(configs.RoleInsight) {
		if err = detector.Begin(ctx); err != nil {
			return n, err
		}
	}

	router := rest.NewRouter()
	conversations := conversationmgr.New(conversationmgr.Deps{Hub: n.hub, Directory: n.directory, Assets: files, Verifier: n.tokens, Log: logger})
	if err = seed(ctx, conversations, c.Seed); err != nil {
		return n, err
	}
	if c.Has(configs.RoleAPI) {
		conversations.Register(router)
		oauth.New(n.tokens).Register(router)
		understanding := insight.NewVocabularies(n.store, n.hub.ConfigChanged, meaning, prefixes...)
		admin.New(admin.Deps{Redaction: insight.Redactor, Administration: n.admin, Receivers: n.directory.Receivers(), Callbacks: callbacks, Understanding: understanding,
			Bots: n.bots, Runner: runner, Record: n.store, Hub: n.hub, Files: files, RetentionGrace: c.RetentionGrace, Verifier: n.tokens,
			Deliveries: directory.NewDeliveries(directory.Config{}, n.store, n.store, heard)}).Register(router)
		manage.New(n.tokens, understanding, n.hub).Register(router)
		broker.New(broker.Deps{Store: n.store, Hub: n.hub, Keys: n.admin, Authority: n.tokens}).Register(router)
		agentapi.New(agentapi.Deps{Store: n.store, Hub: n.hub, Keys: n.admin, Channels: n.bots,
			Files: assets.New(assets.Config{URL: c.PublicURL + agentapi.FilesPath, Lifetime: agentapi.FileLifetime}, n.store, bucket, n.tokens)}).Register(router)
		analytics.New(analytics.Deps{Record: n.store, Keys: n.admin, PerMinute: c.AnalyticsRate,
			Subscriptions: directory.NewSubscriptions(directory.Config{PlainHTTP: c.CallbackHTTP, Allow: prefixes}, n.store)}).Register(router)
		widget.New(directory.NewVisitors(c.PublicURL, n.store, n.tokens)).Register(router)
		docs.New(docs.Document{Name: "conversationmgr", YAML: conversationmgr.Document}, docs.Document{Name: "admin", YAML: admin.Document},
			docs.Document{Name: "manage", YAML: manage.Document}, docs.Document{Name: "broker", YAML: broker.Document}, docs.Document{Name: "agents", YAML: agentapi.Document},
			docs.Document{Name: "analytics", YAML: analytics.Document},
			docs.Document{Name: "widget", YAML: widget.Document}, docs.Document{Name: "sessions", YAML: ws.Document}).Register(router)
		pages(router, c.Demo)
	}
	if c.Has(configs.RoleWS) {
		router.Handle("/ws/v1", n.sessions).Methods(http.MethodGet)
		router.HandleFunc("/ws/v1/sse", n.sessions.ServeEvents).Methods(http.MethodPost)
		router.HandleFunc("/ws/v1/sse/{session}", func(w http.ResponseWriter, r *http.Request) {
			n.sessions.ServePosted(w, r, mux.Vars(r)["session"])
		}).Methods(http.MethodPost)
	}
	n.operations(router)
	n.handler = rest.Handler(rest.Config{Log: logger, Observer: newRequests(n.meter), Tracer: n.tracing.Tracer("parley/rest"),
		Propagator: propagation.NewCompositeTextMapPropagator(b3.New(), propagation.TraceContext{}), HTTPS: strings.HasPrefix(c.PublicURL, "https://")}, router)

	running, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ended by stop, after sessions and requests
	n.run = cancel
	parts := []func(context.Context) error{n.hub.Run, callbacks.Run, files.Run, notices.Run}
	if c.Has(configs.RoleInsight) {
		judges := judge.New(judge.Config{Store: n.store, Logger: logger, Meter: n.meter, Model: func(ctx context.Context, app *parley.ClientApplication, messages []parley.Message) (llm.Judgement, error) {
			return llm.Judge(ctx, llm.Config{Client: outside, Settings: *app.Bot}, messages)
		}})
		cleaner := retention.New(retention.Config{Record: n.store, Files: files, Live: n.live, Every: c.RetentionEvery, Logger: logger, Meter: n.meter})
		counter := figures.NewCounter(figures.Config{Record: n.store, Live: n.live, Logger: logger, Meter: n.meter, RetainEvery: c.RetentionEvery,
			Retained: func(visits int) { cleaner.Removed(parley.RetainedAnalytics, visits) }})
		parts = append(parts, detector.Run, judges.Run, counter.Run, cleaner.Run,
			notify.New(notify.Config{Record: n.store, Client: outside, Form: analytics.Notifications{}, Live: n.live, Logger: logger, Meter: n.meter}).Run)
	}
	for _, run := range parts {
		n.running.Go(func() {
			if err := run(running); err != nil && !errors.Is(err, context.Canceled) {
				logger.ErrorContext(running, "a part of the hub stopped", "error", err)
			}
		})
	}
	if c.Pprof != "" {
		if err = n.startPprof(ctx); err != nil {
			return n, err
		}
	}
	return n, nil
}

// stop ends what start began, backwards.
func (n *node) stop(ctx context.Context) error {
	if n.run != nil {
		n.run()
	}
	n.running.Wait()
	var err error
	for i := len(n.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, n.closers[i](ctx))
	}
	n.closers = nil
	return err
}

// seed makes the client applications of --seed.
func seed(ctx context.Context, s *conversationmgr.Surface, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("--seed: %w", err)
	}
	if err := s.Seed(ctx, parley.DefaultTenant, text); err != nil {
		return fmt.Errorf("--seed: %w", err)
	}
	return nil
}

func openBlobs(ctx context.Context, c *configs.Serve) (*blob.Bucket, error) {
	if c.Blobs != "" {
		return blob.OpenURL(ctx, c.Blobs)
	}
	return blob.OpenDir(filepath.Join(c.Data, "assets"))
}

// errorCode is how sessions tell of errors: as conversationmgr does.
func errorCode(err error) (code, message string) {
	b := api.BodyOf(err)
	return b.Code, b.DeveloperMessage
}

// flows reads what bots follow: the draft in tests, else what is live.
type flows struct{ store bots.Store }

// Version implements [rules.Source].
func (f flows) Version(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, draft bool) (number int64, err error) {
	number = parley.LiveFlow
	if draft {
		number = parley.NewestFlow
	}
	err = f.store.View(ctx, func(tx parley.Tx) (err error) {
		number, err = tx.FlowNumber(ctx, tenant, bot, number)
		return err
	})
	return number, err
}

// Source implements [rules.Source].
func (f flows) Source(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, number int64) (source []byte, err error) {
	err = f.store.View(ctx, func(tx parley.Tx) error {
		v, err := tx.Flow(ctx, tenant, bot, number)
		source = v.Source
		return err
	})
	return source, err
}

// lateHub lets dispatch and hub know each other.
type lateHub struct{ *hub.Hub }

// changes tells everyone who caches configuration that it changed.
type changes struct {
	*hub.Hub
	callbacks *dispatch.Dispatcher
	bots      *bots.Runner
}

// ConfigChanged is called after each committed change.
func (c changes) ConfigChanged(ctx context.Context, tenant parley.TenantID) {
	c.callbacks.Forget()
	c.bots.Forget()
	c.Hub.ConfigChanged(ctx, tenant)
}
