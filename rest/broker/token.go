package broker

import (
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"parley"
	"parley/rest/api"
)

const (
	// accessLife is what connectors assume (reference 2).
	accessLife = 15 * time.Minute
	// refreshLife is how long a token can be renewed without credentials.
	refreshLife = 30 * time.Minute
)

// granted is the answer to a good token request.
type granted struct {
	AccessToken      string `json:"access_token"`
	ExpiresIn        int64  `json:"expires_in"` // seconds
	RefreshExpiresIn int64  `json:"refresh_expires_in"`
	RefreshToken     string `json:"refresh_token"`
	TokenType        string `json:"token_type"`
}

// refused is the answer to a bad one, as OAuth has it.
type refused struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	status      int
}

// token gives tokens to connectors, which want one before they say anything.
func (s *Surface) token(w http.ResponseWriter, r *http.Request) {
	answer, no, err := s.issue(r)
	switch {
	case err != nil:
		api.NoteError(r.Context(), err)
		api.WriteJSON(w, http.StatusInternalServerError, refused{Error: "server_error", Description: "internal error"})
	case no != nil:
		api.WriteJSON(w, no.status, no)
	default:
		w.Header().Set("Cache-Control", "no-store")
		api.WriteJSON(w, http.StatusOK, answer)
	}
}

func (s *Surface) issue(r *http.Request) (granted, *refused, error) {
	ctx := r.Context()
	organisation, err := s.realm(r)
	if err != nil {
		return granted{}, nil, err
	}
	if organisation == nil {
		return granted{}, &refused{"invalid_request", "there is no organisation of this name", http.StatusNotFound}, nil
	}
	if err := r.ParseForm(); err != nil {
		return granted{}, &refused{"invalid_request", "the body is no form", http.StatusBadRequest}, nil //nolint:nilerr // it is the caller's
	}
	var client parley.APIClient
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		client, err = s.Authority.Authenticate(ctx, r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"))
	case "password": // whoever has an account of the vendor's console has a client here
		client, err = s.Authority.Authenticate(ctx, r.PostForm.Get("username"), r.PostForm.Get("password"))
	case "refresh_token":
		if client, err = s.Authority.Refresh(ctx, r.PostForm.Get("refresh_token")); parley.KindOf(err) == parley.Unauthenticated {
			return granted{}, &refused{"invalid_grant", "the refresh token is not valid, or has expired", http.StatusBadRequest}, nil
		}
	default:
		return granted{}, &refused{"unsupported_grant_type", "grant_type must be client_credentials, password or refresh_token", http.StatusBadRequest}, nil
	}
	if parley.KindOf(err) == parley.Unauthenticated {
		return granted{}, &refused{"invalid_client", "the client is unknown, or its secret is wrong", http.StatusUnauthorized}, nil
	}
	if err != nil {
		return granted{}, nil, err
	}
	access, until, err := s.Authority.IssueFor(ctx, &client, client.Scopes, accessLife)
	if err != nil {
		return granted{}, nil, err
	}
	refresh, renewable, err := s.Authority.IssueRefresh(ctx, &client, refreshLife)
	left := func(t time.Time) int64 { return int64(math.Ceil(t.Sub(s.Clock()).Seconds())) }
	return granted{AccessToken: access, ExpiresIn: left(until), RefreshToken: refresh, RefreshExpiresIn: left(renewable), TokenType: "Bearer"}, nil, err
}

// realm is the organisation that a token path names, by name or id; nil if there is none.
func (s *Surface) realm(r *http.Request) (found *parley.Organisation, err error) {
	name := mux.Vars(r)["realm"]
	err = s.Store.View(r.Context(), func(tx parley.Tx) error {
		all, err := tx.Organisations(r.Context())
		for i := range all {
			if strings.EqualFold(all[i].Name, name) || strings.EqualFold(all[i].ID.String(), name) {
				found = &all[i]
			}
		}
		return err
	})
	return found, err
}
