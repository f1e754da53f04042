package docs_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"parley/rest"
	"parley/rest/conversationmgr"
	"parley/rest/docs"
	"parley/ws"
)

func get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	router := rest.NewRouter()
	docs.New(docs.Document{Name: "conversationmgr", YAML: conversationmgr.Document}, docs.Document{Name: "sessions", YAML: ws.Document}).Register(router)
	w := httptest.NewRecorder()
	rest.Handler(rest.Config{}, router).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func TestPagesShowEveryOperation(t *testing.T) {
	page := get(t, "/docs/conversationmgr").Body.String()
	for _, id := range regexp.MustCompile(`operationId: (\w+)`).FindAllStringSubmatch(string(conversationmgr.Document), -1) {
		if !strings.Contains(page, `<section id="`+id[1]+`">`) {
			t.Errorf("%s is not on the page", id[1])
		}
	}
	checkPage(t, page)
}

// A document of messages is shown like one of requests.
func TestPagesShowEveryMessage(t *testing.T) {
	page := get(t, "/docs/sessions").Body.String()
	for _, id := range regexp.MustCompile(`#/channels/session/messages/(\w+)`).FindAllStringSubmatch(string(ws.Document), -1) {
		if !strings.Contains(page, `<section id="`+id[1]+`">`) {
			t.Errorf("%s is not on the page", id[1])
		}
	}
	checkPage(t, page)
}

func checkPage(t *testing.T, page string) {
	t.Helper()
	anchors := map[string]bool{}
	for _, id := range regexp.MustCompile(`id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if anchors[id[1]] {
			t.Errorf("two places are called %s", id[1])
		}
		anchors[id[1]] = true
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !anchors[link[1]] {
			t.Errorf("a link leads to %s, which is nowhere", link[1])
		}
	}
	if strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "<script") {
		t.Error("the page holds something it should not")
	}
}

// The pages need nothing from elsewhere, and allow nothing.
func TestPagesStandAlone(t *testing.T) {
	for _, path := range []string{"/docs", "/docs/", "/docs/conversationmgr", "/docs/sessions"} {
		w := get(t, path)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s answered %d, %v", path, w.Code, w.Header())
		}
		for _, source := range regexp.MustCompile(`(?:src|href)="(https?:)?//`).FindAllString(w.Body.String(), -1) {
			t.Errorf("%s loads or links %s", path, source)
		}
	}
	if w := get(t, "/docs/conversationmgr.yaml"); w.Code != 200 || w.Body.String() != string(conversationmgr.Document) {
		t.Errorf("the document itself: %d", w.Code)
	}
	if w := get(t, "/docs/style.css"); w.Code != 200 {
		t.Errorf("the style sheet: %d", w.Code)
	}
	if w := get(t, "/docs/other"); w.Code != 404 {
		t.Errorf("an unknown document: %d", w.Code)
	}
}
