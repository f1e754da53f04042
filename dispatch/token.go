package dispatch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/sync/singleflight"

	"parley"
	"parley/egress"
)

const (
	tokenTimeout   = 5 * time.Second // reference section 2
	maxTokenAnswer = 64 << 10        // bytes
	maxToken       = 8 << 10         // bytes: what fits into a header
)

// tokens makes Authorization headers. A fetched token is used until a callback answers 401; one fetch per
// authentication at a time, for which all callers wait. Safe for concurrent use.
//
// Tokens are kept twice. In the record they are sealed with the authentication, under the key that is in no database: who
// has a dump has no token, and a restart, or another node, needs no new one. In memory they are sealed under a key of this
// process, so that no printed struct, log line or single page of memory that gets out holds one. That does not protect
// from who can read all of the process's memory: the key is in it, and so are the recipes.
type tokens struct {
	clients *clients
	store   parley.Store // nil = tokens are kept in memory alone
	flight  singleflight.Group
	box     tink.AEAD
	mu      sync.Mutex
	cached  map[tokenKey][]byte  // sealed in box, with the key's text as associated data
	renews  func(outcome string) // counts
}

// tokenKey changes with every PUT of the authentication, which drops the cached token.
type tokenKey struct {
	tenant   parley.TenantID
	id       parley.AuthenticationID
	modified time.Time
}

func (k tokenKey) String() string {
	return k.tenant.String() + k.id.String() + k.modified.UTC().Format(time.RFC3339Nano)
}

func newTokens(c *clients, store parley.Store, renews func(string)) *tokens {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		panic("dispatch: make a key for tokens: " + err.Error()) // the template is tink's own
	}
	box, err := aead.New(handle)
	if err != nil {
		panic("dispatch: use a key for tokens: " + err.Error())
	}
	return &tokens{clients: c, store: store, box: box, cached: map[tokenKey][]byte{}, renews: renews}
}

// A tokenError says what was wrong with a token call. Both texts are shown: secrets are cut out.
type tokenError struct {
	problem string
	answer  string // what is kept of the token URL's answer, if there was one
}

func (e *tokenError) Error() string { return "fetch access token: " + e.problem }

// authorization is the value of the header, "" if the authentication is by certificate alone; refuse is the value that was
// answered 401, which is not used again. An error that is no [tokenError] is a fault of ours.
func (t *tokens) authorization(ctx context.Context, a *parley.Authentication, refuse string) (string, error) {
	switch {
	case a.Basic != nil:
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Basic.Username+":"+a.Basic.Password)), nil
	case a.OAuth2 == nil && a.TLS != nil:
		return "", nil
	case a.OAuth2 == nil:
		return "", errors.New("the authentication has no variant")
	}
	key := tokenKey{a.Tenant, a.ID, a.Modified}
	if value := t.known(key, refuse); value != "" {
		return value, nil
	}
	// The flight outlives the caller who began it: others wait for the same token.
	flight := t.flight.DoChan(key.String(), func() (any, error) { return t.renew(ctx, a, key, refuse) })
	select {
	case r := <-flight:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	case <-ctx.Done():
		return "", &tokenError{problem: egress.Plain(ctx.Err()).Error()}
	}
}

// renew gets a new token. A panic in it would end the process, since the flight has a goroutine of its own; it is a fault of ours, which
// costs all who wait for the token one attempt.
func (t *tokens) renew(ctx context.Context, a *parley.Authentication, key tokenKey, refuse string) (value string, err error) {
	defer func() {
		if p := recover(); p != nil {
			t.renews("error")
			value, err = "", fmt.Errorf("renew a token: panic: %v\n%s", p, debug.Stack())
		}
	}()
	if value := t.known(key, refuse); value != "" { // another flight landed meanwhile
		return value, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
	defer cancel()
	if value := t.recorded(ctx, key); value != "" && value != refuse { // fetched by another node, or before a restart
		return value, t.remember(key, value)
	}
	if value, err = t.fetch(ctx, a); err != nil {
		t.renews("error")
		return "", err
	}
	t.renews("ok")
	t.record(ctx, key, value)
	return value, t.remember(key, value)
}

// known is the token in memory, "" if there is none but the refused one.
func (t *tokens) known(key tokenKey, refuse string) string {
	t.mu.Lock()
	sealed := t.cached[key]
	t.mu.Unlock()
	if sealed == nil {
		return ""
	}
	value, err := t.box.Decrypt(sealed, []byte(key.String()))
	if err != nil || string(value) == refuse {
		return ""
	}
	return string(value)
}

// remember keeps a token in memory, and drops those of the authentication as it was before.
func (t *tokens) remember(key tokenKey, value string) error {
	sealed, err := t.box.Encrypt([]byte(value), []byte(key.String()))
	if err != nil {
		return errors.New("seal an access token") // the cause may hold it
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for old := range t.cached {
		if old.id == key.id && old.tenant == key.tenant {
			delete(t.cached, old)
		}
	}
	t.cached[key] = sealed
	return nil
}

// recorded is the token in the record, "" if there is none or it cannot be read: then one is fetched.
func (t *tokens) recorded(ctx context.Context, key tokenKey) (value string) {
	if t.store == nil {
		return ""
	}
	_ = t.store.View(ctx, func(tx parley.Tx) error {
		a, err := tx.Authentications().Find(ctx, key.tenant, key.id)
		if err == nil && a.Modified.Equal(key.modified) {
			value = a.Token
		}
		return err
	})
	return value
}

// record keeps a token with its authentication, unless that was replaced meanwhile. If it fails a restart needs one token
// call more, which is all.
func (t *tokens) record(ctx context.Context, key tokenKey, value string) {
	if t.store == nil {
		return
	}
	_ = t.store.Update(ctx, func(tx parley.Tx) error {
		a, err := tx.Authentications().Find(ctx, key.tenant, key.id)
		if err != nil || !a.Modified.Equal(key.modified) {
			return err
		}
		a.Token = value
		return tx.Authentications().Replace(ctx, &a, nil) // authentications refer to nothing
	})
}

// fetch follows the recipe. Its errors are a [tokenError], unless this machine is at fault.
func (t *tokens) fetch(ctx context.Context, a *parley.Authentication) (string, error) {
	r := a.OAuth2
	client, err := t.clients.of(a)
	if err != nil {
		return "", &tokenError{problem: err.Error()}
	}
	var body io.Reader
	if r.Payload != "" { // verbatim, with GET as well: the recipe's author knows why
		body = strings.NewReader(r.Payload)
	}
	req, err := http.NewRequestWithContext(anew(ctx), r.Method, r.URL, body) // once in a token's life
	if err != nil {
		return "", &tokenError{problem: "the recipe makes no request"}
	}
	req.Header.Set("User-Agent", "Parley")
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", guessType(r.Payload))
	}
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, "Host") { // net/http has it apart
			req.Host = h.Value
		}
		req.Header.Set(h.Name, h.Value)
	}
	res, err := client.Do(req)
	if ours := exhausted(err); ours != nil {
		return "", fmt.Errorf("fetch access token: %w", ours)
	}
	if err != nil {
		return "", &tokenError{problem: egress.Plain(err).Error()}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxTokenAnswer))
	if err != nil {
		return "", &tokenError{problem: egress.Plain(err).Error()}
	}
	var sent secrets
	sent.addRecipe(r)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return "", &tokenError{fmt.Sprintf("the token URL answered %d", res.StatusCode), sent.excerpt(answer)}
	}
	token, err := pickToken(answer, r.TokenPath)
	if err != nil {
		return "", &tokenError{err.Error(), sent.excerpt(withoutTokens(answer))}
	}
	if ownScheme.MatchString(token) {
		return token, nil
	}
	return "Bearer " + token, nil
}

// ownScheme matches a token that begins with a scheme word of its own (RFC 9110 section 11.1) and a blank.
var ownScheme = regexp.MustCompile("^[A-Za-z][!#$%&'*+.^_`|~0-9A-Za-z-]* +[^ ]")

// guessType is the Content-Type for a payload whose recipe has no header for it.
func guessType(payload string) string {
	if json.Valid([]byte(payload)) {
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}

// pickToken finds the token in an answer by a JSONPath.
func pickToken(answer []byte, path string) (string, error) {
	if len(answer) == 0 {
		return "", errors.New("the token URL's answer is empty")
	}
	var tree any
	if err := json.Unmarshal(answer, &tree); err != nil {
		if len(answer) == maxTokenAnswer {
			return "", fmt.Errorf("the token URL's answer is longer than %d KiB, or no JSON", maxTokenAnswer>>10)
		}
		return "", errors.New("the token URL's answer is no JSON")
	}
	found, err := walk(tree, path)
	if err != nil {
		return "", err
	}
	token, ok := found.(string)
	token = strings.TrimSpace(token)
	switch {
	case !ok:
		return "", errors.New("accessTokenPath finds something in the token URL's answer that is no string")
	case token == "":
		return "", errors.New("accessTokenPath finds an empty string in the token URL's answer")
	case len(token) > maxToken:
		return "", fmt.Errorf("the token is longer than %d KiB", maxToken>>10)
	case strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errors.New("the token has characters that no header can carry")
	}
	return token, nil
}

// pathStep is one step of the part of JSONPath that recipes may use (reference section 2): .name, ['name'], ["name"] or [n].
// The directory has checked that a path is made of them; libraries differ on names with a hyphen.
var pathStep = regexp.MustCompile(`^(?:\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^'\\]+)'\]|\["([^"\\]+)"\]|\[([0-9]{1,6})\])`)

// walk follows a path into an answer. Its errors name the place where the path ends.
func walk(tree any, path string) (any, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, errors.New("accessTokenPath is no JSONPath")
	}
	for rest != "" {
		step := pathStep.FindStringSubmatch(rest)
		if step == nil {
			return nil, errors.New("accessTokenPath is no JSONPath")
		}
		there := strings.TrimSuffix(path, rest) // what was walked
		rest = rest[len(step[0]):]
		var found bool
		if step[4] != "" {
			n, _ := strconv.Atoi(step[4]) // six digits at most
			all, _ := tree.([]any)
			if found = n < len(all); found {
				tree = all[n]
			}
		} else {
			members, _ := tree.(map[string]any)
			tree, found = members[step[1]+step[2]+step[3]]
		}
		if !found {
			return nil, fmt.Errorf("accessTokenPath finds nothing in the token URL's answer: %s has no %s", there, step[0])
		}
	}
	return tree, nil
}

// withoutTokens is a good answer in which no token was found, for its reader to see why: it may hold one elsewhere, so only
// names and numbers of JSON are left, and of other text what is too short to be one.
func withoutTokens(answer []byte) []byte {
	var tree any
	if json.Unmarshal(answer, &tree) != nil {
		return tokenLike.ReplaceAll(answer, []byte("[cut]"))
	}
	shape, err := json.Marshal(blank(tree))
	if err != nil {
		return nil
	}
	return shape
}

var tokenLike = regexp.MustCompile(`[A-Za-z0-9._~+/%=-]{12,}`)

// blank is a JSON value with "[cut]" for every string that is not empty.
func blank(tree any) any {
	switch v := tree.(type) {
	case string:
		if v != "" {
			return "[cut]"
		}
	case map[string]any:
		for name, member := range v {
			v[name] = blank(member)
		}
	case []any:
		for i, element := range v {
			v[i] = blank(element)
		}
	}
	return tree
}
