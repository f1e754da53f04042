package criteria

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"parley"
)

var position = regexp.MustCompile(`^at character (\d+): `)

// Whatever a stranger writes is read or refused at a character of it (or just after the last), and what was read is
// printed so that it reads the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"conversation.metadata.agentId==mreyes and conversation.metadata.customerId==90211",
		"conversation.metadata.region=in=(north,east);conversation.metadata.label!='field visit'",
		"(conversation.metadata.tier==gold,conversation.metadata.tier==silver) or conversation.startDate<2026-02-03T10:00:00.5+01:00",
		`conversation.label=out=("a\*b*",'\'',*);conversation.id=ge=1e3`, "conversation.name<'*'", "((conversation.type!=x\\*))", "\xff", "conversation.a=\x00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			m := position.FindStringSubmatch(err.Error())
			if parley.KindOf(err) != parley.Invalid || m == nil {
				t.Fatalf("Parse(%q) = %v, want Invalid with a position", text, err)
			}
			if at, _ := strconv.Atoi(m[1]); at < 1 || at > utf8.RuneCountInString(text)+1 {
				t.Errorf("Parse(%q) = %v, which is no place in it", text, err)
			}
			return
		}
		printed := String(c)
		again, err := parse(printed, 8*MaxLength, false)
		if err != nil {
			t.Fatalf("Parse(%q) prints %q, which is refused: %v", text, printed, err)
		}
		// A time is printed as it was written.
		if diff := cmp.Diff(c, again); diff != "" {
			t.Errorf("Parse(%q) prints %q, which reads otherwise:\n%s", text, printed, diff)
		}
		if twice := String(again); twice != printed {
			t.Errorf("%q is printed as %q", printed, twice)
		}
		_ = Match(c, parley.Insight{Metadata: map[string]string{"region": text}})
		if _, err := ParseFilter(text); (err == nil) != !hasOr(c) {
			t.Errorf("ParseFilter(%q) = %v", text, err)
		}
	})
}

func hasOr(c parley.Condition) bool { return c.Any != nil || slices.ContainsFunc(c.All, hasOr) }
