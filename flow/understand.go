package flow

import (
	"strings"

	"parley/insight/text"
)

// An understanding chooses intents of one language.
type understanding struct {
	exact      map[string]int // intent by the folded words of an example
	keywords   *text.Lexicon
	keywordOf  []int // intent by phrase of keywords
	classifier *text.Classifier
	classOf    []int // intent by class
}

// Understand is the likeliest intent of an input and how sure that is; nil if there is no idea. What is said word for word as in an
// example, or has a keyword in it, is sure.
func (f *Flow) Understand(input, language string) (*Intent, float64) {
	made := f.understand[language]
	if made == nil {
		return nil, 0
	}
	u, input := made(), clip(input)
	words := folded(input)
	if words == "" {
		return nil, 0
	}
	if i, ok := u.exact[words]; ok {
		return &f.intents[i], 1
	}
	longest, best := 0, -1
	for _, o := range u.keywords.Find(input) {
		if o.End-o.Start > longest {
			longest, best = o.End-o.Start, u.keywordOf[o.Phrase]
		}
	}
	switch {
	case best >= 0:
		return &f.intents[best], 1
	case u.classifier == nil:
		return nil, 0
	}
	top := u.classifier.Classify(input)[0]
	return &f.intents[u.classOf[top.Intent]], top.Confidence
}

// learn prepares the understanding of a language.
func (f *Flow) learn(language string) *understanding {
	u := &understanding{exact: map[string]int{}}
	var phrases []string
	var classes []text.Intent
	for i := range f.intents {
		one := &f.intents[i]
		for _, k := range in(one.keywords, language) {
			phrases = append(phrases, k)
			u.keywordOf = append(u.keywordOf, i)
		}
		examples := in(one.examples, language)
		for _, e := range examples {
			if words := folded(e); words != "" {
				if _, taken := u.exact[words]; !taken {
					u.exact[words] = i
				}
			}
		}
		if len(examples) > 0 {
			classes = append(classes, text.Intent{Name: one.Name, Examples: examples})
			u.classOf = append(u.classOf, i)
		}
	}
	u.keywords = text.NewLexicon(phrases)
	if len(classes) > 0 {
		u.classifier, _ = text.NewClassifier(classes, language) // fails without examples, or with more than Parse lets through
	}
	return u
}

// in are the phrases that count for a language.
func in(phrases map[string][]string, language string) []string {
	return append(phrases[""][:len(phrases[""]):len(phrases[""])], phrases[language]...)
}

// folded is a text by its words alone.
func folded(s string) string {
	var b strings.Builder
	for i, w := range text.Words(s) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.Folded)
	}
	return b.String()
}
