package text

import (
	"cmp"
	"maps"
	"slices"
)

// A Vocabulary is what a tracker listens for.
type Vocabulary struct {
	Languages []string // codes such as "en-US" or "en", see [Speaks]; none = every language
	Phrases   []string
	Exclude   []string // phrases whose exact occurrence in a message means that none of Phrases counts there
}

// A Hit is a phrase that a message contains or means.
type Hit struct {
	Vocabulary, Phrase int      // indexes, as given to NewMatcher
	Start, End         int      // of the first exact occurrence, in bytes of the message; -1 = similar only
	Similarity         float64  // 1 = exact; from 0.5 to 0.99, how sure it is that the message means the phrase
	Words              []string // of the message, as written there, that speak for the hit; for people, and not complete
}

// A Matcher finds phrases in messages, exactly and by similarity. It is safe for concurrent use, and always finds the same.
type Matcher struct {
	vocabularies []Vocabulary
	owners       []owner // by number: whose phrase it is
	index        *phraseIndex
	similar      map[string]*similarIndex // by language as similarLanguage gives it
}

type owner struct{ vocabulary, phrase int32 } // phrase -1 = one of Exclude

// NewMatcher prepares vocabularies. Phrases without a letter or digit are never found. It keeps the slices it was given, which
// must not change afterwards.
//
// What similarity needs is prepared by the first message of a language, which waits for it; for English that may read the
// word vectors.
func NewMatcher(vocabularies []Vocabulary) *Matcher { return newMatcher(vocabularies, false) }

// NewPlainMatcher is NewMatcher with the rule of reference 3.5, steps 1 to 6, in English too: stems and synonyms, no vectors and
// no model. It is what docs/detection.md compares with.
func NewPlainMatcher(vocabularies []Vocabulary) *Matcher { return newMatcher(vocabularies, true) }

func newMatcher(vocabularies []Vocabulary, plain bool) *Matcher {
	m := &Matcher{vocabularies: vocabularies, similar: map[string]*similarIndex{"": {}}}
	var phrases [][]Word
	for v, voc := range vocabularies {
		for p, phrase := range voc.Phrases {
			m.owners = append(m.owners, owner{int32(v), int32(p)})
			phrases = append(phrases, Words(phrase))
		}
		for _, phrase := range voc.Exclude {
			m.owners = append(m.owners, owner{int32(v), -1})
			phrases = append(phrases, Words(phrase))
		}
	}
	m.index = newPhraseIndex(phrases)
	for l := range stemmers {
		m.similar[l] = &similarIndex{language: l}
	}
	for _, x := range m.similar {
		x.phrases, x.plain = phrases, plain || x.language != "en"
	}
	return m
}

// Match gives the phrases that a message in a language contains or means, one hit for each, by vocabulary and phrase.
//
// An exact occurrence is the phrase's words one after the other in the message, whatever punctuation stands between them.
// Without one, the phrase may be similar to the message or to one of its sentences; of a very long message only the first
// 2,000 words are compared.
func (m *Matcher) Match(message, language string) []Hit { return m.MatchBy(message, language, nil) }

// MatchBy is Match in which a phrase that does not occur is as similar as a function says, from 0 for not at all to 1; nil = as the
// matcher says itself.
func (m *Matcher) MatchBy(message, language string, similarity func(vocabulary, phrase int) float64) []Hit {
	conversation := newSpoken(language)
	applies := make([]bool, len(m.vocabularies))
	for i := range m.vocabularies {
		applies[i] = conversation.by(m.vocabularies[i].Languages)
	}
	if !slices.Contains(applies, true) {
		return nil
	}
	words := Words(message)
	if len(words) == 0 {
		return nil
	}
	found := m.exact(message, words, applies)
	reasons := map[owner]func() []string{}
	switch {
	case similarity != nil:
		for _, o := range m.owners {
			if _, exact := found[o]; exact || o.phrase < 0 || !applies[o.vocabulary] {
				continue
			}
			if s := similarity(int(o.vocabulary), int(o.phrase)); s > 0 {
				found[o] = Hit{int(o.vocabulary), int(o.phrase), -1, -1, min(s, mostSimilar), nil}
			}
		}
	case slices.Contains(applies, true):
		x := m.similar[similarLanguage(conversation.base)]
		x.build(m)
		x.find(message, words, func(number int, similarity float64, why func() []string) {
			o := m.owners[number]
			if known, twice := found[o]; applies[o.vocabulary] && (!twice || known.Similarity < similarity) {
				found[o] = Hit{int(o.vocabulary), int(o.phrase), -1, -1, similarity, nil}
				reasons[o] = why
			}
		})
	}
	hits := make([]Hit, 0, len(found))
	for o, h := range found {
		if why := reasons[o]; why != nil && h.Start < 0 {
			h.Words = why()
		}
		hits = append(hits, h)
	}
	slices.SortFunc(hits, func(a, b Hit) int { return cmp.Or(a.Vocabulary-b.Vocabulary, a.Phrase-b.Phrase) })
	return hits
}

// exact gives the first exact occurrence of each phrase. Vocabularies of which an exclusion occurs do not apply any more.
func (m *Matcher) exact(message string, words []Word, applies []bool) map[owner]Hit {
	found := map[owner]Hit{}
	m.index.find(words, func(number, from, to int) {
		o := m.owners[number]
		start := words[from].Start
		switch first, twice := found[o]; {
		case !applies[o.vocabulary]:
		case o.phrase < 0:
			applies[o.vocabulary] = false
		case !twice || start < first.Start:
			found[o] = Hit{int(o.vocabulary), int(o.phrase), start, words[to-1].End, 1, written(message, words[from:to])}
		}
	})
	maps.DeleteFunc(found, func(o owner, _ Hit) bool { return !applies[o.vocabulary] }) // an exclusion may be found after a phrase
	return found
}

// written gives words as they stand in the message.
func written(message string, words []Word) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = message[w.Start:w.End]
	}
	return list
}
