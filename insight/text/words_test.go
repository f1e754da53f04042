package text

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWords(t *testing.T) {
	for s, want := range map[string][]string{
		"":                             nil,
		" ?! … ":                       nil,
		"Don’t stop—we're OK.":         {"don't", "stop", "we're", "ok"},
		"the dogs' 3.5 a_b x@y.com":    {"the", "dogs", "3", "5", "a", "b", "x", "y", "com"},
		"Ｆｕｌｌ　ｗｉｄｔｈ ﬁne":               {"full", "width", "fine"},
		"Straße STRASSE":               {"strasse", "strasse"},
		"café cafe\u0301":              {"café", "café"},
		"İstanbul ISTANBUL ıstanbul":   {"istanbul", "istanbul", "istanbul"},
		"I\u0307\u0301 i\u0301":        {"í", "í"},
		"退款。我要":                        {"退", "款", "我", "要"},
		"コーヒー を":                       {"コーヒー", "を"},
		"สวัสดี":                       {"ส", "วั", "ส", "ดี"},
		"नमस्ते दुनिया":                {"नमस्ते", "दुनिया"},
		"thank 👍🏽 you 👩‍👩‍👧":           {"thank", "you"},
		"co\u00adop\u200bper zero":     {"coop", "per", "zero"},
		"שלום, مرحبا":                  {"שלום", "مرحبا"},
		"\xffab\xfe c":                 {"ab", "c"},
		"ʼtis rock'n'roll o’clock's ’": {"tis", "rock'n'roll", "o'clock's"},
	} {
		var got []string
		for _, w := range Words(s) {
			got = append(got, w.Folded)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Words(%q) (-want +got):\n%s", s, diff)
		}
	}
}

// texts are of all scripts, and of what makes trouble in them.
func texts() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{"refund", "Refund", "don't", "don’t", "'", "’", "退款", "コーヒー", "สวัสดี", "नमस्ते", "İ", "ı", "ß", "ﬁ", "Å",
		"e\u0301", "\u0301", "👍🏽", "👩‍👩‍👧", "🇩🇪", "\u200d", "\u200b", "\u00ad", "\xff", ".", ",", "-", "_", " ", "\n", "3.5", "١٢", "𝒽", "ǅ", "ʼ"})
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "free") {
			return rapid.String().Draw(t, "text")
		}
		return strings.Join(rapid.SliceOfN(piece, 0, 10).Draw(t, "pieces"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
	})
}

// Words lie in order inside the text, cut no character, and read on their own are the words that they were.
func TestWordsCutTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := texts().Draw(t, "text")
		at := 0
		for _, w := range Words(s) {
			if w.Start < at || w.End <= w.Start || w.End > len(s) || !utf8.RuneStart(s[w.Start]) {
				t.Fatalf("Words(%q) has %+v after byte %d", s, w, at)
			}
			at = w.End
			alone := Words(s[w.Start:w.End])
			if len(alone) != 1 || alone[0].Folded != w.Folded {
				t.Fatalf("Words(%q) has %q, which alone reads %+v", s, w.Folded, alone)
			}
			if fold(w.Folded) != w.Folded {
				t.Fatalf("%q folds again to %q", w.Folded, fold(w.Folded))
			}
		}
	})
}

func TestUTF16OffsetCountsLikeJavaScript(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := texts().Draw(t, "text")
		at := 0
		for i := range s {
			if got := UTF16Offset(s, i); got != at {
				t.Fatalf("UTF16Offset(%q, %d) = %d, want %d", s, i, got, at)
			}
			r, _ := utf8.DecodeRuneInString(s[i:])
			at += max(1, utf16.RuneLen(r))
		}
		if got := UTF16Offset(s, len(s)+1); got != at {
			t.Fatalf("UTF16Offset(%q, beyond) = %d, want %d", s, got, at)
		}
	})
}

func TestSpeaks(t *testing.T) {
	for _, c := range []struct {
		languages    string
		conversation string
		want         bool
	}{
		{"", "en-US", true}, {"", "", true},
		{"en-US", "en-US", true}, {"en-US", "EN-us", true}, {"en-US", "en-GB", false}, {"en-US", "en_us", true}, {"en_US", "en-US", true},
		{"en-US", "en", true}, {"en-US", "eng", true}, {"en-GB", "en", false}, {"en-GB en-US", "EN", true}, {"de-DE", "de", true}, {"de-AT", "de", false}, {"pt-BR", "pt", true}, {"pt-PT", "pt", false},
		{"en-US", "und", false}, {"en-US", "e", false}, {"es-ES", "en", false},
		{"en", "en-GB", true}, {"EN", "en_GB", true}, {"en", "de-DE", false}, {"de en", "en", true},
		{"zh", "zh-Hant-TW", true}, {"xx-yy", "XX-YY", true}, {"xx", "xx-zz", true}, {"en", "", false},
	} {
		if got := Speaks(strings.Fields(c.languages), c.conversation); got != c.want {
			t.Errorf("Speaks(%q, %q) = %v, want %v", c.languages, c.conversation, got, c.want)
		}
	}
}

func TestStemsKnowLanguages(t *testing.T) {
	known := map[string]bool{}
	for _, c := range [][3]string{
		{"en-US", "subscriptions", "subscription"}, {"de-DE", "kündigungen", "kündigung"}, {"fr-CA", "remboursements", "remboursement"}, {"es", "devoluciones", "devolución"},
		{"ru-RU", "возвраты", "возврат"}, {"no", "abonnementet", "abonnement"}, {"nb-NO", "abonnementer", "abonnement"}, {"nn-NO", "abonnementa", "abonnement"}, {"da-DK", "abonnementer", "abonnement"},
		{"sv-SE", "abonnemangen", "abonnemang"}, {"nl-NL", "abonnementen", "abonnement"}, {"fi-FI", "laskuissa", "lasku"}, {"hu-HU", "számlával", "számla"}, {"ga-IE", "gcomhlacht", "comhlacht"},
		{"it-IT", "rimborsi", "rimborso"}, {"pt-BR", "reembolsos", "reembolso"}, {"ro-RO", "abonamentului", "abonament"}, {"tr-TR", "siparişler", "sipariş"}, {"ar-EG", "الكتاب", "كتاب"},
		{"ta-IN", "வீடுகள்", "வீடு"},
	} {
		l := base(c[0])
		known[l] = true
		if a, b := stem(c[1], l), stem(c[2], l); a != b {
			t.Errorf("in %s, %s and %s have stems %s and %s", c[0], c[1], c[2], a, b)
		}
	}
	for l := range stemmers {
		if !known[l] {
			t.Errorf("nobody tried %s", l)
		}
		for _, w := range []string{"", "a", "ß", "退款", "'", "👍", strings.Repeat("ab", 10_000), "\u0301"} {
			stem(w, l) // none of the algorithms may panic
		}
	}
}
