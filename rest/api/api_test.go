package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"parley"
)

// Every Kind and Reason has a code whose status says what the Kind says.
func TestEveryErrorHasACode(t *testing.T) {
	classes := map[parley.Kind][]int{parley.Internal: {500}, parley.Invalid: {400}, parley.Unauthenticated: {401}, parley.Forbidden: {403},
		parley.NotFound: {404, 400}, parley.Conflict: {409}, parley.Closed: {400}, parley.Busy: {429}}
	form := regexp.MustCompile(`^\d{3}-\d{3,5}$`)
	for _, kind := range parley.Kinds() {
		for _, reason := range parley.Reasons() {
			code := CodeOf(&parley.Error{Kind: kind, Reason: reason})
			ok := false
			for _, status := range classes[kind] {
				ok = ok || code.Status() == status
			}
			if !ok || !form.MatchString(string(code)) {
				t.Errorf("CodeOf(%s, reason %d) = %q", kind, reason, code)
			}
			if _, ok := userMessages[code]; !ok {
				t.Errorf("no user message for %s", code)
			}
		}
	}
}

// Each Reason belongs to some Kind that tells it apart, except where the code of the Kind says all.
func TestEveryReasonIsTold(t *testing.T) {
	for _, reason := range parley.Reasons()[1:] {
		told := false
		for _, byReason := range reasons {
			_, ok := byReason[reason]
			told = told || ok
		}
		if !told {
			t.Errorf("reason %d has no code in any Kind", reason)
		}
	}
}

func TestEveryUserMessageIsTranslated(t *testing.T) {
	for code, texts := range userMessages {
		for column, text := range texts {
			if text == "" || len([]rune(text)) > 1024 || column > 0 && text == texts[0] {
				t.Errorf("%s, language %d: %q", code, column, text)
			}
		}
	}
}

func answer(t *testing.T, err error, headers ...string) (*httptest.ResponseRecorder, Body) {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	WriteError(w, r, err)
	var body Body
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("the answer %q is not JSON: %v", w.Body, err)
	}
	return w, body
}

func TestInternalErrorsTellNothing(t *testing.T) {
	for _, err := range []error{errors.New("dial tcp 10.0.0.5: secret"), &parley.Error{Msg: "secret", Field: "secret", Details: []parley.Detail{{Key: "secret"}}}} {
		w, _ := answer(t, err)
		if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v was answered %d %s", err, w.Code, w.Body)
		}
	}
}

func TestErrorBodyKeepsItsLimits(t *testing.T) {
	e := &parley.Error{Kind: parley.Invalid, Field: strings.Repeat("f", 300), Msg: strings.Repeat("m", 3000)}
	for range 40 {
		e.Details = append(e.Details, parley.Detail{Key: strings.Repeat("k", 300), Value: strings.Repeat("é", 300)})
	}
	_, body := answer(t, e)
	if n := len([]rune(body.DeveloperMessage)); n > 2048 {
		t.Errorf("developerMessage has %d characters", n)
	}
	if len(body.Details) != 30 {
		t.Errorf("%d details", len(body.Details))
	}
	for _, d := range body.Details {
		if len([]rune(d.Key)) > 255 || len([]rune(d.Value)) > 255 {
			t.Errorf("a detail has %d and %d characters", len([]rune(d.Key)), len([]rune(d.Value)))
		}
	}
}

func TestUserMessageOnlyWhenAskedFor(t *testing.T) {
	gone := &parley.Error{Kind: parley.Closed}
	if _, body := answer(t, gone); body.UserMessage != "" {
		t.Errorf("unasked: %q", body.UserMessage)
	}
	for accept, want := range map[string]string{
		"": "over", "de": "beendet", "DE-at": "beendet", "fr-CA, en;q=0.5": "terminée", "es-ES": "terminado", "ja-JP": "over", "xx": "over", "en-us": "over", "!": "over",
	} {
		if _, body := answer(t, gone, "X-egain-error-message", "Yes", "Accept-Language", accept); !strings.Contains(body.UserMessage, want) {
			t.Errorf("Accept-Language %q: %q, want something with %q", accept, body.UserMessage, want)
		}
	}
}

func TestAcceptLanguage(t *testing.T) {
	for value, ok := range map[string]bool{
		"": true, " ": true, "en-us": true, "xx-Unknown": true, "*": true, "de, en;q=0.5, *;q=0.001": true, "zh-Hans-CN": true,
		"en_US": false, "!": false, "en;q=2": false, "en,,de": false, "toolonglanguage": false, "<script>": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", value)
		if err := AcceptLanguage(r); (err == nil) != ok || err != nil && CodeOf(err) != NotAcceptable {
			t.Errorf("AcceptLanguage(%q) = %v", value, err)
		}
	}
}

func TestBearer(t *testing.T) {
	for value, want := range map[string]string{
		"Bearer abc": "abc", "Bearer  abc": "abc", "bearer\tabc ": "abc", "BEARER abc": "abc",
		"": "", "Bearer": "", "Bearer a b": "", "Basic abc": "", "abc": "", "Bearerabc": "",
	} {
		r := &http.Request{Header: http.Header{"Authorization": {value}}}
		got, err := Bearer(r)
		if got != want || (want == "") != (err != nil) || err != nil && CodeOf(err) != NoAuthorization {
			t.Errorf("Bearer(%q) = %q, %v; want %q", value, got, err, want)
		}
	}
	if _, err := Bearer(&http.Request{Header: http.Header{"Authorization": {"Bearer a", "Bearer b"}}}); err == nil {
		t.Error("two Authorization headers were accepted")
	}
	if _, err := Bearer(&http.Request{Header: http.Header{}}); CodeOf(err) != NoAuthorization {
		t.Errorf("no header: %v", err)
	}
}
