package manage

import (
	"context"
	_ "embed"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"parley"
	"parley/insight"
	"parley/rest"
	"parley/rest/api"
)

// Document is the contract of the surface, an OpenAPI 3.0 document in YAML.
//
//go:embed openapi.yaml
var Document []byte

// An Authority makes and checks tokens; [parley/tokens.Tokens] is one.
type Authority interface {
	api.Verifier
	Authenticate(ctx context.Context, publicID, secret string) (parley.APIClient, error)
	IssueFor(ctx context.Context, client *parley.APIClient, scopes []string, life time.Duration) (token string, expires time.Time, err error)
}

// Surface answers the operations of openapi.yaml. Safe for concurrent use.
type Surface struct {
	authority     Authority
	trackers      insight.Trackers
	entities      insight.Entities
	groups        insight.Groups
	settings      insight.Settings
	conversations *insight.Conversations
	hub           insight.Ender
}

// New returns the surface.
func New(a Authority, v *insight.Vocabularies, hub insight.Ender) *Surface {
	return &Surface{authority: a, trackers: insight.Trackers{Vocabularies: v}, entities: insight.Entities{Vocabularies: v},
		groups: insight.Groups{Vocabularies: v}, settings: insight.Settings{Vocabularies: v}, conversations: &insight.Conversations{Vocabularies: v}, hub: hub}
}

// The limits of bodies in bytes: of everything that is written (reference 1), and of texts, which may have thousands of messages.
const (
	maxBody = rest.MaxBody
	maxText = 16 << 20
)

// texts is where texts come in.
const texts = "/v1/process"

// prefixes are the trees of paths that belong to this surface. Other surfaces share /v1 with it.
var prefixes = []string{"/v1/manage", "/v1/groups", "/v1/conversations", texts, "/v1/job"}

// Register adds the routes.
func (s *Surface) Register(root *mux.Router) {
	token := root.PathPrefix("/oauth2/token:generate").Subrouter()
	token.Path("").Methods(http.MethodPost).Handler(rest.LimitBody(maxBody)(http.HandlerFunc(s.generateToken)))
	unknown(token)
	for _, prefix := range prefixes {
		r := root.PathPrefix(prefix).Subrouter()
		for _, route := range s.routes() {
			if rest, ok := strings.CutPrefix(route.path, prefix); ok && (rest == "" || rest[0] == '/') {
				r.Path(rest).Methods(route.method).Handler(s.handler(route))
			}
		}
		unknown(r)
	}
}

// A route is one operation at one path.
type route struct {
	method, path string
	limit        int64 // bytes of the body; 0 = maxBody
	handle       func(*request) (answer, error)
}

// routes are all there are. What has two spellings has two routes.
func (s *Surface) routes() (all []route) {
	add := func(method string, handle func(*request) (answer, error), paths ...string) {
		for _, p := range paths {
			all = append(all, route{method: method, path: p, handle: handle})
		}
	}
	const m = "/v1/manage"
	add(http.MethodPost, one(s.makeTrackers), m+"/tracker")
	add(http.MethodPost, either(s.makeTrackers), m+"/trackers")
	add(http.MethodPost, many(s.makeTrackers), m+"/trackers/bulk")
	add(http.MethodGet, s.listTrackers, m+"/tracker", m+"/trackers")
	add(http.MethodGet, s.getTracker, m+"/tracker/{id}", m+"/trackers/{id}")
	add(http.MethodPut, s.putTracker, m+"/tracker/{id}", m+"/trackers/{id}")
	add(http.MethodPatch, s.patchTracker, m+"/tracker/{id}", m+"/trackers/{id}")
	add(http.MethodDelete, s.deleteTracker, m+"/tracker/{id}", m+"/trackers/{id}")

	add(http.MethodPost, one(s.makeEntities), m+"/entity", m+"/entity/{id}") // the id is a slip of the vendor's that clients follow
	add(http.MethodPost, either(s.makeEntities), m+"/entities")
	add(http.MethodPost, many(s.makeEntities), m+"/entities/bulk")
	add(http.MethodGet, s.listEntities, m+"/entity", m+"/entities")
	add(http.MethodGet, s.getEntity, m+"/entity/{id}", m+"/entities/{id}")
	add(http.MethodPut, s.putEntity, m+"/entity/{id}", m+"/entities/{id}")
	add(http.MethodDelete, s.deleteEntity, m+"/entity/{id}", m+"/entities/{id}")
	add(http.MethodDelete, s.deleteSubType, m+"/entity", m+"/entities")

	add(http.MethodPost, one(s.makeGroups), m+"/group")
	add(http.MethodPost, either(s.makeGroups), m+"/groups")
	add(http.MethodGet, s.listGroups, m+"/group", m+"/groups")
	add(http.MethodGet, s.getGroup, m+"/group/{id}", m+"/groups/{id}")
	add(http.MethodPut, s.putGroup, m+"/group/{id}", m+"/groups/{id}")
	add(http.MethodDelete, s.deleteGroup, m+"/group/{id}", m+"/groups/{id}")
	add(http.MethodGet, s.listOfGroup, "/v1/groups/{id}/conversations")

	add(http.MethodGet, s.getSettings, m+"/settings")
	add(http.MethodPatch, s.patchSettings, m+"/settings")

	const c = "/v1/conversations"
	add(http.MethodGet, s.listConversations, c)
	add(http.MethodGet, s.getConversation, c+"/{id}")
	add(http.MethodPut, s.putConversation, c+"/{id}")
	add(http.MethodDelete, s.deleteConversation, c+"/{id}")
	add(http.MethodGet, s.messages, c+"/{id}/messages")
	add(http.MethodGet, s.trackersOf, c+"/{id}/trackers", c+"/{id}/trackers-detected")
	add(http.MethodGet, s.entitiesOf, c+"/{id}/entities")

	add(http.MethodPost, s.processText, texts+"/text")
	add(http.MethodPut, s.appendText, texts+"/text/{id}")
	for i := len(all) - 2; i < len(all); i++ {
		all[i].limit = maxText
	}
	add(http.MethodGet, s.job, "/v1/job/{id}")
	return all
}

// unknown answers paths and methods below a prefix that there are not.
func unknown(r *mux.Router) {
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if allowed := rest.OtherMethods(r, req); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			writeError(w, req, &refusal{http.StatusMethodNotAllowed, "this address does not know the method"})
			return
		}
		writeError(w, req, &refusal{http.StatusNotFound, "there is nothing at this address"})
	})
	r.MethodNotAllowedHandler = r.NotFoundHandler
}
