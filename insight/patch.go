package insight

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"parley"
)

// Patch applies operations to a tracker, in order, all of them or none (reference 3.3): like RFC 6902, but that a list may be
// added to, or have items removed, as a whole.
func (s Trackers) Patch(ctx context.Context, tenant parley.TenantID, n parley.Number, ops []PatchOperation) (parley.Tracker, error) {
	if len(ops) == 0 {
		return parley.Tracker{}, invalid("", "the body must be an array of at least one operation")
	}
	return s.change(ctx, tenant, n, func(_ parley.Tx, t *parley.Tracker) error {
		for i, op := range ops {
			if err := patchTracker(t, op); err != nil {
				return at(err, i, len(ops) > 1)
			}
		}
		return nil
	})
}

func patchTracker(t *parley.Tracker, op PatchOperation) error {
	if op.Op != "add" && op.Op != "replace" && op.Op != "remove" {
		return invalid("op", "%q must be add, replace or remove, not %q", "op", op.Op)
	}
	if op.Value == nil && op.Op != "remove" {
		return invalid("value", "%q is required for %s", "value", op.Op)
	}
	texts := map[string]*string{"name": &t.Name, "description": &t.Description}
	lists := map[string]*[]string{"categories": &t.Categories, "languages": &t.Languages, "vocabulary": &t.Vocabulary, "excludeVocabulary": &t.Exclude}
	member, index, indexed := strings.Cut(strings.TrimPrefix(op.Path, "/"), "/")
	text, list := texts[member], lists[member]
	switch {
	case !strings.HasPrefix(op.Path, "/"), text == nil && list == nil, text != nil && indexed:
		return invalid("path", "%q must be one of /name, /description, /categories, /languages, /vocabulary, /excludeVocabulary, not %q", "path", op.Path)
	case text != nil:
		return patchText(text, member, op)
	case indexed:
		return patchIndex(list, index, op)
	}
	return patchList(list, member, op)
}

func patchText(text *string, member string, op PatchOperation) error {
	if op.Op == "remove" {
		if member == "name" {
			return invalid("path", "%q cannot be removed", member)
		}
		*text = ""
		return nil
	}
	var value *string
	if json.Unmarshal(op.Value, &value) != nil || value == nil {
		return invalid("value", "%q of %s must be a string", "value", op.Path)
	}
	*text = *value
	return nil
}

func patchList(list *[]string, member string, op PatchOperation) error {
	if op.Op == "remove" && op.Value == nil {
		if member == "vocabulary" {
			return invalid("path", "%q cannot be removed as a whole", member)
		}
		*list = []string{}
		return nil
	}
	values, err := oneOrMany(op)
	if err != nil {
		return err
	}
	switch op.Op {
	case "replace":
		*list = values
	case "add":
		*list = append(slices.Clone(*list), values...)
	case "remove":
		*list = slices.DeleteFunc(slices.Clone(*list), func(have string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return folded(v) == folded(have) })
		})
	}
	return nil
}

// oneOrMany reads a value that is a string or an array of strings.
func oneOrMany(op PatchOperation) ([]string, error) {
	var one *string
	if json.Unmarshal(op.Value, &one) == nil && one != nil {
		return []string{*one}, nil
	}
	var many []*string
	if json.Unmarshal(op.Value, &many) != nil || many == nil || slices.Contains(many, nil) {
		return nil, invalid("value", "%q of %s must be a string or an array of strings", "value", op.Path)
	}
	values := make([]string, len(many))
	for i := range many {
		values[i] = *many[i]
	}
	return values, nil
}

// patchIndex applies an operation on one place of a list, as RFC 6902 says.
func patchIndex(list *[]string, index string, op PatchOperation) error {
	if op.Op != "remove" {
		var value *string
		if json.Unmarshal(op.Value, &value) != nil || value == nil {
			return invalid("value", "%q of %s must be a string", "value", op.Path)
		}
	}
	document, err := json.Marshal(*list)
	if err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	changed, err := applyPatch(document, []PatchOperation{{Op: op.Op, Path: "/" + index, Value: op.Value}}, op.Path)
	if err != nil {
		return err
	}
	*list = nil
	if err := json.Unmarshal(changed, list); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	return nil
}

// applyPatch applies operations by RFC 6902; parents that are missing are made by add. shown is how the path is called in
// an error; "" = as it is.
func applyPatch(document []byte, ops []PatchOperation, shown string) ([]byte, error) {
	for _, op := range ops {
		patch, err := json.Marshal([]map[string]any{{"op": op.Op, "path": op.Path, "value": op.Value}})
		if err != nil {
			return nil, invalid("value", "%q is not JSON", "value")
		}
		decoded, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, invalid("", "the operation on %q cannot be read", op.Path)
		}
		options := jsonpatch.NewApplyOptions()
		options.EnsurePathExistsOnAdd, options.SupportNegativeIndices = true, false
		if document, err = decoded.ApplyWithOptions(document, options); err != nil {
			if shown == "" {
				shown = op.Path
			}
			return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "path", Err: err,
				Msg: fmt.Sprintf("%q: there is nothing at %q that %s could work on", "path", shown, op.Op)}
		}
	}
	return document, nil
}
