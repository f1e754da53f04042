package broker

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"parley"
	"parley/ident"
)

// requestHeader names a request, and is echoed by every answer.
const requestHeader = "X-Request-Id"

// saneRequest is what is kept of a caller's name for a request: short, and unable to break a log line or a header.
var saneRequest = regexp.MustCompile(`^[!-~]{1,255}$`)

// corsHeaders are what pages may send (reference 3).
const corsHeaders = "API-KEY, Authorization, Content-Type, OS, OS-VERSION, BROWSER, BROWSER-VERSION, USER-REF, BUSINESS-KEY, LOCALE, CHANNEL, x-request-id, " +
	"x-b3-traceid, x-b3-spanid, x-b3-parentspanid, x-b3-sampled, x-b3-flags, x-ot-span-context"

// handler gives every answer its headers, and turns errors into bodies. Pages call from anywhere; whether one may talk to a channel the
// turn itself decides, and only then there is anything to read.
func (s *Surface) handler(handle func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		id := r.Header.Get(requestHeader)
		if !saneRequest.MatchString(id) {
			id = ident.New[http.Request]().String()
		}
		w.Header().Set(requestHeader, id)
		w.Header().Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Expose-Headers", "x-request-id, Retry-After")
		}
		if err := handle(w, r); err != nil {
			writeError(w, r, err)
		}
	})
}

func (s *Surface) preflight(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	w.Header().Set("Access-Control-Allow-Headers", corsHeaders)
	w.Header().Set("Access-Control-Max-Age", "600") // seconds
	w.WriteHeader(http.StatusNoContent)
}

// The lengths of headers in characters (reference 3). Those of the client are cut, the others are too much.
const (
	maxSystem, maxSystemVersion, maxBrowser = 20, 30, 20
	maxBusinessKey, maxUserRef, maxLocale   = 100, 255, 35
)

func cut(text string, length int) string {
	if utf8.RuneCountInString(text) <= length {
		return text
	}
	return string([]rune(text)[:length])
}

// header reads a header that must be there.
func header(r *http.Request, name string) (string, error) {
	value := strings.TrimSpace(r.Header.Get(name))
	if value == "" {
		return "", fail(http.StatusBadRequest, "MISSING_HEADER", "the header "+name+" is missing or blank")
	}
	return value, nil
}

// bounded wants a header of no more than so many characters.
func bounded(name, value string, most int) error {
	if utf8.RuneCountInString(value) > most || !utf8.ValidString(value) {
		return fail(http.StatusBadRequest, "INVALID_PARAMETER", "the header "+name+" is too long, or no UTF-8")
	}
	return nil
}

// localeOf reads the header that turns and surveys have.
func localeOf(r *http.Request) (string, error) {
	locale, err := header(r, "LOCALE")
	return locale, cmp.Or(err, bounded("LOCALE", locale, maxLocale))
}

// clientOf reads the headers of a turn.
func clientOf(r *http.Request) (c parley.ClientInfo, err error) {
	if c.System, err = header(r, "OS"); err != nil {
		return c, err
	}
	if c.UserRef, err = header(r, "USER-REF"); err != nil {
		return c, err
	}
	if c.Locale, err = localeOf(r); err != nil {
		return c, err
	}
	c.System, c.SystemVersion = cut(c.System, maxSystem), cut(strings.TrimSpace(r.Header.Get("OS-VERSION")), maxSystemVersion)
	c.Browser, c.BrowserVersion = cut(strings.TrimSpace(r.Header.Get("BROWSER")), maxBrowser), cut(strings.TrimSpace(r.Header.Get("BROWSER-VERSION")), maxBrowser)
	c.BusinessKey = strings.TrimSpace(r.Header.Get("BUSINESS-KEY"))
	return c, cmp.Or(bounded("BUSINESS-KEY", c.BusinessKey, maxBusinessKey), bounded("USER-REF", c.UserRef, maxUserRef))
}

// laterClient is where a customer is with a further turn: what the turn says replaces what was said before, but for the first USER-REF, which
// for pages is an address that changes (reference 3). What it does not say stays.
func laterClient(before, said parley.ClientInfo) parley.ClientInfo {
	return parley.ClientInfo{System: said.System, SystemVersion: cmp.Or(said.SystemVersion, before.SystemVersion), Browser: cmp.Or(said.Browser, before.Browser),
		BrowserVersion: cmp.Or(said.BrowserVersion, before.BrowserVersion), UserRef: cmp.Or(before.UserRef, said.UserRef),
		BusinessKey: cmp.Or(said.BusinessKey, before.BusinessKey), Locale: said.Locale}
}

// isTest reads the query of a turn.
func isTest(r *http.Request) (bool, error) {
	switch value := r.URL.Query().Get("test"); value {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, fail(http.StatusBadRequest, "INVALID_PARAMETER", "test must be true or false")
}

// read reads a body that is an object.
func read(r *http.Request, v any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return fail(http.StatusBadRequest, "MALFORMED_BODY", "the body is too large, or ended before its time")
	}
	// Clients repeat members and send bytes that are no UTF-8; the last member counts, as for most readers.
	err = json.Unmarshal(raw, v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if e, ok := errors.AsType[*json.SemanticError](err); ok && e.JSONPointer != "" {
		return fail(http.StatusBadRequest, "MALFORMED_BODY", strings.TrimPrefix(string(e.JSONPointer), "/")+" is of the wrong type")
	}
	if err != nil || jsontext.Value(raw).Kind() == 'n' { // null is read like an empty object otherwise
		return fail(http.StatusBadRequest, "MALFORMED_BODY", "the body is not a JSON object")
	}
	return nil
}

// maxText is the length of a turn's text in characters (reference 14).
const maxText = 4096

// A turnBody is the body of a turn (reference 4.1). Empty texts and null are as good as absent.
type turnBody struct {
	Text            *string                   `json:"text"`
	Code            *string                   `json:"code"`
	Intent          *string                   `json:"intent"`
	Confidence      *float64                  `json:"confidence"`
	Context         map[string]jsontext.Value `json:"context"`
	Entities        map[string]jsontext.Value `json:"entities"`
	UserInput       *string                   `json:"userInput"`
	InputText       *bool                     `json:"inputText"`
	Multilanguage   *bool                     `json:"toApplyMultilanguage"`
	AdvancedOptions *struct {
		Multilanguage *struct {
			TranslateInput *bool `json:"translateInput"`
		} `json:"multilanguage"`
	} `json:"advancedOptions"`
}

// input checks a turn and returns what it says to the bot, and the text that is kept of it.
func (b *turnBody) input() (in parley.TurnInput, text string, err error) {
	value := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	in = parley.TurnInput{Code: value(b.Code), Intent: value(b.Intent), UserInput: value(b.UserInput)}
	said := value(b.Text)
	if in.Code == "" && in.Intent == "" && in.UserInput == "" && strings.TrimSpace(said) == "" && len(b.Context) == 0 {
		return in, "", errEmpty
	}
	for _, t := range []string{said, in.Code, in.Intent, in.UserInput} {
		if utf8.RuneCountInString(t) > maxText {
			return in, "", fail(http.StatusUnprocessableEntity, "INVALID_VALUE", "text, code, intent and userInput may have 4096 characters")
		}
		if strings.ContainsRune(t, 0) || !utf8.ValidString(t) {
			return in, "", fail(http.StatusUnprocessableEntity, "INVALID_VALUE", "a text holds what is no character")
		}
	}
	if in.Intent != "" {
		in.Confidence = 1
		if b.Confidence != nil {
			in.Confidence = *b.Confidence
		}
	}
	if b.Confidence != nil && (*b.Confidence < 0 || *b.Confidence > 1) {
		return in, "", fail(http.StatusUnprocessableEntity, "INVALID_VALUE", "confidence must be from 0 to 1")
	}
	if len(b.Entities) > 0 {
		if in.Entities, err = json.Marshal(b.Entities, json.Deterministic(true)); err != nil {
			return in, "", fail(http.StatusBadRequest, "MALFORMED_BODY", "entities cannot be read")
		}
	}
	if len(b.Context) > 0 {
		if in.Context, err = json.Marshal(b.Context, json.Deterministic(true)); err != nil {
			return in, "", fail(http.StatusBadRequest, "MALFORMED_BODY", "context cannot be read")
		}
	}
	if said == "" { // what is kept shows what steers
		in.NoText = true
		for _, other := range []string{in.Code, in.Intent, in.UserInput} {
			if other != "" {
				return in, other, nil
			}
		}
	}
	return in, said, nil
}
