package dispatch

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley"
)

// secrets are what must not be kept of an answer, should whoever gave it echo it.
type secrets []string

// minSecret is the shortest text that is cut, in bytes: cutting shorter ones leaves nothing to read, and where they were
// cut is no secret.
const minSecret = 4

// add takes a secret in every form in which it may be echoed.
func (s *secrets) add(values ...string) {
	for _, v := range values {
		escaped := escape(v)
		for _, form := range []string{v, escaped, escape(escaped), url.QueryEscape(v), url.PathEscape(v), html.EscapeString(v),
			base64.StdEncoding.EncodeToString([]byte(v))} {
			if len(v) >= minSecret && !slices.Contains(*s, form) {
				*s = append(*s, form)
			}
		}
	}
}

// escape is a text as it stands in JSON; twice, as in JSON that is a string of JSON.
func escape(text string) string {
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)            // most others do not either
	_ = encoder.Encode(text)                // a string always can be
	s := strings.TrimSpace(quoted.String()) // the newline of the encoder
	return s[1 : len(s)-1]
}

// addURL takes what a URL may hold of secrets: its path, its query and the values in it.
func (s *secrets) addURL(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	s.add(address)
	if u.Path != "/" {
		s.add(u.Path, u.EscapedPath())
	}
	s.add(u.RawQuery)
	for _, values := range u.Query() {
		s.add(values...)
	}
}

// addHeaders takes the values of headers, and the credentials of those that begin with a scheme.
func (s *secrets) addHeaders(all []parley.NameValue) {
	for _, h := range all {
		s.add(h.Value)
		s.addCredential(h.Value)
	}
}

// addCredential takes what follows the scheme of an Authorization, and the two parts of Basic.
func (s *secrets) addCredential(value string) {
	_, credential, ok := strings.Cut(value, " ")
	if !ok {
		return
	}
	s.add(credential)
	if plain, err := base64.StdEncoding.DecodeString(credential); err == nil && utf8.Valid(plain) {
		_, password, _ := strings.Cut(string(plain), ":")
		s.add(string(plain), password)
	}
}

// addPayload takes a payload whole, and each value of it if it is JSON or a form.
func (s *secrets) addPayload(payload string) {
	s.add(payload)
	var tree any
	if json.Unmarshal([]byte(payload), &tree) == nil {
		eachText(tree, func(text string) { s.add(text) })
	} else if form, err := url.ParseQuery(payload); err == nil {
		for _, values := range form {
			s.add(values...)
		}
	}
}

// eachText calls visit for every string in a JSON value.
func eachText(tree any, visit func(string)) {
	switch v := tree.(type) {
	case string:
		visit(v)
	case map[string]any:
		for _, member := range v {
			eachText(member, visit)
		}
	case []any:
		for _, element := range v {
			eachText(element, visit)
		}
	}
}

// addRecipe takes everything that a token recipe sends.
func (s *secrets) addRecipe(r *parley.TokenRecipe) {
	s.addURL(r.URL)
	s.addHeaders(r.Headers)
	s.addPayload(r.Payload)
}

// ofTarget are the secrets of a callback: what is sent with it, and what it is signed with.
func ofTarget(to target, authorization string) (s secrets) {
	s.addURL(to.role.Callback)
	s.addHeaders(to.role.Headers)
	s.addCredential(authorization)
	for _, secret := range to.role.Signing.Active(time.Time{}) { // also those that sign no more
		s.add(secret, strings.TrimPrefix(secret, "whsec_"))
	}
	if a := to.authentication; a != nil && a.OAuth2 != nil {
		s.addRecipe(a.OAuth2)
	}
	return s
}

// excerpt is what is kept of an answer: at most 1 KiB of text without the secrets.
func (s secrets) excerpt(body []byte) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(string(body), "\x00", ""), "\uFFFD")
	// The longest first: a payload is cut whole before the values in it.
	slices.SortStableFunc(s, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, "[cut]")
	}
	// The reading ends somewhere; a secret that was being echoed there has left its beginning.
	for _, secret := range s {
		for n := min(len(secret)-1, len(text)); n >= minSecret; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				text = text[:len(text)-n] + "[cut]"
				break
			}
		}
	}
	for len(text) > keptAnswer {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
