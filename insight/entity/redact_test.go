package entity

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley/markup"

	"pgregory.net/rapid"
)

func TestRedact(t *testing.T) {
	const text = "I am Zoë, write to zoe@example.org or call +49 30 901820."
	for _, c := range []struct {
		name string
		r    Redaction
		want string
	}{
		{"zero value", Redaction{}, "I am Zoë, write to [EMAIL_ADDRESS] or call [PHONE_NUMBER]."},
		{"default", Redaction{Type: Default}, "I am Zoë, write to [EMAIL_ADDRESS] or call [PHONE_NUMBER]."},
		{"unknown type", Redaction{Type: "hide"}, "I am Zoë, write to [EMAIL_ADDRESS] or call [PHONE_NUMBER]."},
		{"obfuscation", Redaction{Type: Obfuscation}, "I am Zoë, write to *************** or call *************."},
		{"exclude", Redaction{Exclude: []string{PhoneNumber}}, "I am Zoë, write to [EMAIL_ADDRESS] or call +49 30 901820."},
		{"custom", Redaction{Type: Custom, Custom: map[string]string{EmailAddress: "(mail)", "default": Obfuscation}},
			"I am Zoë, write to (mail) or call *************."},
		{"custom without default", Redaction{Type: Custom, Custom: map[string]string{PhoneNumber: ""}},
			"I am Zoë, write to [EMAIL_ADDRESS] or call ."},
	} {
		if got := c.r.Apply(text, Spans(Find(text, "de-DE"))); got != c.want {
			t.Errorf("%s: Apply = %q, want %q", c.name, got, c.want)
		}
	}
}

func TestApplyMergesAndMends(t *testing.T) {
	for _, c := range []struct {
		spans []Span
		want  string
	}{
		{[]Span{{"B", 3, 8}, {"A", 0, 5}}, "[A]ij"},
		{[]Span{{"A", 0, 2}, {"B", 2, 4}}, "[A][B]efghij"},
		{[]Span{{"A", 0, 2}, {"B", 0, 4}}, "[B]efghij"},
		{[]Span{{"A", -3, 2}, {"B", 8, 99}, {"C", 5, 5}, {"D", 7, 3}, {"E", 50, 60}}, "[A]cdefgh[B]"},
	} {
		if got := (Redaction{}).Apply("abcdefghij", c.spans); got != c.want {
			t.Errorf("Apply(%v) = %q, want %q", c.spans, got, c.want)
		}
	}
	named := Redaction{Type: Custom, Custom: map[string]string{Default: Obfuscation}} // of all other names, whatever they are
	if got := named.Apply("abcdefghij", []Span{{Default, 0, 2}}); got != "**cdefghij" {
		t.Errorf("an entity called %q becomes %q", Default, got)
	}
	for text, want := range map[string]string{"a€b": "a*b", "ab\x80\x80c": "ab*\x80c", "a\xe2\x82c": "a\xe2*c"} {
		if got := (Redaction{Type: Obfuscation}).Apply(text, []Span{{"A", 2, 3}}); got != want {
			t.Errorf("a span inside %q: %q, want %q", text, got, want)
		}
	}
}

// What was put in is not looked into, also where it reads like an entity itself: it stands there once for each thing that it replaces.
// Where it is known to stand in a text already, it is left alone.
func TestReplacementsAreNotRedacted(t *testing.T) {
	numbers := strings.TrimSuffix(strings.Repeat("1 ", 10), " ")
	custom := map[string]string{Number: numbers, CardNumber: "4111 1111 1111 1111", EmailAddress: "write to x@example.org", PhoneNumber: "", Default: Obfuscation}
	r := Redaction{Type: Custom, Custom: custom, Known: []string{numbers, custom[CardNumber], custom[EmailAddress]}}
	for text, want := range map[string]string{
		"7":                                 numbers,
		"7 and 8":                           numbers + " and " + numbers,
		"7@example.org":                     "write to x@example.org",
		"5500 0000 0000 0004, or 14:30, 12": "4111 1111 1111 1111, or *****, " + numbers,
		"call +49 30 901820 now":            "call  now",
		"www.7.example.org/8 9":             "******************* " + numbers,
	} {
		got := r.Redact(text, "en-US")
		if got != want {
			t.Errorf("Redact(%q) = %q, want %q", text, got, want)
		}
		if again := r.Redact(got, "en-US"); again != got {
			t.Errorf("redacted again, %q becomes %q", got, again)
		}
	}
	words := func(text string) (spans []Span) {
		for _, word := range []string{"NUMBER", "][", "card", "hello"} {
			if i := strings.Index(text, word); i >= 0 {
				spans = append(spans, Span{Number, i, i + len(word)})
			}
		}
		return spans
	}
	if got := markup.Apply("hellocard", (Redaction{}).Edits("hellocard", words)); got != "[NUMBER][NUMBER]" {
		t.Errorf("what is found in nothing but what was put in: %q", got)
	}
	whole := func(text string) []Span {
		if i := strings.Index(text, "[NUMBER], c"); i >= 0 {
			return []Span{{URL, i, i + len("[NUMBER], c")}}
		}
		if i := strings.Index(text, "hello"); i >= 0 {
			return []Span{{Number, i, i + len("hello")}}
		}
		return nil
	}
	if got := markup.Apply("a hello, b", (Redaction{}).Edits("a hello, b", whole)); got != "a [NUMBER], b" {
		t.Errorf("what reads as nothing more: %q", got)
	}
	if got := markup.Apply("a hello, card", (Redaction{}).Edits("a hello, card", whole)); got != "a [URL]ard" {
		t.Errorf("with something beside it: %q", got)
	}
	if got := r.Redact("pay 4111 1111 1111 1111 8", "en-US"); got != "pay 4111 1111 1111 1111 "+numbers {
		t.Errorf("beside what is known: %q", got)
	}
}

// Whatever replaces what, no more is put in than there are characters to replace, and all that can be found is replaced.
func TestCustomRedactionIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := messages().Draw(t, "message")
		put := rapid.SampledFrom([]string{"1 1 1 1 1 1 1 1 1 1", "4111 1111 1111 1111", "", "@", "x@example.org", "1"}).Draw(t, "replacement")
		custom := map[string]string{}
		for _, name := range Names() {
			custom[name] = put
		}
		edits := Redaction{Type: Custom, Custom: custom}.Edits(text, func(text string) []Span { return Spans(Find(text, "de-DE")) })
		at := 0
		for _, e := range edits {
			if e.Start < at || e.End <= e.Start || e.End > len(text) || e.With != put {
				t.Fatalf("edits of %q: %+v", text, edits)
			}
			at = e.End
		}
		if plain := (Redaction{}).Redact(text, "de-DE"); len(edits) > 0 != (plain != text) {
			t.Errorf("%q has edits %+v, and by default becomes %q", text, edits, plain)
		}
	})
}

// messages are of what people write, and of what they should not get away with.
func messages() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{"4111 1111 1111 1111", "4111\u200b111111111111", "DE89 3704 0044 0532 0130 00", "anna@example.org",
		"+49 30 901820", "(212) 555-2368", "https://example.org/x", "www.example.com", "1/2/2026", "2026-11-26", "14:30", "2 pm", "3.5", "1,000", "5.30", "9h15", ":45", "p.m.", "AM",
		"[NUMBER]", "[", "]", "@", ".", "-", "+", " ", "  ", "/", "a", "é", "٤١١١", "12", "7", "👍🏽", "中", "\u0301", "\xff", "\u200d", "e.g.", "x.com"})
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "free") {
			return rapid.String().Draw(t, "text")
		}
		return strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
	})
}

var languages = []string{"", "en-US", "en-GB", "de-DE", "xx", "-", "en_US", "zh-Hant-TW"}

// What is found lies in order inside the text, on whole characters; what is redacted is gone, and redacting again changes nothing.
func TestFindAndRedactHoldForAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkText(t, messages().Draw(t, "message"), rapid.SampledFrom(languages).Draw(t, "language"))
	})
}

func checkText(t interface{ Errorf(string, ...any) }, text, language string) {
	found := Find(text, language)
	if all := findIn(flatten(text), language, true); !slices.Equal(found, all) {
		t.Errorf("Find(%q, %q) = %+v; without a look at traits %+v", text, language, found, all)
	}
	at := 0
	for _, f := range found {
		if f.Start < at || f.End <= f.Start || f.End > len(text) || !cutsCharacters(text, f.Start) || !cutsCharacters(text, f.End) {
			t.Errorf("Find(%q, %q) = %+v: a span that overlaps, is empty or cuts a character", text, language, found)
			return
		}
		at = f.End
	}
	for _, kind := range []string{Default, Obfuscation} {
		r := Redaction{Type: kind}
		once := r.Redact(text, language)
		if left := Find(once, language); len(left) > 0 {
			t.Errorf("Redact(%q, %q) with %s = %q, where %+v is left", text, language, kind, once, left)
		}
		if twice := r.Redact(once, language); twice != once {
			t.Errorf("redacted twice, %q becomes %q and then %q", text, once, twice)
		}
	}
	// Put together from what is kept and what replaces, nothing else: so no redacted text stays at its place.
	want, at := "", 0
	for _, f := range found {
		want += text[at:f.Start] + "[" + f.Name + "]"
		at = f.End
	}
	if got := (Redaction{}).Apply(text, Spans(found)); got != want+text[at:] {
		t.Errorf("Apply(%q) = %q, want %q", text, got, want+text[at:])
	}
}

func cutsCharacters(text string, at int) bool {
	return at == len(text) || utf8.RuneStart(text[at]) || !utf8.ValidString(text)
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "a@b.cd 1/2/2026 14:30 +49 30 901820", "\xff1\u200d2",
		"www.1", "WWW.x", "at 8 o'clock", "9 Uhr", "5pm", "DE-89 370400440532013000", "1月2日", "3.mai", "mai 3", "may I have 12"} {
		f.Add(s, "en-US")
	}
	f.Fuzz(func(t *testing.T, text, language string) { checkText(t, text, language) })
}

func FuzzApply(f *testing.F) {
	f.Add("a€b", 0, 2, 1, 9)
	f.Fuzz(func(t *testing.T, text string, a, b, c, d int) {
		got := Redaction{Type: Obfuscation}.Apply(text, []Span{{"A", a, b}, {"B", c, d}})
		if utf8.RuneCountInString(got) != utf8.RuneCountInString(text) {
			t.Errorf("Apply(%q, %d:%d, %d:%d) = %q, which has another number of characters", text, a, b, c, d, got)
		}
	})
}

const benchMessage = "Hi, I am Anna (anna@example.org, +49 30 901820). On 26 November 2026 at 14:30 I paid 1,250.00 with " +
	"4111 1111 1111 1111 for order A-77, see https://example.org/orders/77 - please send it back to DE89 3704 0044 0532 0130 00."

func BenchmarkFind(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if n := len(Find(benchMessage, "de-DE")); n < 8 {
			b.Fatal(n)
		}
	}
}

func BenchmarkFindNumber(b *testing.B) {
	for b.Loop() {
		if n := len(Find("Hello, this is message 4711: I would like to cancel the order and get my money back.", "de-DE")); n != 1 {
			b.Fatal(n)
		}
	}
}

// A message much like those that benchmarks of the hub send: long numbers, one with a point, and no entity that needs more than one.
func BenchmarkFindLongNumber(b *testing.B) {
	for b.Loop() {
		if n := len(Find("lane=12.34;stamp=1234567890123;"+"The parcel with the blue ribbon was handed over at the back door on Tuesday, and nobody has seen it since; "+
			"please look for it again - it may be in the other van.", "")); n != 2 {
			b.Fatal(n)
		}
	}
}

func BenchmarkFindNothing(b *testing.B) {
	for b.Loop() {
		Find("Hello there, I would like to cancel the order and get my money back", "de-DE")
	}
}

// Time grows with the length, not with its square, whatever is repeated. One that grows with the square takes a minute here.
func TestLongTextsTakeNoTime(t *testing.T) {
	for _, piece := range []string{"DE12 ", "1", "1 ", "4111-", "a@", "a.", "+1 (", "1/1/", "http://", "12:00"} {
		began := time.Now()
		Find(strings.Repeat(piece, 100_000/len(piece)), "en-US")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("100,000 bytes of %q took %s", piece, took)
		}
	}
}
