package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// grantType is the only one: clients are programs.
const grantType = "client_credentials"

// A tokenRequest is a well-formed one.
type tokenRequest struct {
	credentials []credential // readings of what was sent, most likely first; at least one
	scope       string
}

type credential struct{ id, secret string }

// parse reads a token request: a form, with client_id and client_secret in it or in an Authorization header of the Basic
// scheme. Errors are refusals.
func parse(body, authorization string) (tokenRequest, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return tokenRequest{}, refuse("invalid_request", "the body is not a form")
	}
	for name, values := range form {
		if len(values) > 1 { // RFC 6749 section 3.2
			return tokenRequest{}, refuse("invalid_request", "a parameter is there twice: "+printable(name))
		}
	}
	switch form.Get("grant_type") {
	case grantType:
	case "":
		return tokenRequest{}, refuse("invalid_request", "grant_type is missing")
	default:
		return tokenRequest{}, refuse("unsupported_grant_type", "the only grant_type is "+grantType)
	}
	request := tokenRequest{scope: form.Get("scope")}
	inForm := credential{form.Get("client_id"), form.Get("client_secret")}
	if authorization == "" {
		if inForm.id == "" || inForm.secret == "" {
			return tokenRequest{}, refuse("invalid_client", "client_id and client_secret are missing")
		}
		request.credentials = []credential{inForm}
		return request, nil
	}
	if request.credentials = basic(authorization); request.credentials == nil {
		return tokenRequest{}, refuse("invalid_client", "the Authorization header is not of the form: Basic <credentials>")
	}
	// RFC 6749 section 2.3 forbids two ways at once; saying the same twice does no harm.
	if first := request.credentials[0]; inForm.id != "" && inForm.id != first.id || inForm.secret != "" && inForm.secret != first.secret {
		return tokenRequest{}, refuse("invalid_request", "the client names itself in two ways")
	}
	return request, nil
}

// basic reads a Basic header, nil if it is none. RFC 6749 section 2.3.1 has id and secret form-encoded before they are
// joined; most clients leave that out, so both readings are tried.
func basic(authorization string) []credential {
	scheme, encoded, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return nil
	}
	id, secret, ok := strings.Cut(string(text), ":")
	if !ok || id == "" || secret == "" {
		return nil
	}
	readings := []credential{{id, secret}}
	plainID, err1 := url.QueryUnescape(id)
	plainSecret, err2 := url.QueryUnescape(secret)
	if unescaped := (credential{plainID, plainSecret}); err1 == nil && err2 == nil && unescaped != readings[0] {
		readings = append(readings, unescaped)
	}
	return readings
}

// printable keeps of a stranger's text what RFC 6749 allows in error_description, at most 40 characters of it.
func printable(s string) string {
	kept := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
	return kept[:min(len(kept), 40)]
}
