package store

import "parley"

// values is where the texts are that a selector finds: in an index, in order.
type values struct {
	rows  string // from and where; the table is m
	args  []any
	value string
}

// valuesOf is where the texts of a selector are; of names those that conversations were given.
func valuesOf(tenant int64, s parley.Selector) values {
	switch s.Kind {
	case parley.SelectName:
		return values{"insights AS m WHERE m.tenant = ? AND m.name <> ''", []any{tenant}, "m.name"}
	case parley.SelectType:
		return values{"insights AS m WHERE m.tenant = ?", []any{tenant}, "m.type"}
	case parley.SelectLabel:
		return values{"conversation_labels AS m WHERE m.tenant = ?", []any{tenant}, "m.label"}
	default:
		return values{"conversation_metadata AS m WHERE m.tenant = ? AND m.name = ?", []any{tenant, s.Name}, "m.value"}
	}
}
