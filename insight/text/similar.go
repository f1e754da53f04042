package text

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// The first maxCompared words of a message are compared for similarity, maxTogether of them at a time: time then has a bound
// whatever is sent.
const maxCompared, maxTogether = 2000, 200

// In English, phrases of up to longestRuled words are found by the rule of stems and synonyms, and ones of at least
// shortestModelled by the model, which was fitted on sentences. Up to longestKey words are key words, which may stand in a
// sentence that is about more; longer ones the rule finds only in a sentence that says all of it and nothing else.
const longestRuled, shortestModelled, longestKey = 5, 4, 3

// mostSimilar is the highest similarity of what is no exact occurrence.
const mostSimilar = 0.99

// similarLanguage gives the language whose index is used: the language itself if it has a stemmer, otherwise "" for all that
// have none.
func similarLanguage(base string) string {
	if stemmers[base] == nil {
		return ""
	}
	return base
}

// A similarIndex compares messages of one language with the phrases of all vocabularies that may speak it.
type similarIndex struct {
	language string
	phrases  [][]Word // of the matcher, by number
	plain    bool     // every phrase is found by the rule, none by the model

	once     sync.Once
	ruled    []int32 // by phrase of rules: its number in the matcher
	rules    *ruleIndex
	counts   sync.Pool
	modelled []int32 // by phrase of evidence
	evidence *evidenceIndex
	readings []reading // by number in the matcher
}

// build makes the index of a matcher's phrases, once.
func (x *similarIndex) build(m *Matcher) {
	x.once.Do(func() {
		var ruled []reading
		x.readings = make([]reading, len(m.owners))
		var long [][]Word
		var begins []int
		last := int32(-1)
		for number, o := range m.owners {
			words := x.phrases[number]
			if o.phrase < 0 || len(words) == 0 || !x.spokenBy(&m.vocabularies[o.vocabulary]) {
				continue
			}
			x.readings[number] = read(words, x.language)
			if unspaced(words) {
				continue
			}
			if x.plain || len(words) <= longestRuled {
				x.ruled = append(x.ruled, int32(number))
				ruled = append(ruled, x.readings[number])
			}
			if !x.plain && len(words) >= shortestModelled {
				if o.vocabulary != last {
					begins = append(begins, len(long))
					last = o.vocabulary
				}
				x.modelled = append(x.modelled, int32(number))
				long = append(long, words)
			}
		}
		x.rules = newRuleIndex(ruled)
		x.counts.New = func() any { c := make([]uint16, len(ruled)); return &c }
		if len(long) > 0 {
			x.evidence = newEvidenceIndex(long, begins)
		}
	})
}

// unspaced says whether a phrase has words of a script that is written without spaces. They are characters or syllables, see
// [Word]; that some of them occur says nothing, so such phrases are found exactly or not at all.
func unspaced(words []Word) bool {
	for _, w := range words {
		if r, _ := utf8.DecodeRuneInString(w.Folded); unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
			return true
		}
	}
	return false
}

// spokenBy says whether a vocabulary may apply to a conversation of this index's language.
func (x *similarIndex) spokenBy(v *Vocabulary) bool {
	for _, l := range v.Languages {
		if similarLanguage(base(l)) == x.language {
			return true
		}
	}
	return len(v.Languages) == 0
}

// find calls found for each phrase that is similar to the message or to a part of it, perhaps several times. Why gives the
// message's words that speak for it, and is for later: most of what is found is found again.
func (x *similarIndex) find(message string, words []Word, found func(number int, similarity float64, why func() []string)) {
	words = words[:min(len(words), maxCompared)]
	parts := partsOf(message, words)
	counts := x.counts.Get().(*[]uint16)
	defer x.counts.Put(counts)
	for _, part := range parts {
		r := read(part, x.language)
		x.rules.find(r, *counts, func(phrase int, cover float64) {
			number := x.ruled[phrase]
			concepts := float64(x.rules.rules[phrase].concepts)
			if !x.plain && len(x.phrases[number]) > longestKey && (cover < 1 || concepts < float64(len(r.names()))) {
				return
			}
			found(int(number), min(cover, mostSimilar), func() []string {
				return written(message, sharing(part, r, x.phrases[number], x.readings[number]))
			})
		})
	}
	if x.evidence == nil {
		return
	}
	t := x.evidence.scratches.Get().(*scratch)
	defer x.evidence.scratches.Put(t)
	t.forget()
	for _, part := range parts {
		x.model(message, part, len(parts) > 1, t, found)
	}
	if len(parts) > 1 && len(words) <= maxTogether {
		x.model(message, words, false, t, found) // what a customer wants may take two sentences
	}
}

// partsOf gives the sentences of a text, long ones in pieces.
func partsOf(message string, words []Word) [][]Word {
	var parts [][]Word
	for _, s := range split(message, words) {
		for ; len(s) > maxTogether; s = s[maxTogether:] {
			parts = append(parts, s[:maxTogether])
		}
		parts = append(parts, s)
	}
	return parts
}

// model calls found for each phrase that the model takes to be meant by a part of the message.
func (x *similarIndex) model(message string, part []Word, oneOfSeveral bool, t *scratch, found func(number int, similarity float64, why func() []string)) {
	r := read(part, x.language)
	s := sketchOf(part, t.known)
	s.part = oneOfSeveral
	x.evidence.gather(t, s)
	x.evidence.meant(t, s, func(p int32, logit float64) {
		number := x.modelled[p]
		if opposite(x.readings[number], r) {
			return
		}
		found(int(number), min(sure(logit), mostSimilar), func() []string {
			return written(message, sharing(part, r, x.phrases[number], x.readings[number]))
		})
	})
}

// opposite says whether a sentence mentions what a phrase is about, but only one of them denies it. Where they speak of it in
// different words, a negation says little: "it has not arrived" means "it is late".
func opposite(phrase, sentence reading) bool {
	if phrase.negated == sentence.negated || len(phrase.concepts) == 0 {
		return false
	}
	has, mentioned := sentence.names(), 0
	about := phrase.names()
	for name := range about {
		if has[name] {
			mentioned++
		}
	}
	return float64(mentioned) >= enough*float64(len(about))
}

// sharing gives the words of a part that have a concept in common with the phrase or are written like one of its words; of
// function words only if there are no others.
func sharing(part []Word, r reading, phrase []Word, p reading) []Word {
	concepts := p.names()
	speaks := make([]bool, len(part))
	some := false
	for _, c := range r.concepts {
		if concepts[c.name] {
			speaks[c.word], some = true, true
		}
	}
	var list []Word
	for i, w := range part {
		if !speaks[i] && !some {
			for _, p := range phrase {
				speaks[i] = speaks[i] || conceptOf(p.Folded) == conceptOf(w.Folded)
			}
		}
		if speaks[i] {
			list = append(list, w)
		}
	}
	return list
}
