package criteria_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight/criteria"
)

var (
	region = parley.Selector{Kind: parley.SelectMetadata, Name: "region"}
	label  = parley.Selector{Kind: parley.SelectMetadata, Name: "label"}
	tier   = parley.Selector{Kind: parley.SelectMetadata, Name: "tier"}
)

func is(s parley.Selector, op parley.Operator, values ...string) parley.Condition {
	c := parley.Condition{Selector: s, Op: op}
	for _, v := range values {
		c.Values = append(c.Values, parley.Pattern{Parts: strings.Split(v, "*")})
	}
	return c
}

func all(of ...parley.Condition) parley.Condition { return parley.Condition{All: of} }
func some(of ...parley.Condition) parley.Condition {
	return parley.Condition{Any: of}
}

func TestParseReadsTheGrammar(t *testing.T) {
	start := time.Date(2026, 2, 3, 9, 0, 4, 123e6, time.UTC)
	at := func(kind parley.SelectorKind, op parley.Operator, text string, t time.Time) parley.Condition {
		return parley.Condition{Selector: parley.Selector{Kind: kind}, Op: op, Values: []parley.Pattern{{Parts: []string{text}, Time: t}}}
	}
	for text, want := range map[string]parley.Condition{
		// Reference 5.3.
		"conversation.metadata.region==north":                                         is(region, parley.Equal, "north"),
		"conversation.metadata.region==north and conversation.metadata.tier==gold":    all(is(region, parley.Equal, "north"), is(tier, parley.Equal, "gold")),
		"conversation.metadata.label=='field visit'":                                  is(label, parley.Equal, "field visit"),
		"conversation.metadata.region=in=(north,east);conversation.metadata.label!=I": all(is(region, parley.In, "north", "east"), is(label, parley.NotEqual, "I")),
		"(conversation.metadata.tier==gold,conversation.metadata.tier==silver);conversation.metadata.region==north": all(
			some(is(tier, parley.Equal, "gold"), is(tier, parley.Equal, "silver")), is(region, parley.Equal, "north")),
		// AND binds tighter, in either spelling, and brackets tighter than both.
		"conversation.metadata.tier==a or conversation.metadata.tier==b;conversation.metadata.tier==c": some(is(tier, parley.Equal, "a"),
			all(is(tier, parley.Equal, "b"), is(tier, parley.Equal, "c"))),
		"conversation.metadata.tier==a \t\r\n and (conversation.metadata.tier==b,conversation.metadata.tier==c)": all(is(tier, parley.Equal, "a"),
			some(is(tier, parley.Equal, "b"), is(tier, parley.Equal, "c"))),
		"((conversation.metadata.tier==a))": is(tier, parley.Equal, "a"),
		// Words are words only with white space around them.
		"conversation.metadata.tier==and;conversation.metadata.tier==nor": all(is(tier, parley.Equal, "and"), is(tier, parley.Equal, "nor")),
		// Operators, in both spellings.
		"conversation.metadata.tier=lt=1;conversation.metadata.tier<1":  all(is(tier, parley.Less, "1"), is(tier, parley.Less, "1")),
		"conversation.metadata.tier=le=1;conversation.metadata.tier<=1": all(is(tier, parley.LessOrEqual, "1"), is(tier, parley.LessOrEqual, "1")),
		"conversation.metadata.tier=gt=1;conversation.metadata.tier>1":  all(is(tier, parley.Greater, "1"), is(tier, parley.Greater, "1")),
		"conversation.metadata.tier=ge=1;conversation.metadata.tier>=1": all(is(tier, parley.GreaterOrEqual, "1"), is(tier, parley.GreaterOrEqual, "1")),
		`conversation.metadata.tier=out=('a b',"c")`:                    is(tier, parley.Out, "a b", "c"),
		// Values.
		`conversation.metadata.tier=='a\'b\\c"'`:   is(tier, parley.Equal, `a'b\c"`),
		`conversation.metadata.tier==a\b`:          is(tier, parley.Equal, `a\b`),
		`conversation.metadata.tier==''`:           is(tier, parley.Equal, ""),
		`conversation.metadata.tier==*ab*`:         is(tier, parley.Equal, "*ab*"),
		`conversation.metadata.tier=='* *'`:        is(tier, parley.Equal, "* *"),
		`conversation.metadata.tier=='\*'`:         {Selector: tier, Op: parley.Equal, Values: []parley.Pattern{{Parts: []string{"*"}}}},
		`conversation.metadata.tier<*`:             {Selector: tier, Op: parley.Less, Values: []parley.Pattern{{Parts: []string{"*"}}}},
		"conversation.metadata.größe==Übergröße":   is(parley.Selector{Kind: parley.SelectMetadata, Name: "größe"}, parley.Equal, "Übergröße"),
		"conversation.label==offer":                is(parley.Selector{Kind: parley.SelectLabel}, parley.Equal, "offer"),
		"conversation.id==1;conversation.name==x*": all(is(parley.Selector{Kind: parley.SelectID}, parley.Equal, "1"), is(parley.Selector{Kind: parley.SelectName}, parley.Equal, "x*")),
		"conversation.type==meeting":               is(parley.Selector{Kind: parley.SelectType}, parley.Equal, "meeting"),
		// Times, to the millisecond; the aliases are no selectors of their own.
		"conversation.startTime<2026-02-03T10:00:04.1239+01:00;conversation.startDate<2026-02-03;conversation.endDate>=2026-02-03T09:00;conversation.endTime=gt=2026-02-03T09:00Z": all(
			at(parley.SelectStart, parley.Less, "2026-02-03T10:00:04.1239+01:00", start),
			at(parley.SelectStart, parley.Less, "2026-02-03", start.Truncate(24*time.Hour)),
			at(parley.SelectEnd, parley.GreaterOrEqual, "2026-02-03T09:00", start.Truncate(time.Minute)),
			at(parley.SelectEnd, parley.Greater, "2026-02-03T09:00Z", start.Truncate(time.Minute))),
	} {
		got, err := criteria.Parse(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Parse(%q) = %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestParseSaysWhereAndWhatItExpected(t *testing.T) {
	long := "conversation.metadata.tier==" + strings.Repeat("é", criteria.MaxLength)
	for text, want := range map[string]string{
		"":                                     "at character 1: expected a selector",
		"conversation.metadata.agentId=mreyes": "at character 30: expected one of ==",
		"conversation.metadata.a==1;conversation.metadata.b==2;conversation.metadata.c==3":             "at character 55: expected conversation.metadata.a or conversation.metadata.b, for at most 2",
		"conversation.startDate>2026-01-01;conversation.startTime<2026-02-01;conversation.id==1;agent": "at character 88: expected a selector",
		"conversation.colour==red":                                   "at character 1: expected a selector",
		"conversation.metadata.==red":                                "at character 1: expected a selector",
		"conversation.metadata.é=in=a":                               "at character 28: expected a list in brackets",
		"conversation.metadata.a=in=(":                               "at character 29: expected a value, found the end",
		"conversation.metadata.a=in=()":                              "at character 29: expected a value",
		"conversation.metadata.a=in=(a;b)":                           "at character 30: expected a comma or a closing bracket",
		"conversation.metadata.a==(a,b)":                             "at character 26: expected a value, found '('",
		"conversation.metadata.a==":                                  "at character 26: expected a value, found the end",
		"conversation.metadata.a=='x":                                "at character 28: expected a closing '",
		`conversation.metadata.a=="x'`:                               "at character 29: expected a closing \"",
		`conversation.metadata.a=='x\'`:                              "at character 30: expected a closing '",
		"conversation.metadata.a==1 conversation.metadata.b==2":      "at character 27: expected an operator ; and , or, or the end",
		"conversation.metadata.a==1 and(conversation.metadata.b==2)": "at character 27: expected an operator",
		"conversation.metadata.a==1)":                                "at character 27: expected the end: this bracket closes nothing",
		"(conversation.metadata.a==1":                                "at character 28: expected an operator ; and , or, or a closing bracket, found the end",
		"conversation.metadata.a==1;":                                "at character 28: expected a selector",
		"conversation.metadata.a~=1":                                 "at character 24: expected one of ==",
		"conversation.startTime==yesterday":                          "at character 25: expected a time as in ISO 8601",
		"conversation.endTime=in=(2026-01-01,2026-*)":                "at character 37: expected a time as in ISO 8601",
		"conversation.metadata.a==\xff":                              "at character 26: expected text in UTF-8",
		"conversation.metadata.é==a\x00":                             "at character 27: expected text in UTF-8",
		long:                                                         "at character 1025: expected the end, for more than 1024",
	} {
		_, err := criteria.Parse(text)
		if parley.KindOf(err) != parley.Invalid || !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("Parse(%.100q) = %v, want Invalid and %q", text, err, want)
		}
	}
	if _, err := criteria.Parse(long[:len(long)-2*len("conversation.metadata.tier==")]); err != nil {
		t.Errorf("Parse of exactly %d characters = %v", criteria.MaxLength, err)
	}
}

func TestFilterHasNoOr(t *testing.T) {
	for text, want := range map[string]string{
		"conversation.metadata.a==1,conversation.metadata.b==2":      "at character 27: expected ; and, or the end, for a filter has no OR",
		"(conversation.metadata.a==1 or conversation.metadata.b==2)": "at character 28: expected ; and, or the end, for a filter has no OR",
	} {
		if _, err := criteria.ParseFilter(text); parley.KindOf(err) != parley.Invalid || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseFilter(%q) = %v, want Invalid and %q", text, err, want)
		}
	}
	if c, err := criteria.ParseFilter("conversation.metadata.a=in=(1,2) and conversation.metadata.b==2"); err != nil || len(c.All) != 2 {
		t.Errorf("a filter with a list = %v, %v, want two conditions", c, err)
	}
}

func TestMatch(t *testing.T) {
	facts := parley.Insight{Number: 7229411, Type: "meeting", Started: time.Date(2026, 2, 3, 10, 0, 0, 0, time.UTC), Ended: time.Date(2026, 2, 3, 10, 5, 0, 0, time.UTC),
		Metadata: map[string]string{"region": "north", "score": "10", "empty": "", "star": "a*b", "place": "Åre"}, Labels: []string{"offer", "price"}}
	for text, want := range map[string]bool{
		"conversation.metadata.region==north":           true,
		"conversation.metadata.region==North":           false,
		"conversation.metadata.region==nor":             false,
		"conversation.metadata.region==*o*h":            true,
		"conversation.metadata.region==*o*t":            false,
		"conversation.metadata.region==*north*":         true,
		"conversation.metadata.region==n*n*":            false,
		"conversation.metadata.region==n*th*th":         false,
		"conversation.metadata.region!=south":           true,
		"conversation.metadata.region=in=(east,north)":  true,
		"conversation.metadata.region=out=(east,north)": false,
		`conversation.metadata.star=='a\*b'`:            true,
		`conversation.metadata.region=='n\*'`:           false,
		// Missing, and there but empty.
		"conversation.metadata.tier==*":                                 false,
		"conversation.metadata.tier!=*":                                 true,
		"conversation.metadata.tier=out=(a)":                            true,
		"conversation.metadata.tier=in=(a,'')":                          false,
		"conversation.metadata.tier<z":                                  false,
		"conversation.metadata.tier>=''":                                false,
		"conversation.metadata.empty==*":                                true,
		"conversation.metadata.empty==''":                               true,
		"conversation.metadata.empty!=*":                                false,
		"conversation.metadata.score<9":                                 false, // numbers
		"conversation.metadata.score>=1e1":                              true,
		"conversation.metadata.score<9x":                                true, // texts
		"conversation.metadata.score==10.0":                             false,
		"conversation.metadata.place>Z":                                 true, // code points
		"conversation.startTime==2026-02-03T10":                         false,
		"conversation.id==7229411":                                      true,
		"conversation.id<10000000":                                      true,
		"conversation.id==72*":                                          true,
		"conversation.name==7229411":                                    true,
		"conversation.type!=meeting":                                    false,
		"conversation.startTime==2026-02-03T10:00:00Z":                  true,
		"conversation.startTime>2026-02-03T10:00:00Z":                   false,
		"conversation.endTime<=2026-02-03T11:05+01:00":                  true,
		"conversation.endTime!=2026-02-03":                              true,
		"conversation.endTime=out=(2026-02-03T10:05)":                   false,
		"conversation.label==price":                                     true,
		"conversation.label==refund":                                    false,
		"conversation.label!=price":                                     false, // one is equal
		"conversation.label!=refund":                                    true,
		"conversation.label=out=(refund,offer)":                         false,
		"conversation.label==o*;conversation.label==p*":                 true,
		"conversation.label==x,conversation.id!=1":                      true,
		"(conversation.label==x,conversation.id==1);conversation.id!=1": false,
	} {
		c, err := criteria.Parse(text)
		if strings.HasSuffix(text, "T10") {
			if err == nil {
				t.Errorf("Parse(%q) takes an hour without minutes", text)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := criteria.Match(c, facts); got != want {
			t.Errorf("Match(%s) = %v", text, got)
		}
	}
	if criteria.Match(parley.Condition{}, facts) {
		t.Error("the zero condition fits")
	}
}

// The examples of the document are read, or refused, as it says.
func TestDocumentedExamples(t *testing.T) {
	text, err := os.ReadFile("../../docs/groups.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| Criteria | Picks |")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `(.+?)` \\| (.*) \\|$").FindAllStringSubmatch(table, -1)
	if len(rows) < 7 {
		t.Fatalf("the document has %d examples", len(rows))
	}
	for _, row := range rows {
		_, err := criteria.Parse(row[1])
		if refused := strings.Contains(row[2], "refused"); refused != (err != nil) {
			t.Errorf("Parse(%q) = %v, but the document says: %s", row[1], err, row[2])
		}
	}
	if _, err := criteria.Parse("conversation.metadata.agentId=mreyes"); err == nil || !strings.Contains(string(text), "\n\"criteria\": "+err.Error()+"\n") {
		t.Errorf("the document does not show %q", err)
	}
}
