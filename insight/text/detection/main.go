// Detection measures what insight/text finds in Banking77, and fails if a goal is missed: `make detection BANKING77=…`, see docs/detection.md.
package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"parley/insight/text"
)

const absent = `the data of Banking77 is not there: %w
BANKING77 must name a folder with train.csv (columns text, category), which is not part of this repository:
https://github.com/PolyAI-LDN/task-specific-datasets, folder banking_data, Creative Commons Attribution 4.0.
  make detection BANKING77=path/to/the/folder`

// goals are what must be reached with so many examples, or phrases: the share of messages whose intent is told, and how many times the macro
// F1 of the plain rule trackers have.
var goals = []struct {
	size            int
	accuracy, times float64
}{
	{10, 0.75, 1.5},
	{30, 0.82, 1.5},
}

func main() {
	folder := flag.String("banking77", "", "folder with train.csv of Banking77, and perhaps test.csv")
	mistakes := flag.Int("mistakes", 0, "print so many mistakes of each kind")
	flag.Parse()
	if err := run(os.Stdout, *folder, *mistakes); err != nil {
		fmt.Fprintln(os.Stderr, "detection:", err)
		os.Exit(1)
	}
}

// A query is what a customer wrote, with its intent.
type query struct{ text, intent string }

func run(out io.Writer, folder string, mistakes int) error {
	train, err := load(filepath.Join(folder, "train.csv"))
	if err != nil {
		return fmt.Errorf(absent, err)
	}
	test, err := load(filepath.Join(folder, "test.csv")) // absent for who tunes
	if err != nil {
		test = nil
	}
	fmt.Fprintf(out, "Banking77 (PolyAI, CC BY 4.0): %d queries to choose from and %d to test, %s, %s/%s, %d processors, %s\n\n",
		len(train), len(test), time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "phrases\tmessages\twhat\tmeasure\tvalue\tprecision\trecall\ttime")
	var wrong, missed []string
	for _, goal := range goals {
		size := goal.size
		intents, rest := split(train, size)
		messages := rest
		if test != nil {
			messages = test
		}
		row := func(what, measure string, value float64, more ...any) {
			fmt.Fprintf(table, "%d\t%d\t%s\t%s\t%.1f %%", size, len(messages), what, measure, 100*value)
			for _, m := range more {
				fmt.Fprintf(table, "\t%v", m)
			}
			fmt.Fprintln(table)
		}
		began := time.Now()
		classifier, err := text.NewClassifier(intents, "en-US")
		if err != nil {
			return err
		}
		trained := time.Since(began)
		accuracy, bad := classify(classifier, messages)
		row("classifier", "accuracy", accuracy, "", "", fmt.Sprintf("%d ms to train", trained.Milliseconds()))
		plain, _ := track(intents, messages, text.NewPlainMatcher)
		row("plain rule", "macro F1", plain.f1, plain.precision, plain.recall, plain.time)
		own, misled := track(intents, messages, text.NewMatcher)
		row("trackers", "macro F1", own.f1, own.precision, own.recall, own.time)
		row("trackers", "of the plain rule", own.f1/plain.f1)
		if accuracy < goal.accuracy {
			missed = append(missed, fmt.Sprintf("%d examples: accuracy of the classifier %.1f %%, want %.1f %%", size, 100*accuracy, 100*goal.accuracy))
		}
		if times := own.f1 / plain.f1; times < goal.times || math.IsNaN(times) {
			missed = append(missed, fmt.Sprintf("%d phrases: macro F1 of trackers %.3f times that of the plain rule, want %.3f", size, times, goal.times))
		}
		if size == goals[0].size {
			wrong = append(pick(bad, mistakes), pick(misled, mistakes)...)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, w := range wrong {
		fmt.Fprintln(out, w)
	}
	if missed != nil {
		return fmt.Errorf("goals are missed:\n  %s", strings.Join(missed, "\n  "))
	}
	return nil
}

// load reads a file of Banking77.
func load(path string) ([]query, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []query
	for _, row := range rows[min(1, len(rows)):] {
		if len(row) != 2 {
			return nil, fmt.Errorf("%s: a row of %d columns, want text and category", path, len(row))
		}
		all = append(all, query{row[0], row[1]})
	}
	return all, nil
}

// split takes the first queries of each intent as its examples, in the order of the file.
func split(queries []query, size int) (intents []text.Intent, rest []query) {
	at := map[string]int{}
	for _, q := range queries {
		i, known := at[q.intent]
		if !known {
			i = len(intents)
			at[q.intent] = i
			intents = append(intents, text.Intent{Name: q.intent})
		}
		if len(intents[i].Examples) < size {
			intents[i].Examples = append(intents[i].Examples, q.text)
		} else {
			rest = append(rest, q)
		}
	}
	return intents, rest
}

func classify(c *text.Classifier, messages []query) (accuracy float64, wrong []string) {
	right := 0
	for _, m := range messages {
		best := c.Classify(m.text)[0]
		if best.Name == m.intent {
			right++
		} else {
			wrong = append(wrong, fmt.Sprintf("classifier: %q is %s, was taken for %s (%.2f)", m.text, m.intent, best.Name, best.Confidence))
		}
	}
	return float64(right) / float64(len(messages)), wrong
}

// A figure is how well trackers did: the means over all of them.
type figure struct {
	f1                float64
	precision, recall string
	time              string
}

// track makes a tracker of each intent. It hits a message if any of its phrases does.
func track(intents []text.Intent, messages []query, made func([]text.Vocabulary) *text.Matcher) (figure, []string) {
	var vocabularies []text.Vocabulary
	for _, intent := range intents {
		vocabularies = append(vocabularies, text.Vocabulary{Languages: []string{"en"}, Phrases: intent.Examples})
	}
	matcher := made(vocabularies)
	matcher.Match("warm up", "en-US")
	hits, right, meant := make([]float64, len(intents)), make([]float64, len(intents)), make([]float64, len(intents))
	var wrong []string
	var took time.Duration
	for _, m := range messages {
		began := time.Now()
		found := matcher.Match(m.text, "en-US")
		took += time.Since(began)
		last := -1
		for _, h := range found {
			if h.Vocabulary == last {
				continue
			}
			last = h.Vocabulary
			hits[last]++
			if intents[last].Name == m.intent {
				right[last]++
			} else {
				wrong = append(wrong, fmt.Sprintf("tracker: %q is %s, but %s takes it for %q because of %s", m.text, m.intent,
					intents[last].Name, intents[last].Examples[h.Phrase], strings.Join(h.Words, ", ")))
			}
		}
		for i, intent := range intents {
			if intent.Name == m.intent {
				meant[i]++
			}
		}
	}
	var f1, precision, recall float64
	n := 0.0
	for i := range intents {
		if meant[i] == 0 {
			continue
		}
		n++
		f1 += 2 * right[i] / (hits[i] + meant[i])
		precision += right[i] / max(1, hits[i])
		recall += right[i] / meant[i]
	}
	return figure{f1 / n, fmt.Sprintf("%.1f %%", 100*precision/n), fmt.Sprintf("%.1f %%", 100*recall/n),
		fmt.Sprintf("%d µs a message", took.Microseconds()/int64(len(messages)))}, wrong
}

// pick takes n of a list, evenly.
func pick(list []string, n int) []string {
	var some []string
	for i := range min(n, len(list)) {
		some = append(some, list[i*len(list)/n])
	}
	return some
}
