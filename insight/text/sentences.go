package text

import (
	"strings"

	"github.com/clipperhouse/uax29/v2/sentences"
)

// split gives the words of each sentence of a text, sentences without words left out. Sentences end where Unicode's
// segmentation (UAX #29) ends them, and at each line break.
func split(s string, all []Word) [][]Word {
	var found [][]Word
	begin := 0
	cut := func(end int) { // the words before the byte at end are a sentence
		n := begin
		for n < len(all) && all[n].Start < end {
			n++
		}
		if n > begin {
			found = append(found, all[begin:n:n])
			begin = n
		}
	}
	for it := sentences.FromString(s); it.Next(); {
		for at := it.Start(); ; {
			line := strings.IndexAny(s[at:it.End()], "\n\r")
			if line < 0 {
				break
			}
			at += line + 1
			cut(at)
		}
		cut(it.End())
	}
	return found
}
