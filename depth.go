package parley

import "fmt"

// MaxDepth is how deep a JSON value from outside may be nested. Receivers must be able to read it with all that is around it, and so must the
// store: the parser of .NET stops at 64, Ruby's at 100, Go's at 10,000.
const MaxDepth = 50

// DepthProblem is what is said of a value that is [TooDeep], behind its name.
var DepthProblem = fmt.Sprintf("must not be nested more than %d deep", MaxDepth)

// TooDeep says whether a valid JSON text is nested deeper than [MaxDepth].
func TooDeep(v []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
