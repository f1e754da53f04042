package text

import (
	"cmp"
	"slices"
	"sync"
)

// A Vocabulary is what one tracker looks for.
type Vocabulary struct {
	Languages []string // codes as en-US, or en for all of English; none = every language
	Phrases   []string
	Exclude   []string // a message that has one of these by its words has no hit
}

// A Hit is a phrase that was found in a message.
type Hit struct {
	Vocabulary int // index of the vocabulary as it was given
	Phrase     int // index in its phrases
	Start, End int // of the first occurrence by its words, in bytes; -1 = of similar meaning
	Similarity float64
	Words      []string // of the message, that speak for it, as they are written there
}

// A Matcher finds vocabularies in messages. Safe for concurrent use.
type Matcher struct {
	vocabularies []Vocabulary
	phrases      []phraseOf // of all vocabularies, one after the other
	words        [][]Word   // of each phrase
	exact        *phraseIndex
	excluded     *phraseIndex
	excludes     []int    // the vocabulary that each excluded phrase belongs to
	meanings     sync.Map // language as base gives it → *meanings, made when a message is the first in it
}

// A phraseOf says whose phrase one is.
type phraseOf struct{ vocabulary, phrase int }

// NewMatcher prepares vocabularies. Phrases without words are never found.
func NewMatcher(vocabularies []Vocabulary) *Matcher {
	m := &Matcher{vocabularies: vocabularies}
	var excluded [][]Word
	for i, v := range vocabularies {
		for j, p := range v.Phrases {
			m.phrases, m.words = append(m.phrases, phraseOf{i, j}), append(m.words, Words(p))
		}
		for _, p := range v.Exclude {
			m.excludes, excluded = append(m.excludes, i), append(excluded, Words(p))
		}
	}
	m.exact, m.excluded = newPhraseIndex(m.words), newPhraseIndex(excluded)
	return m
}

// Match finds what there is in a message of a conversation in that language, in order of vocabulary and phrase.
func (m *Matcher) Match(message, language string) []Hit {
	words := Words(message)
	if len(words) == 0 || len(m.phrases) == 0 {
		return nil
	}
	silent := make([]bool, len(m.vocabularies)) // not meant for this message
	for i, v := range m.vocabularies {
		silent[i] = !Speaks(v.Languages, language)
	}
	m.excluded.find(words, func(phrase, _, _ int) { silent[m.excludes[phrase]] = true })

	found := map[int]Hit{} // by phrase
	m.exact.find(words, func(phrase, from, to int) {
		of := m.phrases[phrase]
		if first, ok := found[phrase]; silent[of.vocabulary] || ok && first.Start <= words[from].Start {
			return
		}
		found[phrase] = Hit{of.vocabulary, of.phrase, words[from].Start, words[to-1].End, 1, written(message, words[from:to])}
	})
	spoken := base(language)
	meanings := m.in(spoken)
	for _, sentence := range split(message, words) {
		said := read(sentence, spoken)
		for at, near := range meanings.near(said) {
			phrase := int(at)
			of := m.phrases[phrase]
			if best, ok := found[phrase]; silent[of.vocabulary] || ok && (best.Start >= 0 || best.Similarity >= near.cover) {
				continue
			}
			var speak []Word
			for _, c := range near.concepts {
				speak = append(speak, sentence[c.word])
			}
			found[phrase] = Hit{of.vocabulary, of.phrase, -1, -1, near.cover, written(message, speak)}
		}
	}
	hits := make([]Hit, 0, len(found))
	for _, h := range found {
		hits = append(hits, h)
	}
	slices.SortFunc(hits, func(a, b Hit) int { return cmp.Or(a.Vocabulary-b.Vocabulary, a.Phrase-b.Phrase) })
	return hits
}

// written gives words as they are written in a message.
func written(message string, words []Word) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = message[w.Start:w.End]
	}
	return out
}

// in gives what the phrases mean in a language.
func (m *Matcher) in(language string) *meanings {
	if known, ok := m.meanings.Load(language); ok {
		return known.(*meanings)
	}
	made := newMeanings(m.words, language)
	known, _ := m.meanings.LoadOrStore(language, made)
	return known.(*meanings)
}
