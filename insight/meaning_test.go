package insight_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"parley"
	"parley/insight"
	"parley/insight/embed"
	"parley/store/storetest"
)

// An embedder is an endpoint that speaks the protocol: texts about rain and sun point one way, those about thunder another, all others a third.
type embedder struct {
	mu     sync.Mutex
	asked  [][]string
	answer func(w http.ResponseWriter, texts []string) // nil = vectors
	key    string
}

func (e *embedder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Model string
		Input []string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/v1/embeddings" || in.Model != "m" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked, e.key = append(e.asked, in.Input), r.Header.Get("Authorization")
	if e.answer != nil {
		e.answer(w, in.Input)
		return
	}
	e.vectors(w, in.Input)
}

func (e *embedder) vectors(w http.ResponseWriter, texts []string) {
	type one struct {
		Index     int       `json:"index"`
		Embedding []float64 `json:"embedding"`
	}
	var data []one
	for i, text := range texts {
		vector := []float64{0, 3, 0}
		switch {
		case strings.Contains(text, "rain"), strings.Contains(text, "sunny"):
			vector = []float64{4, 1, 0}
		case strings.Contains(text, "thunder"):
			vector = []float64{0, 0, 1}
		}
		data = append(data, one{i, vector})
	}
	slices.Reverse(data) // the index counts, not the order
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "model": "m", "data": data})
}

// With an embeddings endpoint, what is similar is what it says; phrases are asked for once, messages together. While it fails the hub's own
// similarity stands in, and the log says so without the key.
func TestMeaningFromOutside(t *testing.T) {
	e := &embedder{}
	server := httptest.NewServer(e)
	defer server.Close()
	var log bytes.Buffer
	meter := prometheus.NewRegistry()
	meaning := insight.NewMeaning(embed.New(embed.Config{Client: http.DefaultClient, URL: server.URL + "/v1", Model: "m", Key: "planted"}), 0, slog.New(slog.NewTextHandler(&log, nil)), meter)
	s := newStage(t, storetest.Open(t))
	s.detector = insight.NewDetector(insight.Config{Record: s.store, Hub: s, Teller: s, Meaning: meaning})
	s.tracker(parley.Tracker{Name: "Weather", Vocabulary: []string{"will it rain", "thunder"}, Languages: []string{"en"}, Exclude: []string{"not today"}})
	n, _ := s.say(insight.Text{}, "a sunny afternoon", "thunder and more", "something else", "sunny but not today")
	s.round()
	if got, want := s.found(n), []string{"Weather: thunder at 0 in thunder and more", "Weather: will it rain at -1 in a sunny afternoon"}; !slices.Equal(sorted(got), want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if len(e.asked) != 2 || len(e.asked[0]) != 2 || len(e.asked[1]) != 4 || e.key != "Bearer planted" {
		t.Errorf("asked %q with %q", e.asked, e.key)
	}
	s.say(insight.Text{}, "a sunny afternoon", "rain again")
	s.round()
	if len(e.asked) != 3 || !slices.Equal(e.asked[2], []string{"rain again"}) {
		t.Errorf("then asked %q", e.asked[2:])
	}
	tried, _, err := (&insight.Conversations{Vocabularies: insight.NewVocabularies(s.store, nil, meaning)}).Try(t.Context(), parley.DefaultTenant, insight.Trial{Text: "it is sunny"})
	if err != nil || len(tried) != 1 || tried[0].Value != "will it rain" || tried[0].Offset != -1 || tried[0].Similarity != 0.99 {
		t.Errorf("tried: %+v, %v", tried, err)
	}

	for name, answer := range map[string]func(http.ResponseWriter, []string){
		"refuses": func(w http.ResponseWriter, _ []string) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":{"message":"planted is no key"}}`))
		},
		"garbage": func(w http.ResponseWriter, _ []string) { _, _ = w.Write([]byte(`planted`)) },
		"too few": func(w http.ResponseWriter, _ []string) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"data":[]}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &embedder{answer: answer}
			server := httptest.NewServer(f)
			defer server.Close()
			log.Reset()
			meter := prometheus.NewRegistry()
			meaning := insight.NewMeaning(embed.New(embed.Config{Client: http.DefaultClient, URL: server.URL + "/v1", Model: "m", Key: "planted"}), 0, slog.New(slog.NewTextHandler(&log, nil)), meter)
			s := newStage(t, storetest.Open(t))
			s.detector = insight.NewDetector(insight.Config{Record: s.store, Hub: s, Teller: s, Meaning: meaning})
			s.tracker(parley.Tracker{Name: "Price", Vocabulary: []string{"What is the price"}, Languages: []string{"en"}})
			n, _ := s.say(insight.Text{}, "How much does it cost")
			s.round()
			if got := s.found(n); len(got) != 1 {
				t.Errorf("the hub's own similarity found %q", got)
			}
			s.say(insight.Text{}, "What does it cost")
			s.round()
			if len(f.asked) != 1 || !strings.Contains(log.String(), "no embeddings") || strings.Contains(log.String(), "planted") {
				t.Errorf("asked %d times, logged %s", len(f.asked), log.String())
			}
			if shown, err := testutil.CollectAndFormat(meter, expfmt.TypeTextPlain, "parley_embeddings_total"); err != nil || !strings.Contains(string(shown), `{outcome="failed"} 1`) || !strings.Contains(string(shown), `{outcome="good"} 0`) {
				t.Errorf("shown is %s, %v; want one that failed", shown, err)
			}
		})
	}
}

// An endpoint that says nothing holds nothing up for longer than what was said may wait, neither detection nor who tries a sentence; and is then
// left alone for a while.
func TestSilentEmbedderHoldsNothingUp(t *testing.T) {
	ends := make(chan struct{})
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-ends
	}))
	defer server.Close()
	defer close(ends)
	meaning := insight.NewMeaning(embed.New(embed.Config{Client: http.DefaultClient, URL: server.URL + "/v1", Model: "m"}), 0, slog.New(slog.DiscardHandler), nil)
	s := newStage(t, storetest.Open(t))
	s.detector = insight.NewDetector(insight.Config{Record: s.store, Hub: s, Teller: s, Meaning: meaning})
	s.tracker(parley.Tracker{Name: "Price", Vocabulary: []string{"What is the price"}, Languages: []string{"en"}})
	n, _ := s.say(insight.Text{}, "How much does it cost")
	began := time.Now()
	s.round()
	s.say(insight.Text{}, "What does it cost")
	s.round()
	if took := time.Since(began); took > 8*time.Second { // each wait was 10 s long
		t.Errorf("detection waited for %v", took)
	}
	if got := s.found(n); len(got) != 1 {
		t.Errorf("the hub's own similarity found %q", got)
	}
	if len(asked) != 1 {
		t.Errorf("asked %d times", len(asked))
	}
}

// The phrases of large vocabularies are asked for in several requests, and what came is kept should the endpoint be cut off in between.
func TestManyPhrasesAreLearntInPieces(t *testing.T) {
	e := &embedder{}
	answers := 0
	e.answer = func(w http.ResponseWriter, texts []string) {
		if answers++; answers == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		e.vectors(w, texts)
	}
	server := httptest.NewServer(e)
	defer server.Close()
	meaning := insight.NewMeaning(embed.New(embed.Config{Client: http.DefaultClient, URL: server.URL + "/v1", Model: "m"}), 0, slog.New(slog.DiscardHandler), nil)
	s := newStage(t, storetest.Open(t))
	s.detector = insight.NewDetector(insight.Config{Record: s.store, Hub: s, Teller: s, Meaning: meaning})
	vocabulary := []string{"will it rain"}
	for i := range 299 {
		vocabulary = append(vocabulary, fmt.Sprintf("phrase number %d", i))
	}
	s.tracker(parley.Tracker{Name: "Weather", Vocabulary: vocabulary, Languages: []string{"en"}})
	for range 2 {
		s.say(insight.Text{}, "a sunny afternoon")
		s.round()
	}
	n, _ := s.say(insight.Text{}, "quite sunny")
	s.round()
	if got := s.found(n); !slices.Equal(got, []string{"Weather: will it rain at -1 in quite sunny"}) {
		t.Errorf("found %q", got)
	}
	seen := map[string]int{}
	for _, texts := range e.asked {
		for _, text := range texts {
			seen[text]++
		}
	}
	if len(seen) != 302 || seen["will it rain"] != 1 {
		t.Errorf("asked for %d texts, for the first phrase %d times", len(seen), seen["will it rain"])
	}
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}
