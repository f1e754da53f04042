package forward

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"parley"
)

const (
	tokenPath       = "/oauth2/token"
	applicationPath = "/conversation/conversationmgr/v3/clientapplications/"
	maxAnswer       = 1 << 20 // bytes of the hub's answers that are read
)

// token fetches an access token with the client's credentials.
func (f *forwarder) token(ctx context.Context) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {f.ClientID}, "client_secret": {f.ClientSecret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.Hub+tokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		return "", final("the hub's URL cannot be used: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token string `json:"access_token"`
	}
	status, err := f.ask(req, &answer)
	switch {
	case err != nil:
		return "", fmt.Errorf("fetch a token: %w", err)
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "", final("the hub does not know this API client (status %d): give --client and --secret as parley client create printed them", status)
	case status == http.StatusNotFound:
		return "", final("what answers at %s is no hub", f.Hub)
	case status != http.StatusOK || answer.Token == "":
		return "", fmt.Errorf("fetch a token: the hub answered %d", status)
	}
	return answer.Token, nil
}

// role is what is listened to. Where the client may read the application, what would be refused is said before, in full.
func (f *forwarder) role(ctx context.Context, token string) (parley.Role, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.Hub+applicationPath+url.PathEscape(f.Application), http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	var app struct {
		Roles []struct {
			Name     parley.Role
			Callback string
		}
	}
	status, err := f.ask(req, &app)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the client application: %w", err)
	case status == http.StatusForbidden: // the scopes of the client are for messages only: the hub decides when asked for deliveries
		return f.Role, nil
	case status == http.StatusNotFound, status == http.StatusBadRequest:
		return "", final("the hub has no client application %s: give --application the id that it answered when it was made", f.Application)
	case status != http.StatusOK:
		return "", fmt.Errorf("read the client application: the hub answered %d", status)
	}
	var names []string
	for _, r := range app.Roles {
		names = append(names, string(r.Name))
		if r.Name != f.Role && (f.Role != "" || len(app.Roles) > 1) {
			continue
		}
		if r.Callback != parley.SessionCallback {
			return "", final("%s", wrongCallback(f.Application, r.Name))
		}
		return r.Name, nil
	}
	return "", final("the client application has the roles %s: give one of them as --role", strings.Join(names, ", "))
}

// wrongCallback says what to do about a role that is called back.
func wrongCallback(application string, r parley.Role) string {
	return fmt.Sprintf("role %s of client application %s is called back, so nothing of it comes over a session. To listen, set the role's callback to %q"+
		" (PUT %s%s); to be called back again, set it to the URL that it had. What is owed waits meanwhile", r, application, parley.SessionCallback, applicationPath, application)
}

// ask makes a request and reads the JSON of a good answer.
func (f *forwarder) ask(req *http.Request, out any) (status int, err error) {
	res, err := f.hub.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, err
	}
	if res.StatusCode == http.StatusOK {
		err = json.Unmarshal(text, out)
	}
	return res.StatusCode, err
}
