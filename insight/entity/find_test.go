package entity

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each text, in a language, has these entities and no others.
func TestFind(t *testing.T) {
	type is struct{ Name, Text, Value string }
	for _, c := range []struct {
		text, language string
		want           []is
	}{
		{"nothing here", "en-US", nil},
		{"mail Anna.Lee+x@Example.ORG, please", "en-US", []is{{EmailAddress, "Anna.Lee+x@Example.ORG", "Anna.Lee+x@example.org"}}},
		{"(anna@example.org)", "en-US", []is{{EmailAddress, "anna@example.org", "anna@example.org"}}},
		{"почта: анна@пример.рф!", "ru-RU", []is{{EmailAddress, "анна@пример.рф", "анна@пример.рф"}}},
		{"see https://example.org/a?b=1#c, or www.example.com.", "en-US", []is{
			{URL, "https://example.org/a?b=1#c", "https://example.org/a?b=1#c"}, {URL, "www.example.com", "www.example.com"}}},
		{"(https://en.wikipedia.org/wiki/Go_(verb))", "en-US", []is{
			{URL, "https://en.wikipedia.org/wiki/Go_(verb)", "https://en.wikipedia.org/wiki/Go_(verb)"}}},
		{"it is example.com/help", "en-US", []is{{URL, "example.com/help", "example.com/help"}}},
		{"*www.example.org*, 'www.example.com'", "en-US", []is{{URL, "www.example.org", "www.example.org"}, {URL, "www.example.com", "www.example.com"}}},
		{"end of line.Now new", "en-US", nil},
		{"card 4111 1111 1111 1111 12/27", "en-US", []is{
			{CardNumber, "4111 1111 1111 1111", "4111111111111111"}, {Number, "12", "12"}, {Number, "27", "27"}}},
		{"5500-0055-5555-5559", "en-US", []is{{CardNumber, "5500-0055-5555-5559", "5500005555555559"}}},
		{"5000 0000 0009", "en-US", []is{{CardNumber, "5000 0000 0009", "500000000009"}}}, // twelve digits are Maestro's
		{"400000000002, 6666666666666", "en-US", []is{{Number, "400000000002", "400000000002"}, {Number, "6666666666666", "6666666666666"}}},
		{"41\u200b11 1111\u20111111\u00a01111", "en-US", []is{{CardNumber, "41\u200b11 1111\u20111111\u00a01111", "4111111111111111"}}},
		{"٤١١١ ١١١١ ١١١١ ١١١١", "ar-EG", []is{{CardNumber, "٤١١١ ١١١١ ١١١١ ١١١١", "4111111111111111"}}},
		{"4111 1111 1111 1112", "", []is{{Number, "4111", "4111"}, {Number, "1111", "1111"}, {Number, "1111", "1111"}, {Number, "1112", "1112"}}},
		{"IBAN de89 3704 0044 0532 0130 00 please", "de-DE", []is{{IBAN, "de89 3704 0044 0532 0130 00", "DE89370400440532013000"}}},
		{"GB82WEST12345698765432", "en-GB", []is{{IBAN, "GB82WEST12345698765432", "GB82WEST12345698765432"}}},
		{"GB82WEST12345698765432X", "en-GB", nil},
		{"DE89.3704.0044.0532.0130.00", "de-DE", []is{{IBAN, "DE89.3704.0044.0532.0130.00", "DE89370400440532013000"}}},
		{"call +49 30 901820 or (212) 555-2368", "en-US", []is{
			{PhoneNumber, "+49 30 901820", "+4930901820"}, {PhoneNumber, "(212) 555-2368", "+12125552368"}}},
		{"020 7946 0958", "en-GB", []is{{PhoneNumber, "020 7946 0958", "+442079460958"}}},
		{"A020 7946 0958", "en-GB", []is{{Number, "7946", "7946"}, {Number, "0958", "0958"}}},
		{"030 901820", "de", []is{{Number, "030", "030"}, {Number, "901820", "901820"}}}, // of no country
		{"0049 30 901820", "", []is{{PhoneNumber, "0049 30 901820", "+4930901820"}}},
		{"on 2026-11-26 at 14:30", "en-US", []is{{Date, "2026-11-26", "2026-11-26"}, {Time, "14:30", "14:30"}}},
		{"24:00, 23:59:60", "en-US", []is{{Time, "24:00", "24:00"}, {Time, "23:59:60", "23:59:60"}}}, // the end of a day, and a leap second
		{"24:30 12:60", "en-US", []is{{Number, "24", "24"}, {Number, "30", "30"}, {Number, "12", "12"}, {Number, "60", "60"}}},
		{"1/2/2026", "en-US", []is{{Date, "1/2/2026", "2026-01-02"}}},
		{"1/2/2026", "en-GB", []is{{Date, "1/2/2026", "2026-02-01"}}},
		{"31/12/2026", "en-US", []is{{Date, "31/12/2026", "2026-12-31"}}},
		{"1.2.2026, 3.4.26", "en-US", []is{{Date, "1.2.2026", "2026-02-01"}, {Date, "3.4.26", "2026-04-03"}}},
		{"10.11.12.13 and 10:20:30:40", "de-DE", []is{
			{Number, "10.11.12.13", "10.11.12.13"}, {Number, "10", "10"}, {Number, "20", "20"}, {Number, "30", "30"}, {Number, "40", "40"}}},
		{"am 3. März 2026 um 9 Uhr", "de-DE", []is{{Date, "3. März 2026", "2026-03-03"}, {Time, "9 Uhr", "09:00"}}},
		{"November 26th, 2026 at 2:30 p.m.", "en-US", []is{{Date, "November 26th, 2026", "2026-11-26"}, {Time, "2:30 p.m.", "14:30"}}},
		{"5 de mayo", "es-MX", []is{{Date, "5 de mayo", "--05-05"}}},
		{"29 February, at 12 pm or 12:30 AM", "en-US", []is{{Date, "29 February", "--02-29"}, {Time, "12 pm", "12:00"}, {Time, "12:30 AM", "00:30"}}},
		{"２０２６年１１月２６日", "ja-JP", []is{{Date, "２０２６年１１月２６日", "2026-11-26"}}},
		{"30 February 2026", "en-US", []is{{Number, "30", "30"}, {Number, "2026", "2026"}}},
		{"-3.5 degrees, 1,000.25 and B2B 4th", "en-US", []is{{Number, "-3.5", "-3.5"}, {Number, "1,000.25", "1,000.25"}}},
		{"\u22125 in A-12", "en-US", []is{{Number, "\u22125", "-5"}, {Number, "12", "12"}}},
		{"192.168.1.20", "en-US", []is{{Number, "192.168.1.20", "192.168.1.20"}}},
		{"1 000 000,50 and 12'345", "fr-FR", []is{{Number, "1 000 000,50", "1 000 000,50"}, {Number, "12'345", "12'345"}}},
		{"\xff\xfe 12\xff", "en-US", []is{{Number, "12", "12"}}},
	} {
		var got []is
		for _, f := range Find(c.text, c.language) {
			got = append(got, is{f.Name, c.text[f.Start:f.End], f.Value})
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("Find(%q, %q) (-want +got):\n%s", c.text, c.language, diff)
		}
	}
}
