package insight

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"parley"
)

// Patch applies operations to a tracker, in order, all of them or none (reference 3.3): like RFC 6902, but that a list may be
// added to, or have items removed, as a whole.
func (s Trackers) Patch(ctx context.Context, tenant parley.TenantID, n parley.Number, ops []PatchOperation) (parley.Tracker, error) {
	if err := checkCount(ops); err != nil {
		return parley.Tracker{}, err
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

// The limits of a patch: of its operations, and of a list between two of them, which may be longer than the one that is left in the end.
const (
	maxOperations = 1000
	maxBetween    = 10 * maxPhrases
)

func checkCount(ops []PatchOperation) error {
	switch n := len(ops); {
	case n == 0:
		return invalid("", "the body must be an array of at least one operation")
	case n > maxOperations:
		return invalid("", "the body may have %d operations, not %d", maxOperations, n)
	}
	return nil
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
	case !strings.HasPrefix(op.Path, "/"), text == nil && list == nil, text != nil && indexed, strings.Contains(index, "/"):
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
		gone := make(map[string]bool, len(values))
		for _, v := range values {
			gone[folded(v)] = true
		}
		*list = slices.DeleteFunc(slices.Clone(*list), func(have string) bool { return gone[folded(have)] })
	}
	if len(*list) > maxBetween {
		return invalid("value", "%q of %s makes a list of %d items; it may have %d until the patch is over", "value", op.Path, len(*list), maxBetween)
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
		var patch []map[string]any
		if op.Op == "add" {
			patch = parents(document, op.Path)
		}
		encoded, err := json.Marshal(append(patch, map[string]any{"op": op.Op, "path": op.Path, "value": op.Value}))
		if err != nil {
			return nil, invalid("value", "%q is not JSON", "value")
		}
		decoded, err := jsonpatch.DecodePatch(encoded)
		if err != nil {
			return nil, invalid("", "the operation on %q cannot be read", op.Path)
		}
		options := jsonpatch.NewApplyOptions()
		options.SupportNegativeIndices = false
		if document, err = decoded.ApplyWithOptions(document, options); err != nil || misspelt.MatchString(op.Path) {
			if shown == "" {
				shown = op.Path
			}
			return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "path", Err: err,
				Msg: fmt.Sprintf("%q: there is nothing at %q that %s could work on", "path", shown, op.Op)}
		}
	}
	return document, nil
}

// misspelt finds an index that the library reads though RFC 6901 section 4 has no such one: with a sign, or with zeros before it.
// It looks at paths alone: no member of what is patched has such a name (see entityName).
var misspelt = regexp.MustCompile(`/([+-]\d+|0\d+)(/|$)`)

// parents are operations that make what is missing in a document on the way to a path: lists where something is put first or last
// into them, else objects. The library would make them as well, but fills a list up to whatever index the path names: two
// thousand million nulls, if it says so.
func parents(document []byte, path string) (made []map[string]any) {
	var at any
	if json.Unmarshal(document, &at) != nil {
		return nil
	}
	steps := strings.Split(path, "/")
	for i := 1; i < len(steps)-1; i++ {
		if len(made) == 0 {
			object, ok := at.(map[string]any)
			if !ok {
				return nil // a list, which has the index or not
			}
			if child, there := object[unescape.Replace(steps[i])]; there {
				at = child
				continue
			}
		}
		var empty any = map[string]any{}
		if next := steps[i+1]; next == "-" || next == "0" {
			empty = []any{}
		}
		made = append(made, map[string]any{"op": "add", "path": strings.Join(steps[:i+1], "/"), "value": empty})
	}
	return made
}

// unescape reads a step of a path (RFC 6901).
var unescape = strings.NewReplacer("~1", "/", "~0", "~")
