package dispatch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ohler55/ojg/jp"
	"golang.org/x/sync/singleflight"

	"parley"
)

const (
	tokenTimeout   = 5 * time.Second // reference section 2
	maxTokenAnswer = 64 << 10        // bytes
	maxToken       = 8 << 10         // bytes: what fits into a header
)

// tokens makes Authorization headers. A fetched token is used until a callback answers 401; one fetch per
// authentication at a time, for which all callers wait. Safe for concurrent use.
type tokens struct {
	client *http.Client
	flight singleflight.Group
	mu     sync.Mutex
	cached map[tokenKey]string
	renews func(outcome string) // counts
}

// tokenKey changes with every PUT of the authentication, which drops the cached token.
type tokenKey struct {
	tenant   parley.TenantID
	id       parley.AuthenticationID
	modified time.Time
}

// authorization is the value of the header; refuse is the value that was answered 401, which is not used again.
func (t *tokens) authorization(ctx context.Context, a *parley.Authentication, refuse string) (string, error) {
	if a.Basic != nil {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Basic.Username+":"+a.Basic.Password)), nil
	}
	if a.OAuth2 == nil {
		return "", errors.New("the authentication has no variant")
	}
	key := tokenKey{a.Tenant, a.ID, a.Modified}
	t.mu.Lock()
	value, ok := t.cached[key]
	if ok && value == refuse {
		delete(t.cached, key)
		ok = false
	}
	t.mu.Unlock()
	if ok {
		return value, nil
	}
	// The flight outlives the caller who began it: others wait for the same token.
	flight := t.flight.DoChan(a.Tenant.String()+a.ID.String()+a.Modified.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
		defer cancel()
		value, err := fetchToken(ctx, t.client, a.OAuth2)
		if err != nil {
			t.renews("error")
			return "", err
		}
		t.renews("ok")
		t.mu.Lock()
		defer t.mu.Unlock()
		for old := range t.cached {
			if old.id == key.id && old.tenant == key.tenant {
				delete(t.cached, old)
			}
		}
		t.cached[key] = value
		return value, nil
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return "", fmt.Errorf("fetch access token: %w", r.Err)
		}
		return r.Val.(string), nil
	case <-ctx.Done():
		return "", fmt.Errorf("fetch access token: %w", ctx.Err())
	}
}

// fetchToken follows the recipe. Its errors hold neither the URL nor anything of the answer: both may be secret.
func fetchToken(ctx context.Context, client *http.Client, r *parley.TokenRecipe) (string, error) {
	var body io.Reader
	if r.Payload != "" && r.Method != http.MethodGet {
		body = strings.NewReader(r.Payload)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return "", errors.New("the recipe makes no request")
	}
	if body != nil {
		req.Header.Set("Content-Type", guessType(r.Payload))
	}
	for _, h := range r.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	res, err := client.Do(req)
	if err != nil {
		return "", plain(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxTokenAnswer))
	if err != nil {
		return "", plain(err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return "", fmt.Errorf("the token URL answered %d", res.StatusCode)
	}
	token, err := pickToken(answer, r.TokenPath)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(token, " ") { // it begins with a scheme word of its own
		return token, nil
	}
	return "Bearer " + token, nil
}

// guessType is the Content-Type for a payload whose recipe has no header for it.
func guessType(payload string) string {
	if json.Valid([]byte(payload)) {
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}

// pickToken finds the token in an answer by a JSONPath.
func pickToken(answer []byte, path string) (string, error) {
	where, err := jp.ParseString(path)
	if err != nil {
		return "", errors.New("accessTokenPath is no JSONPath")
	}
	var tree any
	if err := json.Unmarshal(answer, &tree); err != nil {
		return "", errors.New("the token URL's answer is no JSON")
	}
	token, _ := where.First(tree).(string)
	token = strings.TrimSpace(token)
	if token == "" || len(token) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", errors.New("accessTokenPath finds no token in the answer")
	}
	return token, nil
}
