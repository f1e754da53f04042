package criteria

import (
	"strings"

	"parley"
)

// String prints a condition so that [Parse] reads the same one; with quotes it may be longer than Parse allows.
func String(c parley.Condition) string {
	var b strings.Builder
	write(&b, c)
	return b.String()
}

func write(b *strings.Builder, c parley.Condition) {
	switch {
	case c.All != nil:
		writeJoined(b, c.All, ";")
	case c.Any != nil:
		writeJoined(b, c.Any, ",")
	default:
		b.WriteString(c.Selector.String())
		b.WriteString(c.Op.String())
		if !c.Op.IsList() {
			writeValue(b, c.Op, c.Values[0])
			return
		}
		for i, v := range c.Values {
			if i == 0 {
				b.WriteByte('(')
			} else {
				b.WriteByte(',')
			}
			writeValue(b, c.Op, v)
		}
		b.WriteByte(')')
	}
}

// writeJoined puts everything that is joined itself in brackets.
func writeJoined(b *strings.Builder, all []parley.Condition, sign string) {
	for i, c := range all {
		if i > 0 {
			b.WriteString(sign)
		}
		if c.All == nil && c.Any == nil {
			write(b, c)
			continue
		}
		b.WriteByte('(')
		write(b, c)
		b.WriteByte(')')
	}
}

var escape = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `*`, `\*`)

func writeValue(b *strings.Builder, op parley.Operator, v parley.Pattern) {
	plain := v.Text() != "" && !strings.ContainsAny(v.Text(), reserved)
	for _, part := range v.Parts {
		plain = plain && (op.IsOrder() || !strings.Contains(part, "*"))
	}
	if plain {
		b.WriteString(v.Text())
		return
	}
	b.WriteByte('\'')
	for i, part := range v.Parts {
		if i > 0 {
			b.WriteByte('*')
		}
		b.WriteString(escape.Replace(part))
	}
	b.WriteByte('\'')
}
