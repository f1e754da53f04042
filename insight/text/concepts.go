package text

import "strings"

// Words of English that carry no meaning of their own: articles, pronouns, prepositions, auxiliaries, and what politeness
// adds.
var functionWords = set(`
a an the this that these those some any such
i me my mine myself we us our ours ourselves you your yours yourself he him his himself she her hers herself it its itself
they them their theirs themselves one
who whom whose which what when where why how whether
of to in on at by for from with about into onto over under between through during before after above below up down out off as
than per via upon within
and or but if because so while until although though nor
am is are was were be been being do does did doing done have has had having can could will would shall should may might must
ought let lets get gets got getting gotten
i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's it'd it'll we're we've we'd we'll
they're they've they'd they'll that's there's here's what's who's where's how's when's why's let's
here there then now just also too very really quite only even still already yet again please hello hi hey thanks thank ok
okay well oh yes`)

// negations turn what a sentence says round. Contractions with n't are added by [isNegation].
var negations = set(`not no never without none nothing nobody neither nor cannot cant dont doesnt didnt wont wouldnt couldnt
shouldnt isnt arent wasnt werent hasnt havent hadnt unable`)

// synonyms are small sets of English words with one meaning; the first one stands for all. They are compared as stems.
var synonyms = []string{
	"price cost charge fee rate", "buy purchase order", "cancel terminate", "money budget fund", "help support assist",
	"problem issue trouble difficulty", "cheap affordable", "fast quick", "begin start", "meet meeting appointment",
	"call phone ring",
}

// expressions are several words with the meaning of one concept or of a negation.
var expressions = []struct {
	words   []string
	concept string // "" = a negation
}{
	{[]string{"how", "much"}, "price"},
	{[]string{"call", "off"}, "cancel"}, {[]string{"called", "off"}, "cancel"}, {[]string{"calling", "off"}, "cancel"},
	{[]string{"ran", "out", "of"}, ""}, {[]string{"run", "out", "of"}, ""}, {[]string{"running", "out", "of"}, ""},
	{[]string{"runs", "out", "of"}, ""},
}

var englishConcepts = func() map[string]string {
	concepts := map[string]string{}
	for _, group := range synonyms {
		names := strings.Fields(group)
		for _, w := range names {
			concepts[stem(w, "en")] = stem(names[0], "en")
		}
	}
	return concepts
}()

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

func isNegation(folded string) bool {
	return negations[folded] || strings.HasSuffix(folded, "n't")
}

// A concept is a word that carries meaning, or the concept that several stand for.
type concept struct {
	name string // a stem, or the stem that stands for its synonyms
	word int    // index of the word it stands on
}

// A reading is what a sentence or a phrase says, as far as stems and synonyms show it.
type reading struct {
	concepts []concept
	negated  bool
}

// names are the distinct concepts.
func (r reading) names() map[string]bool {
	m := make(map[string]bool, len(r.concepts))
	for _, c := range r.concepts {
		m[c.name] = true
	}
	return m
}

// read takes a sentence apart by steps 3 and 4 of reference 3.5. Only English has function words, negations and synonyms; in
// other languages every word counts, as its stem.
func read(sentence []Word, language string) reading {
	var r reading
	english := language == "en"
words:
	for i := 0; i < len(sentence); i++ {
		w := sentence[i].Folded
		if !english {
			r.concepts = append(r.concepts, concept{stem(w, language), i})
			continue
		}
		for _, e := range expressions {
			if startsWith(sentence[i:], e.words) {
				if e.concept == "" {
					r.negated = true
				} else {
					r.concepts = append(r.concepts, concept{stem(e.concept, language), i})
				}
				i += len(e.words) - 1
				continue words
			}
		}
		switch {
		case isNegation(w):
			r.negated = true
		case !functionWords[w]:
			r.concepts = append(r.concepts, concept{conceptOf(w), i})
		}
	}
	return r
}

// conceptOf gives the concept of an English word.
func conceptOf(folded string) string {
	s := stem(strings.TrimSuffix(folded, "'s"), "en")
	if c, ok := englishConcepts[s]; ok {
		return c
	}
	return s
}

func startsWith(sentence []Word, words []string) bool {
	if len(sentence) < len(words) {
		return false
	}
	for i, w := range words {
		if sentence[i].Folded != w {
			return false
		}
	}
	return true
}
