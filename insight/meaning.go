package insight

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// An Embedder turns texts into vectors, all of one length, one for each and in order; [parley/insight/embed.Client] asks a model.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// A Meaning compares messages with phrases by the vectors of an embedder, in place of what the hub has itself. While the embedder fails, the
// hub's own stands in. Safe for concurrent use; several users share what was asked for.
type Meaning struct {
	embedder Embedder
	least    float64
	logger   *slog.Logger
	asked    *prometheus.CounterVec
	now      func() time.Time

	mu      sync.Mutex
	vectors map[string][]float32 // of length 1
	rest    time.Time            // the embedder is left alone until then
}

const (
	// embedAtOnce bounds the texts of one request.
	embedAtOnce = 256
	// maxEmbedded is what is compared of a text, in characters: embedders take some thousand tokens.
	maxEmbedded = 4000
	// maxVectors bounds the texts whose vectors are kept; beyond it all are forgotten.
	maxVectors = 20_000
	// embedTime bounds a request, and embedRest is how long an embedder that failed is left alone.
	embedTime, embedRest = 10 * time.Second, 30 * time.Second
	// defaultLeast is the cosine from which on texts are similar, for embedders of common make.
	defaultLeast = 0.6
)

// NewMeaning compares by an embedder. least is the cosine from which on a phrase is similar; zero = 0.6. logger nil = slog.Default, meter
// nil = no metrics.
func NewMeaning(e Embedder, least float64, logger *slog.Logger, meter prometheus.Registerer) *Meaning {
	if least == 0 {
		least = defaultLeast
	}
	if logger == nil {
		logger = slog.Default()
	}
	m := &Meaning{embedder: e, least: least, logger: logger, now: time.Now, vectors: map[string][]float32{},
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_embeddings_total", Help: "Requests to the embeddings endpoint, by outcome: good, failed."}, []string{"outcome"})}
	for _, outcome := range []string{"good", "failed"} {
		m.asked.WithLabelValues(outcome) // shown before the first one, which would pass for the beginning of the series
	}
	if meter != nil {
		meter.MustRegister(m.asked)
	}
	return m
}

// prepare asks for what will be compared: the phrases of an engine, and messages. What it does not get, the hub's own similarity does.
func (m *Meaning) prepare(ctx context.Context, e *engine, messages []string) {
	if m == nil || len(e.trackers) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock() // whoever comes now waits for the same
	var phrases []string
	if e.vectors.Load() == nil {
		for _, t := range e.trackers {
			phrases = append(phrases, t.Vocabulary...)
		}
	}
	if len(m.vectors)+len(phrases)+len(messages) > maxVectors {
		clear(m.vectors)
	}
	if !m.fetch(ctx, phrases, messages) || e.vectors.Load() != nil {
		return
	}
	vectors := make([][][]float32, len(e.trackers))
	for i, t := range e.trackers {
		vectors[i] = make([][]float32, len(t.Vocabulary))
		for j, phrase := range t.Vocabulary {
			vectors[i][j] = m.vectors[embedded(phrase)]
		}
	}
	e.vectors.Store(&vectors)
}

// fetch asks for the vectors of texts that are not there; false = some still are not.
func (m *Meaning) fetch(ctx context.Context, lists ...[]string) bool {
	var missing []string
	seen := map[string]bool{}
	for _, list := range lists {
		for _, text := range list {
			text = embedded(text)
			if text != "" && m.vectors[text] == nil && !seen[text] {
				seen[text] = true
				missing = append(missing, text)
			}
		}
	}
	if len(missing) == 0 {
		return true
	}
	if m.now().Before(m.rest) {
		return false
	}
	for len(missing) > 0 {
		chunk := missing[:min(len(missing), embedAtOnce)]
		missing = missing[len(chunk):]
		bounded, cancel := context.WithTimeout(ctx, embedTime)
		vectors, err := m.embedder.Embed(bounded, chunk)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				m.asked.WithLabelValues("failed").Inc()
				m.rest = m.now().Add(embedRest)
				m.logger.WarnContext(ctx, "no embeddings: similar meaning is found by what the hub has itself", "for", embedRest, "error", err)
			}
			return false
		}
		m.asked.WithLabelValues("good").Inc()
		for i, v := range vectors {
			m.vectors[chunk[i]] = unit(v)
		}
	}
	return true
}

// similarity compares a message that was prepared with the phrases of an engine; nil if it, or they, were not to be had.
func (m *Meaning) similarity(e *engine, message string) func(vocabulary, phrase int) float64 {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	said := m.vectors[embedded(message)]
	m.mu.Unlock()
	vectors := e.vectors.Load()
	if said == nil || vectors == nil {
		return nil
	}
	return func(vocabulary, phrase int) float64 {
		if cosine := dot(said, (*vectors)[vocabulary][phrase]); cosine >= m.least {
			return cosine
		}
		return 0
	}
}

// embedded is what is compared of a text.
func embedded(text string) string {
	if len(text) <= maxEmbedded {
		return text
	}
	at := maxEmbedded
	for at > 0 && !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at]
}

// unit is a vector of length 1 in the same direction; one without a direction stays.
func unit(v []float32) []float32 {
	sum := 0.0
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	if length := math.Sqrt(sum); length > 0 && !math.IsInf(length, 0) {
		for i := range v {
			v[i] = float32(float64(v[i]) / length)
		}
	}
	return v
}

// dot is the cosine of two vectors of length 1; 0 if they cannot be compared.
func dot(a, b []float32) float64 {
	if len(a) != len(b) {
		return 0
	}
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	if math.IsNaN(sum) {
		return 0
	}
	return sum
}
