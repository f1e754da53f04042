package manage

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"testing"

	"parley"
)

// Every Kind of error is answered by its own status with a message and nothing else, but that a text that has to wait is told so in the
// body as well (reference 1.1). Of our own failures nothing is told.
func TestEveryKindHasItsAnswer(t *testing.T) {
	want := map[parley.Kind]int{parley.Internal: 500, parley.Invalid: 400, parley.Unauthenticated: 401, parley.Forbidden: 403, parley.NotFound: 404,
		parley.Conflict: 409, parley.Closed: 400, parley.Busy: 429}
	answered := func(path string, err error) (status int, body string) {
		w := httptest.NewRecorder()
		writeError(w, httptest.NewRequest("POST", path, nil), err)
		if again := w.Header().Get("Retry-After") != ""; again != (w.Code == 429) {
			t.Errorf("%v has Retry-After: %t", err, again)
		}
		if asks := w.Header().Get("WWW-Authenticate") != ""; asks != (w.Code == 401) {
			t.Errorf("%v has WWW-Authenticate: %t", err, asks)
		}
		return w.Code, w.Body.String()
	}
	for _, kind := range parley.Kinds() {
		for path, more := range map[string]string{"/v1/manage/tracker": "", "/v1/conversations": "", "/v1/process/text": `,"statusCode":429`, "/v1/process/text/7": `,"statusCode":429`} {
			if kind != parley.Busy {
				more = ""
			}
			told := "why"
			if kind == parley.Internal {
				told = parley.Internal.String()
			}
			status, body := answered(path, fmt.Errorf("around: %w", &parley.Error{Kind: kind, Msg: "why", Err: errors.New("planted")}))
			if text := `{"message":` + strconv.Quote(told) + more + "}"; status != want[kind] || body != text {
				t.Errorf("%s to %s is answered %d %s, want %d %s", kind, path, status, body, want[kind], text)
			}
		}
		if status, body := answered("/v1/manage/tracker", &parley.Error{Kind: kind}); status != want[kind] || body != `{"message":`+strconv.Quote(kind.String())+"}" {
			t.Errorf("%s without a text is answered %d %s", kind, status, body)
		}
	}
	if status, _ := answered("/v1/manage/tracker", &parley.Error{Kind: parley.Invalid, Reason: parley.NameTaken, Msg: "taken"}); status != 409 {
		t.Errorf("a name that is taken is answered %d, want 409", status)
	}
	if status, body := answered("/v1/manage/tracker", errors.New("planted")); status != 500 || body != `{"message":"internal error"}` {
		t.Errorf("an error of nobody knows what is answered %d %s", status, body)
	}
}
