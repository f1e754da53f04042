package insight

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/store/storetest"
)

// operations reads a JSON Patch as a stranger may send it; ok is false if it is none.
func operations(text string) (ops []PatchOperation, ok bool) {
	var all []struct {
		Op, Path string
		Value    json.RawMessage
	}
	if json.Unmarshal([]byte(text), &all) != nil {
		return nil, false
	}
	for _, o := range all {
		ops = append(ops, PatchOperation(o))
	}
	return ops, true
}

var patches = []string{
	`[{"op":"replace","path":"/name","value":"Deals"},{"op":"add","path":"/description","value":"New"}]`,
	`[{"op":"add","path":"/vocabulary","value":["x","y"]},{"op":"remove","path":"/vocabulary","value":"one"},{"op":"remove","path":"/vocabulary/0"}]`,
	`[{"op":"add","path":"/vocabulary/-","value":"last"},{"op":"replace","path":"/vocabulary/1","value":"second"},{"op":"add","path":"/vocabulary/0","value":"first"}]`,
	`[{"op":"remove","path":"/categories"},{"op":"add","path":"/languages","value":"de"},{"op":"replace","path":"/excludeVocabulary","value":["no"]}]`,
	`[{"op":"add","path":"/vocabulary/0/x","value":"y"}]`, `[{"op":"add","path":"/vocabulary/99999999999999999999","value":"y"}]`, `[{"op":"remove","path":"/vocabulary/-1"}]`,
	`[{"op":"add","path":"/vocabulary//","value":"y"}]`, `[{"op":"replace","path":"/vocabulary/~0~1","value":"y"}]`, `[{"op":"remove","path":"/description","value":null}]`,
	`[{"op":"add","path":"/intelligence/bookmarks/duration","value":45}]`, `[{"op":"add","path":"/redaction","value":{"default":true,"type":"custom","custom":{"DATE":"then"}}}]`,
	`[{"op":"add","path":"/redaction/exclude/-","value":"URL"},{"op":"replace","path":"/redaction/type","value":"default"},{"op":"remove","path":"/redaction/custom"}]`,
	`[{"op":"add","path":"/vocabulary/2000000000/x","value":"y"}]`, `[{"op":"add","path":"/redaction/2000000000/x","value":"y"}]`, `[{"op":"add","path":"/x/2000000000","value":"y"}]`,
	`[{"op":"add","path":"/redaction/custom/DATE/x","value":1}]`, `[{"op":"add","path":"/redaction/exclude/5","value":"URL"}]`, `[{"op":"add","path":"//","value":{}}]`,
	`[{"op":"add","path":"/redaction/custom","value":null}]`, `[{"op":"remove","path":"/redaction/exclude/0"},{"op":"remove","path":"/redaction"},{"op":"remove","path":"/intelligence"}]`,
}

// Whatever operations a stranger sends, a tracker is refused with an error for the sender, or comes out as one that may be made.
func FuzzPatchTracker(f *testing.F) {
	for _, text := range patches {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ops, ok := operations(text)
		if !ok {
			return
		}
		tracker := parley.Tracker{Name: "Offer", Description: "d", Categories: []string{"Sales"}, Languages: []string{"en-US"}, Vocabulary: []string{"one", "two"}, Exclude: []string{"three"}}
		for _, op := range ops {
			if err := patchTracker(&tracker, op); err != nil {
				if parley.KindOf(err) != parley.Invalid {
					t.Errorf("%s: %v, want Invalid", text, err)
				}
				return
			}
		}
		if err := formTracker(&tracker); err != nil {
			if parley.KindOf(err) != parley.Invalid {
				t.Errorf("%s: %v, want Invalid", text, err)
			}
			return
		}
		again := tracker
		if err := formTracker(&again); err != nil || !cmp.Equal(tracker, again) {
			t.Errorf("%s makes %+v, which is not one that may be made: %v", text, tracker, err)
		}
	})
}

// Whatever operations a stranger sends, settings are refused with an error for the sender, or come out as settings that there are.
func FuzzPatchSettings(f *testing.F) {
	for _, text := range patches {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ops, ok := operations(text)
		if !ok || slices.ContainsFunc(ops, func(op PatchOperation) bool { return checkOperation(op) != nil }) {
			return
		}
		for _, before := range []string{`{}`, `{"intelligence":{"bookmarks":{"duration":60}},"redaction":{"default":true,"type":"custom","exclude":["URL"],"custom":{"DATE":"then","default":"obfuscation"}}}`} {
			document, err := applyPatch([]byte(before), ops, "")
			if err == nil {
				document, err = formSettings(document)
			}
			if err != nil {
				if parley.KindOf(err) != parley.Invalid {
					t.Errorf("%s on %s: %v, want Invalid", text, before, err)
				}
				continue
			}
			if len(document) == 0 {
				continue
			}
			if again, err := formSettings(document); err != nil || string(again) != string(document) {
				t.Errorf("%s on %s makes %s, which reads %s, %v", text, before, document, again, err)
			}
			if _, err := redactionOf(parley.UserSettings{Document: document}); err != nil {
				t.Errorf("%s on %s makes %s: %v", text, before, document, err)
			}
		}
	})
}

// What a patch takes is bounded: its operations, the lists between two of them, and what is made on the way to a path, which names any
// index in a few bytes. What is within the bounds is taken.
func TestPatchesAreBounded(t *testing.T) {
	v := NewVocabularies(storetest.Open(t), nil, nil)
	trackers, settings := Trackers{v}, Settings{v}
	made, err := trackers.Create(t.Context(), parley.DefaultTenant, []parley.Tracker{{Name: "Offer", Vocabulary: []string{"kept"}}}, false)
	if err != nil {
		t.Fatal(err)
	}
	phrases := func(n int) json.RawMessage {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprint("phrase ", i)
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	add := func(path string, value json.RawMessage) PatchOperation {
		return PatchOperation{Op: "add", Path: path, Value: value}
	}
	for name, test := range map[string]struct {
		ops  []PatchOperation
		want bool
	}{
		"1000 operations":           {slices.Repeat([]PatchOperation{add("/description", json.RawMessage(`"x"`))}, 1000), true},
		"1001 operations":           {slices.Repeat([]PatchOperation{add("/description", json.RawMessage(`"x"`))}, 1001), false},
		"more in between than left": {[]PatchOperation{add("/vocabulary", phrases(5000)), {Op: "remove", Path: "/vocabulary", Value: phrases(5000)}}, true},
		"far more in between":       {[]PatchOperation{add("/vocabulary", phrases(10_000)), {Op: "remove", Path: "/vocabulary", Value: phrases(10_000)}}, false},
		"an index far out":          {[]PatchOperation{add("/vocabulary/2000000000", json.RawMessage(`"x"`))}, false},
		"a path within a phrase":    {[]PatchOperation{add("/vocabulary/2000000000/x", json.RawMessage(`"x"`))}, false},
	} {
		if _, err := trackers.Patch(t.Context(), parley.DefaultTenant, made[0].Number, test.ops); (err == nil) != test.want || err != nil && parley.KindOf(err) != parley.Invalid {
			t.Errorf("tracker, %s: %v, want it taken: %t", name, err, test.want)
		}
	}
	if now, err := trackers.Find(t.Context(), parley.DefaultTenant, made[0].Number); err != nil || !slices.Equal(now.Vocabulary, []string{"kept"}) {
		t.Errorf("the tracker is %+v, %v after that", now, err)
	}
	for path, want := range map[string]bool{
		"/redaction/exclude/0": true, "/redaction/exclude/-": true, "/redaction/exclude/9": false, "/redaction/exclude/2000000000": false, "/redaction/2000000000/x": false,
		"/x/2000000000": false, "/redaction/exclude/0/x": false, "/a/b/c/d": false,
	} {
		if _, err := settings.Patch(t.Context(), parley.DefaultTenant, []PatchOperation{add(path, json.RawMessage(`"URL"`))}); (err == nil) != want || err != nil && parley.KindOf(err) != parley.Invalid {
			t.Errorf("settings, add to %s: %v, want it taken: %t", path, err, want)
		}
		if !want {
			continue
		}
		if _, err := settings.Patch(t.Context(), parley.DefaultTenant, []PatchOperation{{Op: "remove", Path: "/redaction"}}); err != nil {
			t.Fatal(err)
		}
	}
}
