package entity

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// months are the names of the months and what people shorten them to, by the first letters, in the languages with the most
// speakers among those that write them with spaces.
var months = func() map[string]time.Month {
	m := map[string]time.Month{}
	for _, names := range []string{
		"january february march april may june july august september october november december",
		"jan feb mar apr may jun jul aug sep oct nov dec",
		"januar februar märz april mai juni juli august september oktober november dezember",
		"jän feb mär apr mai jun jul aug sept okt nov dez",
		"janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
		"janv févr mars avr mai juin juil août sept oct nov déc",
		"enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
		"gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
		"janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
		"januari februari maart april mei juni juli augustus september oktober november december",
	} {
		for i, name := range strings.Fields(names) {
			m[name] = time.Month(i + 1)
		}
	}
	return m
}()

const year = `(\d{4})`

var (
	isoDate     = regexp.MustCompile(`(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})(?:T(?:\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?)?`)
	numericDate = regexp.MustCompile(`(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4}|\d{2})`)
	dayFirst    = regexp.MustCompile(`(?i)(\d{1,2})(?:st|nd|rd|th|\.|er|º)?(?: (?:of|de))?[ -](\pL{3,10})\.?(?:(?:,| de| del)?[ -]` + year + `)?`)
	monthFirst  = regexp.MustCompile(`(?i)(\pL{3,10})\.? (\d{1,2})(?:st|nd|rd|th)?(?:,? ` + year + `)?`)
	hanDate     = regexp.MustCompile(`(?:(\d{4}) ?年 ?)?(\d{1,2}) ?月 ?(\d{1,2}) ?日`)

	clock  = regexp.MustCompile(`(?i)(\d{1,2})[:.h](\d{2})(?::(\d{2}))?(?: ?([ap])\.?m\b\.?)?`)
	oclock = regexp.MustCompile(`(?i)(\d{1,2}) ?(?:([ap])\.?m\b\.?|o'?clock\b|uhr\b)`)
)

// findNumericDates, and those after it, take dates with a day and a month; weekdays, seasons and "tomorrow" are words like
// others.
func findNumericDates(s, language string, add func(int, int, string)) {
	each(isoDate, s, func(g []string, start, end int) {
		if g[2] == g[4] && apart(s, start, end) {
			addDate(add, start, end, g[1], g[3], g[5])
		}
	})
	each(numericDate, s, func(g []string, start, end int) {
		if g[2] != g[4] || !apart(s, start, end) || joined(s, start, end, g[2][0]) {
			return
		}
		day, month := g[1], g[3]
		if n, _ := strconv.Atoi(month); n > 12 || monthLeads(language) && g[2] != "." {
			if n, _ := strconv.Atoi(day); n <= 12 {
				day, month = month, day
			}
		}
		addDate(add, start, end, g[5], month, day)
	})
}

func findNamedDates(s, _ string, add func(int, int, string)) {
	each(dayFirst, s, func(g []string, start, end int) {
		if month := months[strings.ToLower(g[2])]; month > 0 && apart(s, start, end) {
			addDate(add, start, end, g[3], strconv.Itoa(int(month)), g[1])
		}
	})
	each(monthFirst, s, func(g []string, start, end int) {
		if month := months[strings.ToLower(g[1])]; month > 0 && apart(s, start, end) {
			addDate(add, start, end, g[3], strconv.Itoa(int(month)), g[2])
		}
	})
}

func findHanDates(s, _ string, add func(int, int, string)) {
	each(hanDate, s, func(g []string, start, end int) {
		addDate(add, start, end, g[1], g[2], g[3])
	})
}

// monthLeads says whether 1/2/2026 is the second of January there.
func monthLeads(language string) bool {
	language = strings.ToLower(strings.ReplaceAll(language, "_", "-"))
	return language == "" || language == "en" || strings.HasSuffix(language, "-us") || strings.HasSuffix(language, "-ph")
}

// addDate adds a date that the calendar has. Its value is ISO 8601: without a year "--02-01", of two digits as 2000 and later.
func addDate(add func(int, int, string), start, end int, y, m, d string) {
	month, _ := strconv.Atoi(m)
	day, _ := strconv.Atoi(d)
	in := 2024 // a leap year
	if y != "" {
		in, _ = strconv.Atoi(y)
	}
	if len(y) == 2 {
		in += 2000
	}
	date := time.Date(in, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if month < 1 || month > 12 || date.Day() != day || day == 0 {
		return
	}
	if y == "" {
		add(start, end, date.Format("--01-02"))
		return
	}
	add(start, end, date.Format(time.DateOnly))
}

// findClocks takes times with minutes, and findHours those without.
func findClocks(s, _ string, add func(int, int, string)) {
	each(clock, s, func(g []string, start, end int) {
		dot := s[start+len(g[1])] == '.'
		if dot && g[4] == "" || joined(s, start, end, ':') { // 7.30 is a number unless it says pm
			return
		}
		addTime(s, add, start, end, g[1], g[2], g[3], g[4])
	})
}

func findHours(s, _ string, add func(int, int, string)) {
	each(oclock, s, func(g []string, start, end int) {
		addTime(s, add, start, end, g[1], "0", "", g[2])
	})
}

func addTime(s string, add func(int, int, string), start, end int, h, m, sec, half string) {
	hour, _ := strconv.Atoi(h)
	minute, _ := strconv.Atoi(m)
	second, _ := strconv.Atoi(sec)
	if half != "" {
		if hour < 1 || hour > 12 {
			return
		}
		hour = hour%12 + map[string]int{"a": 0, "p": 12}[strings.ToLower(half)]
	}
	if hour > 24 || hour == 24 && minute+second > 0 || minute > 59 || second > 60 || !apart(s, start, end) {
		return
	}
	value := fmt.Sprintf("%02d:%02d", hour, minute)
	if sec != "" {
		value += fmt.Sprintf(":%02d", second)
	}
	add(start, end, value)
}

// joined says whether what stands at start to end goes on with one more number, as in 1.2.3.4.
func joined(s string, start, end int, by byte) bool {
	return start > 1 && s[start-1] == by && isDigit(s[start-2]) || end+1 < len(s) && s[end] == by && isDigit(s[end+1])
}

// each calls found with the groups of every match.
func each(pattern *regexp.Regexp, s string, found func(groups []string, start, end int)) {
	for _, m := range pattern.FindAllStringSubmatchIndex(s, -1) {
		groups := make([]string, len(m)/2)
		for i := range groups {
			if m[2*i] >= 0 {
				groups[i] = s[m[2*i]:m[2*i+1]]
			}
		}
		found(groups, m[0], m[1])
	}
}
