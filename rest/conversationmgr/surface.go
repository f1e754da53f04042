package conversationmgr

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"parley"
	"parley/assets"
	"parley/directory"
	"parley/hub"
	"parley/rest"
	"parley/rest/api"
	"parley/rest/contract"
)

// BasePath is where the surface is served (reference 1.1).
const BasePath = "/conversation/conversationmgr/v3"

// Document is the contract of the surface, an OpenAPI 3.0 document in YAML.
//
//go:embed openapi.yaml
var Document []byte

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
	hub       Hub
	directory *directory.Directory
	assets    *assets.Assets
	contract  *contract.Contract
	log       *slog.Logger
}

var _ StrictServerInterface = (*Surface)(nil)

// New returns the surface. It panics if the embedded document is broken, which its tests rule out.
func New(d Deps) *Surface {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Surface{hub: d.Hub, directory: d.Directory, assets: d.Assets, log: d.Log, contract: contract.New(contract.Config{
		Document: Document, BasePath: BasePath, Verifier: d.Verifier, Exists: exists(d.Directory),
		Unread: []string{"sendMessage"}, // package wire does
	})}
}

// Register adds the routes below [BasePath].
func (s *Surface) Register(root *mux.Router) {
	// Before the guarded routes, whose {id} would take these paths. Their signature is the authority.
	upload := rest.LimitBody(maxUpload)(http.HandlerFunc(s.upload))
	root.Path(BasePath+"/assets/upload").Methods(http.MethodPost, http.MethodPut).Handler(upload)
	root.Path(BasePath + "/assets/download").Methods(http.MethodGet).HandlerFunc(s.download)

	r := root.PathPrefix(BasePath).Subrouter()
	rest.NotFound(r)
	r.Use(rest.LimitBody(rest.MaxBody), s.contract.Guard)
	r.Path("/conversations/messages").Methods(http.MethodPost).HandlerFunc(s.sendMessage)
	r.Path("/conversations/{id}").Methods(http.MethodGet).HandlerFunc(s.fetchConversation)
	HandlerWithOptions(
		NewStrictHandlerWithOptions(s, nil, StrictHTTPServerOptions{RequestErrorHandlerFunc: contract.Malformed, ResponseErrorHandlerFunc: api.WriteError}),
		GorillaServerOptions{BaseRouter: r, ErrorHandlerFunc: contract.Malformed},
	)
}

// exists says, for each path with an id, how to find out whether there is such an object.
func exists(d *directory.Directory) map[string]func(context.Context, ID) error {
	return map[string]func(context.Context, ID) error{
		"/authentications/{id}":    look(d.Authentications),
		"/clientapplications/{id}": look(d.Applications),
		"/participants/{id}":       look(d.Participants),
		"/channels/{id}":           look(d.Channels),
		"/orchestrations/{id}":     look(d.Orchestrations),
		"/accounts/{id}":           look(d.Accounts),
	}
}

func look[T any](c *directory.Collection[T]) func(context.Context, ID) error {
	return func(ctx context.Context, id ID) error {
		_, err := find(ctx, c, id)
		return err
	}
}
