package text

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/blas/blas32"
)

var intents = []Intent{
	{"cancel", []string{"I want to cancel my subscription", "please close my account", "how do I end my membership"}},
	{"parcel", []string{"where is my parcel", "my order has not arrived yet", "when will the package be delivered"}},
	{"broken", []string{"the app crashes when I open it", "I cannot log in to the website", "the page shows an error message"}},
	{"nothing", nil},
}

func classifier(t testing.TB, intents []Intent, language string) *Classifier {
	t.Helper()
	c, err := NewClassifier(intents, language)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClassifierChoosesAndDoubts(t *testing.T) {
	c := classifier(t, intents, "en-US")
	for message, want := range map[string]string{
		"I'd like to cancel":                       "cancel",
		"could you shut down my account":           "cancel",
		"the shipment never came":                  "parcel",
		"has my package been sent?":                "parcel",
		"your site doesn't load, there's an error": "broken",
		"where is my parcel":                       "parcel",
	} {
		if best := c.Classify(message)[0]; best.Name != want {
			t.Errorf("Classify(%q) = %+v, want %s", message, c.Classify(message), want)
		}
	}
	known, strange := c.Classify("where is my parcel")[0].Confidence, c.Classify("penguins live in Antarctica")[0].Confidence
	if known < 0.8 || strange > 0.4 {
		t.Errorf("an example has confidence %.2f, want at least 0.8; something else %.2f, want at most 0.4", known, strange)
	}
}

func TestScoresAreShares(t *testing.T) {
	c := classifier(t, intents, "en-US")
	for _, message := range []string{"", "where is my parcel", "?", "\xff", strings.Repeat("my parcel ", 5000)} {
		sum, last := 0.0, 1.0
		for _, s := range c.Classify(message) {
			if s.Confidence < 0 || s.Confidence > last || s.Name != intents[s.Intent].Name {
				t.Errorf("Classify(%.20q) = %+v", message, c.Classify(message))
			}
			last = s.Confidence
			sum += s.Confidence
		}
		if math.IsNaN(sum) || sum >= 1 {
			t.Errorf("Classify(%.20q): confidences make %v, want less than 1", message, sum)
		}
	}
}

func TestClassifierIsTheSameEachTime(t *testing.T) {
	a, b := classifier(t, intents, "en-US"), classifier(t, intents, "en-US")
	for _, message := range []string{"where is my order", "I cannot open my account"} {
		if diff := cmp.Diff(a.Classify(message), b.Classify(message)); diff != "" {
			t.Errorf("two classifiers of the same examples differ:\n%s", diff)
		}
	}
}

func TestClassifierOfOtherLanguagesAndOddExamples(t *testing.T) {
	german := classifier(t, []Intent{{"kündigen", []string{"Ich möchte kündigen", "Vertrag beenden"}}, {"paket", []string{"Wo ist mein Paket", "Die Lieferung fehlt"}}}, "de-DE")
	if best := german.Classify("Wann kommen die Pakete?")[0]; best.Name != "paket" {
		t.Errorf("in German: %+v, want paket", best)
	}
	for _, odd := range [][]Intent{{{"a", []string{""}}}, {{"a", []string{"same", "same"}}, {"b", []string{"same"}}}, {{"a", []string{"👍", "?"}}}} {
		classifier(t, odd, "en").Classify("same") // must not panic
	}
}

// Without vectors, one word that small talk shares with an example does not make it an intent; what customers want is still understood.
func TestWordsOfNoExampleSpeakAgainstAllIntents(t *testing.T) {
	c := classifier(t, []Intent{
		{"map", []string{"wo ist euer Laden", "wie finde ich euch", "Karte zeigen", "wie ist eure Adresse"}},
		{"hours", []string{"wann habt ihr offen", "Öffnungszeiten", "wann schließt ihr", "habt ihr am Sonntag offen"}},
		{"products", []string{"was verkauft ihr", "Produkte zeigen", "ich möchte Schuhe kaufen", "habt ihr Jacken"}},
		{"person", []string{"ich möchte mit einem Menschen sprechen", "bitte einen Mitarbeiter", "kann mir jemand helfen"}},
	}, "de")
	for message, want := range map[string]string{
		"wie geht's": "", "wie heißt du": "", "wie alt bist du": "", "erzähl mir einen Witz": "", "was machst du heute": "",
		"wie lautet eure Adresse": "map", "wann öffnet ihr am Sonntag": "hours", "ich möchte eine Jacke kaufen": "products", "kann ich mit einem Mitarbeiter sprechen": "person",
	} {
		best := c.Classify(message)[0]
		if sure := best.Confidence >= 0.6; sure != (want != "") || sure && best.Name != want {
			t.Errorf("Classify(%q) = %+v, want %q", message, best, want)
		}
	}
}

// An intent that is alone is understood in other words, too, and nothing else is taken for it.
func TestClassifierOfOneIntent(t *testing.T) {
	for language, test := range map[string]struct{ examples, own, others []string }{
		"en": {[]string{"when are you open", "opening hours", "are you open on Sunday", "what time do you close"},
			[]string{"are you open tomorrow", "what time do you open", "when do you close on Sunday"}, []string{"where is my parcel", "I want to buy shoes", "hello", "can I talk to a person"}},
		"de": {[]string{"wann habt ihr offen", "Öffnungszeiten", "wann schließt ihr", "habt ihr am Sonntag offen"},
			[]string{"habt ihr morgen offen", "wann habt ihr am Sonntag offen"}, []string{"wo ist mein Paket", "ich möchte Schuhe kaufen", "hallo", "kann ich mit jemandem sprechen"}},
	} {
		c := classifier(t, []Intent{{"hours", test.examples}}, language)
		for _, message := range slices.Concat(test.examples, test.own) {
			if best := c.Classify(message)[0]; best.Confidence < 0.5 {
				t.Errorf("%s: Classify(%q) = %+v, want it understood", language, message, best)
			}
		}
		for _, message := range test.others {
			if best := c.Classify(message)[0]; best.Confidence >= 0.5 {
				t.Errorf("%s: Classify(%q) = %+v, want none", language, message, best)
			}
		}
	}
}

func TestClassifierRefuses(t *testing.T) {
	for name, bad := range map[string][]Intent{
		"no intents": nil, "no examples": {{Name: "a"}}, "too many": {{"a", make([]string, MaxExamples+1)}},
	} {
		if _, err := NewClassifier(bad, "en"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Factorise and solve undo a multiplication, for sizes around those of the blocks.
func TestRidgeSolves(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 5, blockSize - 1, blockSize, blockSize + 1, 3*blockSize + 7} {
		half := make([]float64, n*n)
		for i := range half {
			half[i] = r.NormFloat64() / math.Sqrt(float64(n))
		}
		a, want, b := square(n), make([]float64, n), blas32.General{Rows: n, Cols: 1, Stride: 1, Data: make([]float32, n)}
		for i := range want {
			want[i] = r.NormFloat64()
		}
		for i := range n {
			sum := 0.0
			for j := range n {
				x := 0.0
				for k := range n {
					x += half[i*n+k] * half[j*n+k]
				}
				if i == j {
					x++
				}
				sum += x * want[j]
				if j <= i {
					a.Data[i*n+j] = float32(x)
				}
			}
			b.Data[i] = float32(sum)
		}
		factorise(a)
		solve(a, b)
		for i := range want {
			if math.Abs(float64(b.Data[i])-want[i]) > 1e-3 {
				t.Fatalf("size %d: x[%d] = %v, want %v", n, i, b.Data[i], want[i])
			}
		}
	}
}

func ExampleNewClassifier() {
	c, err := NewClassifier([]Intent{
		{"opening hours", []string{"when do you open", "are you open on Sundays"}},
		{"address", []string{"where can I find you", "how do I get to your shop"}},
	}, "en-US")
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Classify("Is the store open this Sunday?")[0].Name)
	// Output: opening hours
}
