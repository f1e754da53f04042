package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Store says where the record is and what opens its secrets. Whoever has the data directory has everything: keys,
// conversations and files. Without keyset.json in it the secrets in the database cannot be opened again.
type Store struct {
	Data     string `help:"Folder of the SQLite file, the keys made on first start, and assets." default:"./parley-data" env:"PARLEY_DATA" type:"path"`
	Database string `help:"postgres://… ; empty = SQLite in --data." env:"PARLEY_DATABASE"`
}

// Serve is what parley serve is configured by.
type Serve struct {
	Store
	Config          string        `help:"YAML file with any of these settings." env:"PARLEY_CONFIG" type:"path"`
	Listen          string        `help:"Address for REST, WebSocket and pages." default:"127.0.0.1:8080" env:"PARLEY_LISTEN"`
	Redis           string        `help:"redis://, rediss://, redis+sentinel://, redis+cluster://; auto = a private redis-server if one is installed, else one inside the process." default:"auto" env:"PARLEY_REDIS"`
	Roles           []string      `help:"What this process does: api, ws, dispatch, insight." default:"api,ws,dispatch,insight" env:"PARLEY_ROLES"`
	PublicURL       string        `name:"public-url" help:"URL under which the hub is reached; used in signed links, tokens and docs. Empty = from --listen." env:"PARLEY_PUBLIC_URL"`
	BootstrapClient string        `help:"id:secret of an API client with every scope, made (or kept) in the default tenant." env:"PARLEY_BOOTSTRAP_CLIENT"`
	CallbackAllow   []string      `help:"CIDRs that callbacks may reach although they are private." env:"PARLEY_CALLBACK_ALLOW"`
	CallbackHTTP    bool          `name:"callback-http" help:"Callbacks may be plain http beyond this machine. Whoever listens on the way then reads messages and credentials." env:"PARLEY_CALLBACK_HTTP"`
	Seed            string        `help:"YAML file with a list of client applications that have fixed ids: each as POST /clientapplications takes it, with its id. Made or kept in the default tenant." env:"PARLEY_SEED" type:"path"`
	Blobs           string        `help:"Where assets are kept: file://, s3://, gs://, azblob://; empty = a folder in --data." env:"PARLEY_BLOBS"`
	Issuer          string        `help:"URL of an outside identity provider whose access tokens are accepted too (OpenID Connect discovery)." env:"PARLEY_ISSUER"`
	IssuerAudience  string        `help:"Audience that tokens of --issuer must have." env:"PARLEY_ISSUER_AUDIENCE"`
	ShowSecrets     bool          `help:"Answer reads of authentications with their secrets, as the vendor does. Off: masked." env:"PARLEY_SHOW_SECRETS"`
	SessionRate     float64       `help:"Requests a second that one session may make." default:"50" env:"PARLEY_SESSION_RATE"`
	SessionBurst    int           `help:"Requests that one session may make at once." default:"200" env:"PARLEY_SESSION_BURST"`
	SessionInFlight int           `help:"Requests of one session that may wait for their reply." default:"64" env:"PARLEY_SESSION_IN_FLIGHT"`
	SessionFrame    int64         `help:"Bytes of the largest frame from a client." default:"262144" env:"PARLEY_SESSION_FRAME"`
	Demo            bool          `help:"A ready tenant with a demo account, an example bot and pages to click; allows loopback callbacks." env:"PARLEY_DEMO"`
	Grace           time.Duration `help:"Time for sessions and attempts to end after SIGTERM." default:"20s" env:"PARLEY_GRACE"`
	LogLevel        string        `help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error" env:"PARLEY_LOG_LEVEL"`
	LogFormat       string        `help:"text or json." default:"text" enum:"text,json" env:"PARLEY_LOG_FORMAT"`
	Pprof           string        `help:"Loopback or private address for net/http/pprof, such as 127.0.0.1:6060; empty = off." env:"PARLEY_PPROF"`
	OTLP            string        `name:"otlp" help:"URL of an OTLP/HTTP collector for traces; empty = traces are passed on but not recorded." env:"PARLEY_OTLP"`
	SMTP            string        `name:"smtp" help:"Mail server for notices to a role's notificationEmail: smtp://user:password@host:587?from=address (STARTTLS is required) or smtps://; ?tls=off for one on this machine. Empty = no mail. A private address must be in --callback-allow." env:"PARLEY_SMTP"`
	EmbeddingsURL   string        `name:"embeddings-url" help:"OpenAI-compatible endpoint, up to its version, by whose embeddings trackers find what is similar in meaning: https://api.openai.com/v1. What is said is sent there. Empty = the hub's own vectors." env:"PARLEY_EMBEDDINGS_URL"`
	EmbeddingsModel string        `name:"embeddings-model" help:"Model of --embeddings-url." env:"PARLEY_EMBEDDINGS_MODEL"`
	EmbeddingsKey   string        `name:"embeddings-key" help:"API key of --embeddings-url." env:"PARLEY_EMBEDDINGS_KEY"`
	EmbeddingsLeast float64       `name:"embeddings-least" help:"Cosine from which on texts are similar, to 1; it depends on the model. 0 = 0.6." default:"0.6" env:"PARLEY_EMBEDDINGS_LEAST"`
	AnalyticsRate   int           `help:"Requests that a token of the analytics surface may make a minute on each node." default:"600" env:"PARLEY_ANALYTICS_RATE"`
	RetentionEvery  time.Duration `help:"Time between two searches for what environments no longer keep." default:"15m" env:"PARLEY_RETENTION_EVERY"`
	RetentionGrace  time.Duration `help:"Time in which a new setting of how long things are kept can be taken back: before that it removes nothing." default:"1h" env:"PARLEY_RETENTION_GRACE"`
	CallbackProxy   string        `help:"Proxy that callbacks and token calls go through: http://, https:// or socks5://, with user:password@ if it wants them. It is asked for addresses, not names: the hub resolves and judges those itself. Empty = directly." env:"PARLEY_CALLBACK_PROXY"`
}

// The roles of a process.
const (
	RoleAPI      = "api"
	RoleWS       = "ws"
	RoleDispatch = "dispatch"
	RoleInsight  = "insight"
)

// Has says whether the process has a role.
func (s *Serve) Has(role string) bool { return slices.Contains(s.Roles, role) }

// Validate reports every problem at once, each with the setting's name and the remedy. Values that may be secret are not
// repeated.
func (s *Serve) Validate() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		problem("--listen: %q is no host:port, such as 127.0.0.1:8080", s.Listen)
	}
	for _, r := range s.Roles {
		if !slices.Contains([]string{RoleAPI, RoleWS, RoleDispatch, RoleInsight}, r) {
			problem("--roles: %q is none of api, ws, dispatch, insight", r)
		}
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			problem("--public-url: give an absolute http or https URL")
		} else if u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			problem("--public-url: give scheme and host only, without a slash at the end: paths are put behind it")
		}
	}
	if s.Database != "" && !strings.HasPrefix(s.Database, "postgres://") && !strings.HasPrefix(s.Database, "postgresql://") {
		problem("--database: give a postgres:// URL, or leave it out for SQLite in --data")
	}
	if id, secret, ok := strings.Cut(s.BootstrapClient, ":"); s.BootstrapClient != "" && (!ok || id == "" || len(secret) < minSecret) {
		problem("--bootstrap-client: give id:secret, the secret of at least %d characters", minSecret)
	}
	for _, c := range s.CallbackAllow {
		if _, err := netip.ParsePrefix(c); err != nil {
			if _, err := netip.ParseAddr(c); err != nil {
				problem("--callback-allow: %q is no CIDR such as 10.0.0.0/8", c)
			}
		}
	}
	if s.CallbackProxy != "" {
		u, err := url.Parse(s.CallbackProxy)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
			problem("--callback-proxy: give a URL such as http://proxy.example:3128; https and socks5 can be, too")
		}
	}
	if s.EmbeddingsURL != "" {
		u, err := url.Parse(s.EmbeddingsURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			problem("--embeddings-url: give an absolute http or https URL")
		}
		if s.EmbeddingsModel == "" {
			problem("--embeddings-url needs --embeddings-model")
		}
	}
	if !(s.EmbeddingsLeast >= 0 && s.EmbeddingsLeast <= 1) {
		problem("--embeddings-least: give a number from 0 to 1")
	}
	if s.AnalyticsRate <= 0 {
		problem("--analytics-rate: give a positive number")
	}
	if s.RetentionEvery <= 0 || s.RetentionGrace < 0 {
		problem("--retention-every: give a positive duration such as 15m; --retention-grace: one that is not negative")
	}
	if s.Issuer != "" && s.IssuerAudience == "" {
		problem("--issuer needs --issuer-audience, or tokens meant for others would be accepted")
	}
	if s.SessionRate <= 0 || s.SessionBurst <= 0 || s.SessionInFlight <= 0 || s.SessionFrame <= 0 {
		problem("--session-rate, --session-burst, --session-in-flight and --session-frame are positive")
	}
	if s.Grace <= 0 {
		problem("--grace: give a positive duration such as 20s")
	}
	if s.SMTP != "" && !strings.HasPrefix(s.SMTP, "smtp://") && !strings.HasPrefix(s.SMTP, "smtps://") {
		problem("--smtp: give smtp://user:password@host:587?from=address, or smtps://")
	}
	if s.Pprof != "" && !private(s.Pprof) {
		problem("--pprof: profiles tell secrets; give a loopback or private address such as 127.0.0.1:6060")
	}
	return errors.Join(problems...)
}

// minSecret is the shortest bootstrap secret: short ones can be guessed, since only their hash is between.
const minSecret = 12

// private says whether a listen address is loopback or private, and so not for strangers.
func private(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.IsLoopback() || a.IsPrivate())
}
