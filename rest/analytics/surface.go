package analytics

import (
	_ "embed"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/time/rate"

	"parley"
	"parley/directory"
	"parley/insight/figures"
	"parley/rest"
	"parley/rest/api"
)

// Document is the contract of the surface, an OpenAPI 3.0 document in YAML.
//
//go:embed openapi.yaml
var Document []byte

// Record is what the surface reads and writes; [parley/store.Store] is one.
type Record interface {
	figures.Record
	// Cursor and ParseCursor name places in the order of things, so that strangers learn nothing from it.
	Cursor(tenant parley.TenantID, kind parley.CursorKind, place ...int64) (string, error)
	ParseCursor(tenant parley.TenantID, kind parley.CursorKind, cursor string, place ...*int64) error
}

// Deps is what the surface works with. Record, Keys and Subscriptions are required.
type Deps struct {
	Record        Record
	Keys          api.KeyOpener
	Subscriptions *directory.Subscriptions
	PerMinute     int              // requests of one token, on each node; zero = 600
	Clock         func() time.Time // nil = time.Now
}

// Surface answers the operations of openapi.yaml. Safe for concurrent use.
type Surface struct {
	Deps
	statistics figures.Statistics
	keys       *api.Keys
	mu         sync.Mutex
	limits     map[parley.APIClientID]*rate.Limiter // as many as there are tokens
}

// New returns the surface.
func New(d Deps) *Surface {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.PerMinute == 0 {
		d.PerMinute = 600
	}
	return &Surface{Deps: d, statistics: figures.Statistics{Record: d.Record}, keys: api.NewKeys(d.Keys, parley.KeyFigures, d.Clock), limits: map[parley.APIClientID]*rate.Limiter{}}
}

// maxBody is in bytes.
const maxBody = 1 << 20

// prefixes are the trees of paths that belong to this surface. Others share /v1 with it.
var prefixes = []string{"/v1/bots", "/v1/teams", "/v1/echo"}

// Register adds the routes.
func (s *Surface) Register(root *mux.Router) {
	for _, prefix := range prefixes {
		r := root.PathPrefix(prefix).Subrouter()
		for _, route := range s.routes() {
			if path, ok := strings.CutPrefix(route.path, prefix); ok {
				r.Path(path).Methods(route.method).Handler(s.handler(route.handle))
			}
		}
		unknown := s.handler(func(req *request) (any, error) {
			if allowed := rest.OtherMethods(r, req.Request); len(allowed) > 0 {
				req.answer.Set("Allow", strings.Join(allowed, ", "))
				return nil, &refusal{status: http.StatusMethodNotAllowed, msg: "this address does not know the method"}
			}
			return nil, &refusal{status: http.StatusNotFound, msg: "there is nothing at this address"}
		})
		r.NotFoundHandler, r.MethodNotAllowedHandler = unknown, unknown
	}
}

// A route is one operation at one path.
type route struct {
	method, path string
	handle       func(*request) (any, error)
}

func (s *Surface) routes() []route {
	const bot, team = "/v1/bots/{bot_id}", "/v1/teams/{team_id}"
	return []route{
		{http.MethodPost, "/v1/echo", s.echo},
		{http.MethodGet, bot + "/conversations", s.ofBot(s.conversations)},
		{http.MethodGet, bot + "/conversations/insights", s.ofBot(s.insights)},
		{http.MethodGet, bot + "/conversations/{conversation_id}/flow", s.ofBot(s.flow)},
		{http.MethodGet, bot + "/messages", s.ofBot(s.messages)},
		{http.MethodGet, bot + "/users", s.ofBot(s.users)},
		{http.MethodGet, bot + "/users/activity", s.ofBot(s.activity)},
		{http.MethodGet, bot + "/intents", s.ofBot(s.intents)},
		{http.MethodGet, bot + "/intents/insights", s.ofBot(s.intentInsights)},
		{http.MethodGet, bot + "/flows", s.ofBot(s.flows)},
		{http.MethodPost, bot + "/flows/funnel", s.ofBot(s.flowFunnel)},
		{http.MethodGet, bot + "/flows/{step_id}", s.ofBot(s.flowStep)},
		{http.MethodGet, bot + "/flows/{step_id}/edges", s.ofBot(s.flowEdges)},
		{http.MethodGet, team + "/conversations", s.ofTeam(s.usage)},
		{http.MethodPost, bot + "/events/track", s.ofBot(s.track)},
		{http.MethodGet, bot + "/events/stream", s.ofBot(s.stream)},
		{http.MethodPost, bot + "/events/stream", s.ofBot(s.stream)},
		{http.MethodGet, bot + "/events/definitions", s.ofBot(s.definitions)},
		{http.MethodPost, bot + "/events/definitions", s.ofBot(s.definitions)},
		{http.MethodPost, bot + "/events/attributes/{attribute_key}/values", s.ofBot(s.eventValues)},
		{http.MethodPost, bot + "/events/funnel", s.ofBot(s.eventFunnel)},
		{http.MethodGet, team + "/events", s.ofTeam(s.teamEvents)},
		{http.MethodGet, team + "/events/definitions", s.ofTeam(s.teamDefinitions)},
		{http.MethodGet, bot + "/subscriptions", s.ofBot(s.subscriptions)},
		{http.MethodPost, bot + "/subscriptions", s.ofBot(s.subscribe)},
		{http.MethodDelete, bot + "/subscriptions/{subscription_id}", s.ofBot(s.unsubscribe)},
	}
}

// A request is one whose caller is known.
type request struct {
	*http.Request
	tenant parley.TenantID      // of the token
	bot    parley.ApplicationID // of ofBot
	botID  string               // as it was asked for
	params params
	answer http.Header
}

// handler checks who calls, and writes what comes out.
func (s *Surface) handler(handle func(*request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		key, err := s.authenticate(r)
		if err == nil {
			err = s.take(key.ID)
		}
		var body any
		if err == nil {
			body, err = handle(&request{Request: r, tenant: key.Tenant, answer: w.Header()})
		}
		if err != nil {
			writeError(w, r, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		api.WriteJSON(w, http.StatusOK, body)
	})
}

// authenticate takes token id and secret as Basic credentials, or joined by a colon as a bearer's token (reference 1).
func (s *Surface) authenticate(r *http.Request) (parley.APIClient, error) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
		if strings.EqualFold(scheme, "Bearer") {
			id, secret, ok = strings.Cut(strings.TrimSpace(token), ":")
		}
	}
	if !ok || id == "" || secret == "" {
		return parley.APIClient{}, errUnauthenticated
	}
	key, err := s.keys.Open(r.Context(), directory.WholeKey(&parley.APIClient{PublicID: strings.TrimSpace(id)}, strings.TrimSpace(secret)))
	if parley.KindOf(err) == parley.Unauthenticated {
		return key, errUnauthenticated
	}
	return key, err
}

// take is nil if the token may ask once more now.
func (s *Surface) take(token parley.APIClientID) error {
	s.mu.Lock()
	limiter := s.limits[token]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(float64(s.PerMinute)/60), s.PerMinute)
		s.limits[token] = limiter
	}
	s.mu.Unlock()
	now := s.Clock()
	r := limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return &refusal{status: http.StatusTooManyRequests, msg: "the token asks more often than it may", wait: wait}
	}
	return nil
}

// ofBot sees to it that there is the bot, and that it is the token's team's.
func (s *Surface) ofBot(handle func(*request) (any, error)) func(*request) (any, error) {
	return func(r *request) (any, error) {
		r.botID = mux.Vars(r.Request)["bot_id"]
		id, err := parley.ParseID[parley.ClientApplication](r.botID)
		if err != nil || id.IsZero() {
			return nil, errNoBot
		}
		var tenant parley.TenantID
		err = s.Record.View(r.Context(), func(tx parley.Tx) (err error) {
			if tenant, r.bot, err = tx.FindBot(r.Context(), id); parley.KindOf(err) != parley.NotFound {
				return err
			}
			// A bot that was deleted is still known by what it did.
			known, err := tx.VisitDimensions(r.Context(), r.tenant)
			if err != nil {
				return err
			}
			for i := range known {
				if known[i].Bot == id {
					tenant, r.bot = r.tenant, id
					return nil
				}
			}
			return errNoBot
		})
		if err != nil {
			return nil, err
		}
		if tenant != r.tenant {
			return nil, errOtherTeam
		}
		return s.asked(r, handle)
	}
}

// ofTeam likewise of a team.
func (s *Surface) ofTeam(handle func(*request) (any, error)) func(*request) (any, error) {
	return func(r *request) (any, error) {
		id, err := parley.ParseID[parley.Tenant](mux.Vars(r.Request)["team_id"])
		if err != nil || id.IsZero() {
			return nil, errNoTeam
		}
		if id != r.tenant {
			err := s.Record.View(r.Context(), func(tx parley.Tx) error {
				_, err := tx.Tenant(r.Context(), id)
				return err
			})
			switch {
			case parley.KindOf(err) == parley.NotFound:
				return nil, errNoTeam
			case err != nil:
				return nil, err
			}
			return nil, errOtherTeam
		}
		return s.asked(r, handle)
	}
}

// asked reads the query before an operation looks at it.
func (s *Surface) asked(r *request, handle func(*request) (any, error)) (_ any, err error) {
	if r.params, err = readParams(r.URL.RawQuery); err != nil {
		return nil, err
	}
	return handle(r)
}
