package broker

import (
	"context"
	_ "embed"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"parley"
	"parley/hub"
	"parley/rest"
	"parley/rest/api"
)

// Document is the contract of the surface, an OpenAPI 3.0 document in YAML.
//
//go:embed openapi.yaml
var Document []byte

// Prefix is what the vendor has before every route; they are served with and without it.
const Prefix = "/eva-broker"

// surface is how the hub calls this one.
const surface = "broker"

// A Store reads and keeps what the surface shows.
type Store interface {
	View(ctx context.Context, fn func(parley.Tx) error) error
	Update(ctx context.Context, fn func(parley.Tx) error) error
}

// A Hub takes what customers say; [hub.Hub] does.
type Hub interface {
	Post(ctx context.Context, r hub.PostRequest) ([]hub.Posted, error)
	AwaitTurn(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, seq int64) (*parley.Turn, error)
	End(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, why string) error
	EndAfter(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, last int64, why string) error
	Redactor(ctx context.Context, tx parley.Tx, tenant parley.TenantID) (parley.Redactor, error)
}

// An Authority makes and checks tokens; [tokens.Tokens] does.
type Authority interface {
	api.Verifier
	Authenticate(ctx context.Context, publicID, secret string) (parley.APIClient, error)
	IssueFor(ctx context.Context, client *parley.APIClient, scopes []string, life time.Duration) (token string, expires time.Time, err error)
	IssueRefresh(ctx context.Context, client *parley.APIClient, life time.Duration) (token string, expires time.Time, err error)
	Refresh(ctx context.Context, token string) (parley.APIClient, error)
}

// Deps is what the surface works with. All are required.
type Deps struct {
	Store     Store
	Hub       Hub
	Keys      api.KeyOpener
	Authority Authority
	Clock     func() time.Time // nil = time.Now
}

// Surface answers the operations of openapi.yaml. Safe for concurrent use.
type Surface struct {
	Deps
	limits *limits
	places *api.Places[parley.ConversationID]
	keys   *api.Keys
	// Two, so that what has been read is posted before more is read.
	reading, posting door
}

// New returns the surface.
func New(d Deps) *Surface {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	return &Surface{Deps: d, limits: newLimits(d.Clock), places: api.NewPlaces[parley.ConversationID](), keys: api.NewKeys(d.Keys, parley.KeyBroker, d.Clock),
		reading: make(door, doorWidth), posting: make(door, doorWidth)}
}

// now is the clock in the resolution that is stored and shown.
func (s *Surface) now() time.Time { return s.Clock().UTC().Truncate(time.Millisecond) }

// maxBody is in bytes (reference 14); what is larger is a body that cannot be read.
const maxBody = 1 << 20

// Register adds the routes, each with and without the vendor's prefix.
func (s *Surface) Register(root *mux.Router) {
	const environment = "/org/{org}/env/{env}"
	const bot = environment + "/bot/{bot}"
	for _, prefix := range []string{"", Prefix} {
		add := func(method, path string, handle func(w http.ResponseWriter, r *http.Request) error) {
			root.Path(prefix + path).Methods(method).Handler(s.handler(handle))
		}
		for _, start := range []string{bot + "/channel/{channel}/v1/conversations", bot + "/channel/{channel}/v1/conversations/", bot + "/conversations", bot + "/conversations/"} {
			add(http.MethodPost, start, s.start)
		}
		add(http.MethodPost, bot+"/channel/{channel}/v1/conversations/{session}", s.next)
		add(http.MethodPost, bot+"/conversations/{session}", s.next)
		add(http.MethodPost, bot+"/conversations/{session}/satisfactions", s.satisfaction)
		add(http.MethodPost, environment+"/likable", s.likable)
		add(http.MethodGet, environment+"/history/{businessKey:.+}", s.history)
		add(http.MethodGet, environment+"/api-key", s.apiKey)
		root.Path(prefix + "/auth/realms/{realm}/protocol/openid-connect/token").Methods(http.MethodPost).Handler(rest.LimitBody(maxBody)(http.HandlerFunc(s.token)))
		tree := root.PathPrefix(prefix + "/org/{org}/").Subrouter()
		tree.NotFoundHandler = s.handler(func(w http.ResponseWriter, r *http.Request) error { return s.unknown(root, w, r) })
		tree.MethodNotAllowedHandler = tree.NotFoundHandler
	}
}

// unknown answers what there is no route for: the questions that browsers ask before they call, wrong methods, wrong addresses.
func (s *Surface) unknown(root *mux.Router, w http.ResponseWriter, r *http.Request) error {
	allowed := rest.OtherMethods(root, r)
	if len(allowed) == 0 {
		return errNotFound
	}
	w.Header().Set("Allow", allowed[0])
	if r.Method == http.MethodOptions {
		s.preflight(w)
		return nil
	}
	return fail(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "this address does not know the method")
}
