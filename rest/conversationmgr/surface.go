package conversationmgr

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gorilla/mux"
	"go.opentelemetry.io/otel/propagation"

	"parley"
	"parley/assets"
	"parley/directory"
	"parley/hub"
	"parley/rest"
	"parley/rest/api"
)

// BasePath is where the surface is served (reference 1.1).
const BasePath = "/conversation/conversationmgr/v3"

// A Hub takes messages and shows what became of them; [hub.Hub] is one.
type Hub interface {
	Post(ctx context.Context, r hub.PostRequest) ([]hub.Posted, error)
	Ended(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (parley.Conversation, []parley.Message, parley.DeliveryStates, error)
}

// Deps is what the surface calls. All but Log are required.
type Deps struct {
	Hub       Hub
	Directory *directory.Directory
	Assets    *assets.Assets
	Verifier  api.Verifier
	Log       *slog.Logger // nil means none
}

// Surface answers the operations of openapi.yaml. Safe for concurrent use.
type Surface struct {
	hub        Hub
	directory  *directory.Directory
	assets     *assets.Assets
	verifier   api.Verifier
	log        *slog.Logger
	operations map[string]*operation // by method and path template below BasePath
}

var _ StrictServerInterface = (*Surface)(nil)

// New returns the surface. It panics if the embedded document is broken, which its tests rule out.
func New(d Deps) *Surface {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &Surface{hub: d.Hub, directory: d.Directory, assets: d.Assets, verifier: d.Verifier, log: d.Log}
	s.operations = operations(s.exists())
	return s
}

// Register adds the routes below [BasePath].
func (s *Surface) Register(root *mux.Router) {
	// Before the guarded routes, whose {id} would take these paths. Their signature is the authority.
	upload := rest.LimitBody(maxUpload)(http.HandlerFunc(s.upload))
	root.Path(BasePath+"/assets/upload").Methods(http.MethodPost, http.MethodPut).Handler(upload)
	root.Path(BasePath + "/assets/download").Methods(http.MethodGet).HandlerFunc(s.download)

	r := root.PathPrefix(BasePath).Subrouter()
	rest.NotFound(r)
	r.Use(rest.LimitBody(rest.MaxBody), s.guard)
	r.Path("/conversations/messages").Methods(http.MethodPost).HandlerFunc(s.sendMessage)
	r.Path("/conversations/{id}").Methods(http.MethodGet).HandlerFunc(s.fetchConversation)
	HandlerWithOptions(
		NewStrictHandlerWithOptions(s, nil, StrictHTTPServerOptions{RequestErrorHandlerFunc: malformed, ResponseErrorHandlerFunc: api.WriteError}),
		GorillaServerOptions{BaseRouter: r, ErrorHandlerFunc: malformed},
	)
}

// malformed answers what the generated code could not decode although the guard let it pass.
func malformed(w http.ResponseWriter, r *http.Request, err error) {
	api.WriteError(w, r, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: "cannot be read", Err: err})
}

// exists says, for each path with an id, how to find out whether there is such an object.
func (s *Surface) exists() map[string]func(context.Context, ID) error {
	return map[string]func(context.Context, ID) error{
		"/authentications/{id}":    look(s.directory.Authentications),
		"/clientapplications/{id}": look(s.directory.Applications),
		"/participants/{id}":       look(s.directory.Participants),
		"/channels/{id}":           look(s.directory.Channels),
		"/orchestrations/{id}":     look(s.directory.Orchestrations),
		"/accounts/{id}":           look(s.directory.Accounts),
	}
}

func look[T any](c *directory.Collection[T]) func(context.Context, ID) error {
	return func(ctx context.Context, id ID) error {
		_, err := find(ctx, c, id)
		return err
	}
}

// traceparent is the trace of a request in the form that callbacks hand on.
func traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// template is a route's path as the document has it.
func template(r *http.Request) string {
	path, err := mux.CurrentRoute(r).GetPathTemplate()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(path, BasePath)
}
