package insight

import (
	"fmt"
	"testing"

	"parley"
)

// Compiled engines are kept while there is room; beyond it those go that were not used for longest.
func TestEnginesAreForgotten(t *testing.T) {
	s := newEngines(nil, nil)
	own := newEngine(nil, nil, false, 0)
	compiled := 0
	ask := func(n byte, phrases int) {
		vocabulary := make([]string, phrases)
		for i := range vocabulary {
			vocabulary[i] = fmt.Sprint("p", i)
		}
		s.ofJob(own, &parley.Job{ID: parley.JobID{n}}, func() *engine {
			compiled++
			return newEngine([]parley.Tracker{{Vocabulary: vocabulary}}, nil, false, 0)
		})
	}
	for _, step := range []struct {
		what    string
		job     byte
		phrases int
		want    int // compiled in all
	}{
		{"a first", 1, maxCompiled / 3, 1},
		{"a second", 2, maxCompiled / 3, 2},
		{"the first again", 1, 0, 2},
		{"a third, for which the second goes", 3, maxCompiled / 2, 3},
		{"the first again", 1, 0, 3},
		{"the third again", 3, 0, 3},
		{"the second again, for which the first goes", 2, maxCompiled / 3, 4},
		{"the third again", 3, 0, 4},
		{"one that is too large, for which all go", 4, maxCompiled + 1, 5},
		{"that again", 4, 0, 5},
		{"the third again", 3, 0, 6},
	} {
		if ask(step.job, step.phrases); compiled != step.want {
			t.Errorf("%s: %d compiled in all, want %d", step.what, compiled, step.want)
		}
	}
	if len(s.byID) != 1 || s.phrases != 1 {
		t.Errorf("%d engines with %d phrases are kept, want the last alone", len(s.byID), s.phrases)
	}
	s.ofJob(newEngine(nil, nil, false, 0), &parley.Job{ID: parley.JobID{3}}, func() *engine { compiled++; return own })
	if compiled != 7 {
		t.Error("the tenant's engine changed, and that of its job was not compiled again")
	}
}
