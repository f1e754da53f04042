package insight

import (
	"slices"
	"strings"
	"sync/atomic"

	"parley"
	"parley/insight/entity"
	"parley/insight/text"
)

// An engine finds the trackers and entities of one tenant. It does not change, but for vectors that are asked for once, and is safe for
// concurrent use.
type engine struct {
	trackers []parley.Tracker
	matcher  *text.Matcher
	entities []parley.Entity
	lexicon  *text.Lexicon
	values   []valueOf                     // of the lexicon's phrases
	managed  bool                          // built-in entities are found, too
	besides  *engine                       // the tenant's, whose trackers are found first; nil = none
	apart    bool                          // entities of besides are not found
	least    float64                       // similarity that counts; 0 = whatever the matcher calls similar
	meaning  *Meaning                      // compares by an embedder; nil = the matcher does
	vectors  atomic.Pointer[[][][]float32] // of the trackers' phrases; nil until all were asked for
	learnt   map[string][]float32          // those that were, until then; guarded by meaning.asking
}

// A valueOf says whose value a phrase of a lexicon is.
type valueOf struct{ entity, ordinal int }

// newEngine compiles trackers and entities. similarity is the least that counts, see engine.least.
func newEngine(trackers []parley.Tracker, entities []parley.Entity, managed bool, similarity float64) *engine {
	e := &engine{trackers: trackers, entities: entities, managed: managed, least: similarity}
	vocabularies := make([]text.Vocabulary, len(trackers))
	for i, t := range trackers {
		vocabularies[i] = text.Vocabulary{Languages: t.Languages, Phrases: t.Vocabulary, Exclude: t.Exclude}
	}
	e.matcher = text.NewMatcher(vocabularies)
	var phrases []string
	for i, x := range entities {
		for j, v := range x.Values {
			phrases = append(phrases, v)
			e.values = append(e.values, valueOf{i, j})
		}
	}
	e.lexicon = text.NewLexicon(phrases)
	return e
}

// only is the engine with no trackers but these; with none named itself.
func (e *engine) only(numbers []parley.Number) *engine {
	if len(numbers) == 0 {
		return e
	}
	made := newEngine(e.named(numbers), nil, false, e.least)
	made.meaning = e.meaning
	return made
}

// named are those of the engine's trackers that have these numbers.
func (e *engine) named(numbers []parley.Number) (found []parley.Tracker) {
	for _, of := range e.all() {
		for _, t := range of.trackers {
			if slices.Contains(numbers, t.Number) {
				found = append(found, t)
			}
		}
	}
	return found
}

// all is the engine with what it looks for besides, in the order of the hits.
func (e *engine) all() []*engine {
	if e.besides != nil {
		return []*engine{e.besides, e}
	}
	return []*engine{e}
}

// action is what a hit of a tracker does.
func (e *engine) action(n parley.Number) parley.TrackerAction {
	for _, of := range e.all() {
		if i := slices.IndexFunc(of.trackers, func(t parley.Tracker) bool { return t.Number == n }); i >= 0 {
			return of.trackers[i].Action
		}
	}
	return parley.TrackerAction{}
}

// find looks at a message.
func (e *engine) find(said, language string, seq int64) (trackers []parley.TrackerHit, entities []parley.EntityHit) {
	place := utf16Places(said)
	for _, of := range e.all() {
		trackers = append(trackers, of.trackersIn(said, language, seq, place, e.least)...)
		if of == e || !e.apart {
			entities = append(entities, of.entitiesIn(said, language, seq, place)...)
		}
	}
	return trackers, entities
}

func (e *engine) trackersIn(said, language string, seq int64, place func(int) int, least float64) (found []parley.TrackerHit) {
	for _, h := range e.matcher.MatchBy(said, language, e.meaning.similarity(e, said)) {
		if h.Start < 0 && h.Similarity < least {
			continue
		}
		t := &e.trackers[h.Vocabulary]
		hit := parley.TrackerHit{Tracker: t.Number, Name: t.Name, Phrase: h.Phrase, Value: t.Vocabulary[h.Phrase], Seq: seq, Offset: -1, Similarity: h.Similarity, Words: h.Words}
		if h.Start >= 0 {
			hit.Offset = place(h.Start)
			hit.Length = place(h.End) - hit.Offset
		}
		found = append(found, hit)
	}
	return found
}

func (e *engine) entitiesIn(said, language string, seq int64, place func(int) int) (found []parley.EntityHit) {
	for _, o := range e.lexicon.Find(said) {
		v := e.values[o.Phrase]
		x := &e.entities[v.entity]
		found = append(found, parley.EntityHit{Entity: x.Number, Type: x.Type, SubType: x.SubType, Category: categoryCustom, Value: x.Values[v.ordinal],
			Ordinal: v.ordinal, Seq: seq, Offset: place(o.Start), Length: place(o.End) - place(o.Start)})
	}
	if e.managed {
		for _, f := range entity.Find(said, language) {
			found = append(found, parley.EntityHit{Type: f.Name, SubType: f.Name, Category: categoryManaged, Value: storable(f.Value), Seq: seq,
				Offset: place(f.Start), Length: place(f.End) - place(f.Start)})
		}
	}
	return found
}

// The categories of entities (reference 4.1, 4.3).
const (
	categoryCustom  = "Custom"
	categoryManaged = "Managed"
)

// utf16Places turns places in bytes into places in UTF-16 code units, which is what offsets count (reference 3.5).
func utf16Places(s string) func(int) int {
	if isASCII(s) {
		return func(at int) int { return at }
	}
	return func(at int) int { return text.UTF16Offset(s, at) }
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// forJob is the engine that a job asks for. What it takes of the tenant's is not compiled again: that takes most of a second where there are
// many phrases, and what is said meanwhile would wait for it.
func (e *engine) forJob(r *parley.JobRequest) *engine {
	if !r.NoTrackers && !r.NoEntities && len(r.Trackers) == 0 && len(r.Entities) == 0 && r.Similarity == 0 {
		return e
	}
	var made *engine
	if r.NoTrackers {
		entities := e.entities
		if r.NoEntities {
			entities = nil
		}
		made = newEngine(slices.Concat(e.named(r.Stored), r.Trackers), slices.Concat(entities, r.Entities), !r.NoEntities, r.Similarity)
	} else {
		made = newEngine(r.Trackers, r.Entities, false, r.Similarity)
		made.besides, made.apart = e, r.NoEntities
	}
	made.meaning = e.meaning
	return made
}
