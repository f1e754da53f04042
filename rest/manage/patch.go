package manage

import (
	"github.com/go-json-experiment/json/jsontext"

	"parley/insight"
)

// An operation is one of a JSON Patch (RFC 6902).
type operation struct {
	Op    *string        `json:"op"`
	Path  *string        `json:"path"`
	Value jsontext.Value `json:"value"`
}

// patch reads a body that is a JSON Patch. A value that is null is absent, as null is everywhere: clients write it beside remove.
func patch(r *request) ([]insight.PatchOperation, error) {
	all, err := array[operation](r)
	if err != nil {
		return nil, err
	}
	ops := make([]insight.PatchOperation, len(all))
	for i, o := range all {
		if err := given("op", o.Op != nil); err != nil {
			return nil, atItem(err, i, len(all) > 1)
		}
		if err := given("path", o.Path != nil); err != nil {
			return nil, atItem(err, i, len(all) > 1)
		}
		ops[i] = insight.PatchOperation{Op: *o.Op, Path: *o.Path}
		if len(o.Value) > 0 && o.Value.Kind() != jsontext.KindNull {
			ops[i].Value = []byte(o.Value)
		}
	}
	return ops, nil
}
