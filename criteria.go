package parley

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// A Condition says which conversations are meant. It is one of three: all of All, at least one of Any, or a comparison
// of what Selector names with Values. The zero Condition is a comparison with nothing and fits no conversation.
// [parley/insight/criteria] reads it from text, prints it and decides it; a [Store] turns it into a query.
type Condition struct {
	All []Condition // AND; two or more
	Any []Condition // OR; two or more

	Selector Selector
	Op       Operator
	Values   []Pattern // one, or for In and Out one or more
}

// A Selector names what of a conversation is compared. It is comparable.
type Selector struct {
	Kind SelectorKind
	Name string // the key, for SelectMetadata; else ""
}

// A SelectorKind is a kind of Selector. It is a closed set.
type SelectorKind uint8

const (
	SelectMetadata SelectorKind = iota + 1
	SelectID                    // the number, as decimal digits
	SelectName                  // the number, for a conversation without a name
	SelectType
	SelectStart
	SelectEnd
	SelectLabel // any number of them at a conversation
)

// SelectorPrefix begins the name of every selector, and SelectorMetadata that of every metadata key.
const (
	SelectorPrefix   = "conversation."
	SelectorMetadata = SelectorPrefix + "metadata."
)

var selectorNames = map[SelectorKind]string{SelectID: "id", SelectName: "name", SelectType: "type", SelectStart: "startTime",
	SelectEnd: "endTime", SelectLabel: "label"}

// String is the selector as people write it, such as conversation.metadata.region.
func (s Selector) String() string {
	if s.Kind == SelectMetadata {
		return SelectorMetadata + s.Name
	}
	return SelectorPrefix + selectorNames[s.Kind]
}

// ParseSelector reads what String wrote, startDate and endDate besides; ok is false if there is no such selector.
func ParseSelector(text string) (s Selector, ok bool) {
	if key, found := strings.CutPrefix(text, SelectorMetadata); found {
		return Selector{Kind: SelectMetadata, Name: key}, key != ""
	}
	switch text {
	case "conversation.startDate":
		return Selector{Kind: SelectStart}, true
	case "conversation.endDate":
		return Selector{Kind: SelectEnd}, true
	}
	for kind, name := range selectorNames {
		if text == SelectorPrefix+name {
			return Selector{Kind: kind}, true
		}
	}
	return Selector{}, false
}

// IsTime says whether values of the selector are times.
func (s Selector) IsTime() bool { return s.Kind == SelectStart || s.Kind == SelectEnd }

// An Operator compares. It is a closed set.
type Operator uint8

const (
	Equal Operator = iota + 1
	NotEqual
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
	In  // equal to one of the values
	Out // equal to none of them
)

var operatorText = [...]string{Equal: "==", NotEqual: "!=", Less: "<", LessOrEqual: "<=", Greater: ">", GreaterOrEqual: ">=", In: "=in=", Out: "=out="}

func (o Operator) String() string {
	if int(o) < len(operatorText) {
		return operatorText[o]
	}
	return ""
}

// Negates says whether the operator is true exactly where its opposite is not, also where there is nothing to compare.
func (o Operator) Negates() bool { return o == NotEqual || o == Out }

// IsList says whether the operator takes a list.
func (o Operator) IsList() bool { return o == In || o == Out }

// IsOrder says whether the operator asks which of two is greater. It compares times on time selectors, numbers if both
// sides are numbers, else code points; a star is a star.
func (o Operator) IsOrder() bool { return o >= Less && o <= GreaterOrEqual }

// Holds says whether an operator that asks which of two is greater takes the result of comparing them: negative, zero, or positive.
func (o Operator) Holds(comparison int) bool {
	switch o {
	case Less:
		return comparison < 0
	case LessOrEqual:
		return comparison <= 0
	case Greater:
		return comparison > 0
	default:
		return comparison >= 0
	}
}

// A Pattern is a value of a comparison: the text before, between and after its stars, each of which stands for any run
// of characters. Without a star it has one part.
type Pattern struct {
	Parts []string
	Time  time.Time // what it says, on time selectors, in whole milliseconds
}

// Text is the value with its stars.
func (p Pattern) Text() string { return strings.Join(p.Parts, "*") }

// HasStar says whether the pattern fits more than one text.
func (p Pattern) HasStar() bool { return len(p.Parts) > 1 }

// CompareTexts compares two texts as criteria do: by size if both are numbers, else by code points.
func CompareTexts(a, b string) int {
	x, ok := Figure(a)
	y, both := Figure(b)
	if ok && both {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b) // bytes of UTF-8 are in the order of code points
}

// Figure is the number that a text is when criteria compare it: digits with an optional sign, fraction and exponent. What
// is too large for 64 bits is none; more than 15 digits are rounded.
func Figure(text string) (figure float64, ok bool) {
	digits := false
	for i, c := range []byte(text) {
		switch {
		case '0' <= c && c <= '9':
			digits = true
		case c == '.':
		case c == '-' || c == '+':
			if i > 0 && text[i-1] != 'e' && text[i-1] != 'E' {
				return 0, false
			}
		case (c == 'e' || c == 'E') && digits:
		default: // also what ParseFloat takes beyond this: Inf, NaN, hexadecimal, underscores
			return 0, false
		}
	}
	figure, err := strconv.ParseFloat(text, 64)
	return figure, err == nil
}
