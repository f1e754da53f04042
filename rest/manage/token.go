package manage

import (
	"math"
	"net/http"
	"slices"
	"time"

	"parley"
	"parley/rest/api"
	"parley/tokens"
)

// credentials are what a token is asked for with.
type credentials struct {
	Type      *string `json:"type"`
	AppID     *string `json:"appId"`
	AppSecret *string `json:"appSecret"`
}

// generated is the answer to good ones.
type generated struct {
	AccessToken string `json:"accessToken"`
	ExpiresIn   int64  `json:"expiresIn"` // seconds
}

// generateToken gives a token for a key of kind manage, or any client that has its scope.
func (s *Surface) generateToken(w http.ResponseWriter, r *http.Request) {
	answer, err := s.generate(&request{Request: r})
	if err != nil {
		writeError(w, r, err)
		return
	}
	api.WriteJSON(w, http.StatusOK, answer)
}

func (s *Surface) generate(r *request) (generated, error) {
	c, err := object[credentials](r)
	if err != nil {
		return generated{}, err
	}
	for _, m := range []struct {
		name  string
		value *string
	}{{"type", c.Type}, {"appId", c.AppID}, {"appSecret", c.AppSecret}} {
		if err := given(m.name, m.value != nil); err != nil {
			return generated{}, err
		}
	}
	if *c.Type != "application" {
		return generated{}, refuse(http.StatusBadRequest, "%q must be application", "type")
	}
	client, err := s.authority.Authenticate(r.Context(), *c.AppID, *c.AppSecret)
	if err != nil {
		return generated{}, err
	}
	if !slices.Contains(client.Scopes, parley.ScopeUnderstanding) {
		return generated{}, &parley.Error{Kind: parley.Unauthenticated, Msg: "the application may not use this API: it lacks the scope " + parley.ScopeUnderstanding}
	}
	token, expires, err := s.authority.IssueFor(r.Context(), &client, []string{parley.ScopeUnderstanding}, tokens.MaxLifetime)
	if err != nil {
		return generated{}, err
	}
	return generated{AccessToken: token, ExpiresIn: int64(math.Ceil(time.Until(expires).Seconds()))}, nil
}

// given wants a member to be there.
func given(member string, there bool) error {
	if !there {
		return refuse(http.StatusBadRequest, "%q is required", member)
	}
	return nil
}
