package agentapi

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"parley"
	"parley/assets"
	"parley/directory"
	"parley/hub"
	"parley/rest"
	"parley/rest/api"
)

// Document is the contract of the surface, an OpenAPI 3.0 document in YAML.
//
//go:embed openapi.yaml
var Document []byte

// Prefix is before every route of the surface, and FilesPath where the files of its signed URLs are.
const (
	Prefix    = "/external"
	FilesPath = Prefix + "/files"
)

// surface is how the hub calls this one.
const surface = "agentapi"

// FileLifetime is how long signed URLs are good (reference 4.14).
const FileLifetime = 15 * time.Minute

// A Store reads and keeps what the surface shows.
type Store interface {
	View(ctx context.Context, fn func(parley.Tx) error) error
	Update(ctx context.Context, fn func(parley.Tx) error) error
}

// A Hub begins conversations and takes what is said in them; [hub.Hub] does.
type Hub interface {
	Begin(ctx context.Context, b hub.BeginRequest) (parley.ConversationID, error)
	Post(ctx context.Context, r hub.PostRequest) ([]hub.Posted, error)
	AwaitTurn(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, seq int64) (*parley.Turn, error)
	Introduce(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, text string) error
	SetManual(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, manual bool) error
	End(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, why string) error
	Redactor(ctx context.Context, tx parley.Tx, tenant parley.TenantID) (parley.Redactor, error)
}

// Channels are where bots are reached, and hooks what hears of that; [directory.Bots] makes them.
type Channels interface {
	AddHook(ctx context.Context, tenant parley.TenantID, hook parley.Hook, url string, headers []parley.NameValue) (parley.ClientApplication, error)
	ChannelFor(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, channelType string) (directory.BotChannel, error)
}

// Deps is what the surface works with. All but Clock are required.
type Deps struct {
	Store    Store
	Hub      Hub
	Keys     api.KeyOpener
	Channels Channels
	Files    *assets.Assets   // whose URLs lead to FilesPath
	Clock    func() time.Time // nil = time.Now
}

// Surface answers the operations of openapi.yaml. Safe for concurrent use.
type Surface struct {
	Deps
	keys   *api.Keys
	starts *api.Places[whom]
}

// New returns the surface.
func New(d Deps) *Surface {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	return &Surface{Deps: d, starts: api.NewPlaces[whom](), keys: api.NewKeys(d.Keys, parley.KeyAgent, d.Clock)}
}

// now is the clock in the resolution that is stored and shown.
func (s *Surface) now() time.Time { return s.Clock().UTC().Truncate(time.Millisecond) }

// maxBody is in bytes: a context of 256,000 characters may come with six bytes each.
const maxBody = 4 << 20

// An answer is what an operation that went well answers.
type answer struct {
	status int
	body   any // nil = none
}

func ok(body any) answer      { return answer{http.StatusOK, body} }
func created(body any) answer { return answer{http.StatusCreated, body} }

var done = answer{status: http.StatusNoContent}

// Register adds the routes.
func (s *Surface) Register(root *mux.Router) {
	r := root.PathPrefix(Prefix).Subrouter()
	add := func(method, path string, handle func(*request) (answer, error)) {
		r.Path(path).Methods(method).Handler(s.handler(handle))
	}
	const conversation = "/conversations/{id}"
	add(http.MethodGet, "/conversations", s.list)
	add(http.MethodPost, "/conversations", s.create)
	add(http.MethodDelete, "/conversations", s.deleteOfUser)
	add(http.MethodGet, "/conversations/states", s.states)
	add(http.MethodPost, "/conversations/start", s.start)
	add(http.MethodGet, conversation, s.get)
	add(http.MethodPut, conversation, s.update)
	add(http.MethodGet, conversation+"/messages", s.messages)
	add(http.MethodPost, conversation+"/messages", s.send)
	add(http.MethodPost, conversation+"/messages/async", s.sendAsync)
	add(http.MethodGet, conversation+"/messages/{questionMessageId}/response-on", s.responseOn)
	add(http.MethodPut, conversation+"/mode", s.mode)
	add(http.MethodPost, conversation+"/send-manual-message", s.sendManual)
	add(http.MethodPost, conversation+"/message-files/upload-url", s.uploadURL)
	add(http.MethodGet, conversation+"/message-files/{fileId}/signed-url", s.signedURL)
	add(http.MethodPost, "/users", s.createUser)
	add(http.MethodGet, "/users/search", s.searchUser)
	add(http.MethodGet, "/users/{id}", s.getUser)
	add(http.MethodDelete, "/users/{id}", s.deleteUser)
	add(http.MethodPost, "/conversation-message-feedbacks", s.feedback)
	add(http.MethodPost, "/agents/webhooks", s.createWebhook)
	add(http.MethodGet, "/agents/by-api-key", s.profile)
	// Signed URLs are their own authority.
	r.Path("/files/upload").Methods(http.MethodPut).HandlerFunc(s.upload)
	r.Path("/files/download").Methods(http.MethodGet).HandlerFunc(s.download)
	r.NotFoundHandler = s.handler(func(*request) (answer, error) { return answer{}, errNotFound })
	r.MethodNotAllowedHandler = r.NotFoundHandler
}

// A request is one whose key was good.
type request struct {
	*http.Request
	tenant parley.TenantID
	agent  parley.ClientApplication
}

// handler opens the key of a request, and turns errors into bodies.
func (s *Surface) handler(handle func(*request) (answer, error)) http.Handler {
	return rest.LimitBody(maxBody)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := s.serve(r, handle)
		switch {
		case err != nil:
			writeError(w, r, err)
		case out.body == nil:
			w.WriteHeader(out.status)
		default:
			api.WriteJSON(w, out.status, out.body)
		}
	}))
}

func (s *Surface) serve(r *http.Request, handle func(*request) (answer, error)) (answer, error) {
	key, err := s.keys.Open(r.Context(), r.Header.Get("Agent-Secret-Key"))
	if parley.KindOf(err) == parley.Unauthenticated {
		return answer{}, errKey
	}
	if err != nil {
		return answer{}, err
	}
	own := &request{Request: r, tenant: key.Tenant}
	if own.agent, err = s.agentOf(r, &key); err != nil {
		return answer{}, err
	}
	out, err := handle(own)
	switch parley.KindOf(err) {
	case parley.Invalid, parley.NotFound, parley.Closed: // maybe since the agent was deleted meanwhile
		if _, now := s.agentOf(r, &key); errors.Is(now, errKey) {
			err = errKey
		}
	}
	return out, err
}

// agentOf is the agent of a key. The keys of one that was deleted are good for nothing.
func (s *Surface) agentOf(r *http.Request, key *parley.APIClient) (agent parley.ClientApplication, err error) {
	err = s.Store.View(r.Context(), func(tx parley.Tx) (err error) {
		agent, err = tx.Applications().Find(r.Context(), key.Tenant, key.Application)
		return err
	})
	if parley.KindOf(err) == parley.NotFound || err == nil && agent.Bot == nil {
		err = errKey
	}
	return agent, err
}

// named is the id that a path names; what is none is unknown.
func named[T any](r *request, name string) (id parley.ID[T], err error) {
	if id, err = parley.ParseID[T](strings.ToLower(mux.Vars(r.Request)[name])); err != nil {
		err = errNotFound
	}
	return id, err
}

// conversation is the one that the path names.
func (s *Surface) conversation(r *request) (a parley.AgentConversation, err error) {
	id, err := named[parley.Conversation](r, "id")
	if err != nil {
		return a, err
	}
	err = s.Store.View(r.Context(), func(tx parley.Tx) (err error) {
		a, err = tx.AgentConversation(r.Context(), r.tenant, r.agent.ID, id)
		return err
	})
	return a, err
}

// conversationAndBody are the conversation that the path names and what was sent: first the one, then the other (reference 1).
func (s *Surface) conversationAndBody(r *request) (a parley.AgentConversation, b *body, err error) {
	if a, err = s.conversation(r); err == nil {
		b, err = read(r)
	}
	return a, b, err
}
