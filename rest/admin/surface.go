package admin

import (
	"context"
	_ "embed"
	"time"

	"parley"

	"github.com/gorilla/mux"

	"parley/directory"
	"parley/erasure"
	"parley/history"
	"parley/insight"
	"parley/insight/figures"
	"parley/rest"
	"parley/rest/api"
	"parley/rest/contract"
)

// BasePath is where the surface is served.
const BasePath = "/admin/v1"

// Document is the contract of the surface, an OpenAPI 3.0 document in YAML.
//
//go:embed openapi.yaml
var Document []byte

// Surface answers the operations of openapi.yaml. Safe for concurrent use.
type Surface struct {
	administration *directory.Administration
	receivers      *directory.Receivers
	deliveries     *directory.Deliveries
	callbacks      Callbacks
	trackers       insight.Trackers
	found          *insight.Conversations
	runs           insight.Runs
	bots           *directory.Bots
	runner         BotRunner
	importer       *history.Importer
	exporter       *history.Exporter
	record         figures.Record
	statistics     figures.Statistics
	eraser         *erasure.Eraser
	grace          time.Duration
	contract       *contract.Contract
}

// Deps is what the surface works with. All are required.
type Deps struct {
	Administration *directory.Administration
	Receivers      *directory.Receivers
	Deliveries     *directory.Deliveries
	Callbacks      Callbacks
	Understanding  *insight.Vocabularies
	Redaction      parley.Redaction // of conversations that are imported; nil = they go in as they are
	Bots           *directory.Bots
	Runner         BotRunner
	Hub            erasure.Hub   // ends conversations of persons that are removed
	Files          erasure.Files // removes their files
	RetentionGrace time.Duration // how long new settings of retention can be taken back
	Record         interface {   // the store
		history.Record
		history.Places
	}
	Verifier api.Verifier
}

var _ StrictServerInterface = (*Surface)(nil)

// New returns the surface.
func New(d Deps) *Surface {
	s := &Surface{administration: d.Administration, receivers: d.Receivers, deliveries: d.Deliveries, callbacks: d.Callbacks, bots: d.Bots, runner: d.Runner, importer: &history.Importer{Record: d.Record, Redaction: d.Redaction}, exporter: &history.Exporter{Record: d.Record, Places: d.Record}, record: d.Record, eraser: &erasure.Eraser{Record: d.Record, Hub: d.Hub, Files: d.Files}, grace: d.RetentionGrace, statistics: figures.Statistics{Record: d.Record},
		trackers: insight.Trackers{Vocabularies: d.Understanding}, found: &insight.Conversations{Vocabularies: d.Understanding}, runs: insight.Runs{Vocabularies: d.Understanding}}
	s.contract = contract.New(contract.Config{Document: Document, BasePath: BasePath, Verifier: d.Verifier, Exists: map[string]func(context.Context, string) error{
		"/organisations/{id}": func(ctx context.Context, id string) error {
			_, err := s.GetOrganisation(ctx, GetOrganisationRequestObject{Id: id})
			return err
		},
		"/environments/{id}": func(ctx context.Context, id string) error {
			_, err := s.GetEnvironment(ctx, GetEnvironmentRequestObject{Id: id})
			return err
		},
		"/clients/{id}": func(ctx context.Context, id string) error {
			_, err := s.GetClient(ctx, GetClientRequestObject{Id: id})
			return err
		},
		"/keys/{id}": func(ctx context.Context, id string) error {
			_, err := s.GetKey(ctx, GetKeyRequestObject{Id: id})
			return err
		},
	}})
	return s
}

// Register adds the routes below [BasePath].
func (s *Surface) Register(root *mux.Router) {
	r := root.PathPrefix(BasePath).Subrouter()
	rest.NotFound(r)
	r.Use(limitBody, s.contract.Guard)
	HandlerWithOptions(
		NewStrictHandlerWithOptions(s, nil, StrictHTTPServerOptions{RequestErrorHandlerFunc: contract.Malformed, ResponseErrorHandlerFunc: api.WriteError}),
		GorillaServerOptions{BaseRouter: r, ErrorHandlerFunc: contract.Malformed},
	)
}

// as is who acts in a request.
func as(ctx context.Context) directory.Administrator {
	return directory.Administrator(api.GrantOf(ctx).Tenant)
}

// Defaults of lists, as in conversationmgr.
const (
	firstPage   = 1
	defaultSize = 10
)

func pageInfo(number *PageNumber, size *PageSize) PaginationInfo {
	return PaginationInfo{Pagenum: api.Or(number, firstPage), Pagesize: api.Or(size, defaultSize)}
}

// cut is the page of a list that is short enough to be read whole.
func cut[T any](all []T, info *PaginationInfo) []T {
	info.Count = len(all)
	from := min((info.Pagenum-1)*info.Pagesize, len(all))
	to := min(from+info.Pagesize, len(all))
	return all[from:to]
}
