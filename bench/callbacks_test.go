package bench

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A receiver tells a message that was overtaken from one that came twice, in each lane apart.
func TestReceiverCountsWhatIsOvertaken(t *testing.T) {
	s, err := startSink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.server.Close()
	for _, m := range []struct{ lane, n, late int }{{1, 1, 0}, {1, 3, 0}, {2, 1, 0}, {1, 3, 0}, {1, 2, 1}, {1, 4, 1}, {2, 2, 1}} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"text":"`+mark(m.lane, m.n)+stamp()+`"}`)))
		if got := s.late.Load(); w.Code != http.StatusOK || got != int64(m.late) {
			t.Errorf("after message %d of lane %d: %d overtaken, want %d; status %d", m.n, m.lane, got, m.late, w.Code)
		}
	}
	s.forget()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(mark(1, 1))))
	if got := s.late.Load(); got != 0 {
		t.Errorf("a side that begins anew has %d overtaken", got)
	}
}
