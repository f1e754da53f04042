// Package widget is the surface by which the chat widget gets a session. The page itself is mounted beside it; what the
// widget says after that goes over WebSocket.
package widget

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"

	"github.com/gorilla/mux"

	"parley"
	"parley/directory"
	"parley/rest"
	"parley/rest/api"
	"parley/rest/contract"
)

// BasePath is where the surface is served. The pages of the widget share it.
const BasePath = "/widget/v1"

// Document is the contract of the surface, an OpenAPI 3.0 document in YAML.
//
//go:embed openapi.yaml
var Document []byte

// An Admitter decides who may chat; [directory.Visitors] does.
type Admitter interface {
	Admit(ctx context.Context, v directory.Visit) (directory.Admission, error)
}

// Surface answers the operations of openapi.yaml. Safe for concurrent use.
type Surface struct {
	admitter Admitter
	contract *contract.Contract
}

// New returns the surface.
func New(a Admitter) *Surface {
	return &Surface{admitter: a, contract: contract.New(contract.Config{Document: Document, BasePath: BasePath})}
}

// Register adds the routes below [BasePath], and nothing else there.
func (s *Surface) Register(root *mux.Router) {
	sessions := rest.LimitBody(maxBody)(s.contract.Guard(http.HandlerFunc(s.create)))
	root.Path(BasePath + "/sessions").Methods(http.MethodPost).Handler(sessions)
	root.Path(BasePath + "/sessions").Methods(http.MethodOptions).HandlerFunc(preflight)
}

// maxBody is in bytes: two tokens and some names.
const maxBody = 64 << 10

// A visit is the body of a request; the guard has checked it.
type visit struct {
	EnvironmentID string `json:"environmentId"`
	Account       *struct {
		Channel struct {
			Type string `json:"type"`
		} `json:"channel"`
		Address string `json:"address"`
	} `json:"account"`
	Customer struct {
		Name string `json:"name"`
	} `json:"customer"`
	Identity string `json:"identity"`
	Renew    string `json:"renew"`
}

func (s *Surface) create(w http.ResponseWriter, r *http.Request) {
	admission, err := s.admit(r)
	if err != nil {
		// A page that may not talk to us does not need to know why either.
		if parley.KindOf(err) != parley.Forbidden {
			allowOrigin(w, r)
		}
		api.WriteError(w, r, err)
		return
	}
	allowOrigin(w, r)
	api.WriteJSON(w, http.StatusCreated, map[string]any{"token": admission.Token, "expires": api.Time(admission.Expires)})
}

func (s *Surface) admit(r *http.Request) (directory.Admission, error) {
	var v visit
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		return directory.Admission{}, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: "cannot be read", Err: err}
	}
	ask := directory.Visit{Name: v.Customer.Name, Identity: v.Identity, Renew: v.Renew, Origin: r.Header.Get("Origin"), Host: r.Host}
	if v.Renew == "" {
		if v.Account == nil {
			return directory.Admission{}, &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "account", Msg: "is required without renew"}
		}
		ask.ChannelType, ask.Address = v.Account.Channel.Type, v.Account.Address
		if v.EnvironmentID != "" {
			id, err := parley.ParseID[parley.Tenant](v.EnvironmentID)
			if err != nil {
				return directory.Admission{}, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "environmentId", Msg: "there is no environment of that id"}
			}
			ask.Tenant = id
		}
	}
	return s.admitter.Admit(r.Context(), ask)
}

// allowOrigin lets the page that asked read the answer.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
}

// preflight answers the browser's question before it posts. It says yes to every page, for it does not yet say which
// account is meant; the post itself decides, and only then is there anything to read.
func preflight(w http.ResponseWriter, r *http.Request) {
	allowOrigin(w, r)
	w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
	w.Header().Set("Access-Control-Allow-Headers", "Content-Type, Accept-Language, X-egain-error-message")
	w.Header().Set("Access-Control-Max-Age", "600") // seconds
	w.WriteHeader(http.StatusNoContent)
}
