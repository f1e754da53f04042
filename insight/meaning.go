package insight

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
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

	asking sync.Mutex // held by who asks: whoever comes meanwhile waits for the same
	rest   time.Time  // the embedder is left alone until then; guarded by asking

	mu      sync.Mutex
	vectors map[string][]float32 // of messages, of length 1
}

const (
	// embedAtOnce bounds the texts of one request.
	embedAtOnce = 128
	// maxEmbedded is what is compared of a text, in characters: embedders take some thousand tokens.
	maxEmbedded = 4000
	// maxVectors bounds the texts whose vectors are kept; beyond it all are forgotten.
	maxVectors = 20_000
	// embedTime bounds what is waited for an embedder at a time, since what was said is to be looked at within two seconds; embedRest is how
	// long one that failed is left alone.
	embedTime, embedRest = 1500 * time.Millisecond, 30 * time.Second
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

// prepare asks for what will be compared: the phrases of an engine, and messages. What it does not get in time, the hub's own similarity
// does; of many phrases the others are asked for the next time.
func (m *Meaning) prepare(ctx context.Context, e *engine, messages []string) {
	if m == nil {
		return
	}
	m.asking.Lock()
	defer m.asking.Unlock()
	bounded, cancel := context.WithTimeout(ctx, embedTime)
	defer cancel()
	for _, of := range e.all() {
		if len(of.trackers) == 0 || m.learn(bounded, of, messages) {
			continue
		}
		if ctx.Err() == nil && !m.now().Before(m.rest) {
			m.asked.WithLabelValues("failed").Inc()
			m.rest = m.now().Add(embedRest)
		}
		return
	}
}

// learn asks for the phrases of an engine that it does not know, and for messages. It is false if nothing came of it.
func (m *Meaning) learn(ctx context.Context, e *engine, messages []string) bool {
	if e.vectors.Load() == nil {
		var phrases []string
		for _, t := range e.trackers {
			phrases = append(phrases, t.Vocabulary...)
		}
		if e.learnt == nil {
			e.learnt = map[string][]float32{}
		}
		before := len(e.learnt)
		if !m.fetch(ctx, missing(phrases, e.learnt), func(text string, v []float32) { e.learnt[text] = v }) {
			return len(e.learnt) > before
		}
		vectors := make([][][]float32, len(e.trackers))
		for i, t := range e.trackers {
			vectors[i] = make([][]float32, len(t.Vocabulary))
			for j, phrase := range t.Vocabulary {
				vectors[i][j] = e.learnt[embedded(phrase)]
			}
		}
		e.vectors.Store(&vectors)
		e.learnt = nil
	}
	m.mu.Lock()
	if len(m.vectors)+len(messages) > maxVectors {
		clear(m.vectors)
	}
	wanted := missing(messages, m.vectors)
	m.mu.Unlock()
	some := len(wanted) == 0
	return m.fetch(ctx, wanted, func(text string, v []float32) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.vectors[text], some = v, true
	}) || some
}

// missing are those of some texts that have no vector yet, each once.
func missing(texts []string, have map[string][]float32) (wanted []string) {
	seen := map[string]bool{}
	for _, text := range texts {
		if text = embedded(text); text != "" && have[text] == nil && !seen[text] {
			seen[text] = true
			wanted = append(wanted, text)
		}
	}
	return wanted
}

// fetch asks for the vectors of texts. It is false if it did not get all of them.
func (m *Meaning) fetch(ctx context.Context, texts []string, keep func(text string, v []float32)) bool {
	for chunk := range slices.Chunk(texts, embedAtOnce) {
		if m.now().Before(m.rest) {
			return false
		}
		vectors, err := m.embedder.Embed(ctx, chunk)
		if err != nil {
			if !errors.Is(ctx.Err(), context.Canceled) {
				m.logger.WarnContext(ctx, "no embeddings, or not in time: similar meaning is found by what the hub has itself", "error", err)
			}
			return false
		}
		m.asked.WithLabelValues("good").Inc()
		for i, v := range vectors {
			keep(chunk[i], unit(v))
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
