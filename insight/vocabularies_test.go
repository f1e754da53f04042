package insight_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// wrong checks that an error is Invalid and that its text names the member.
func wrong(t *testing.T, what string, err error, names string) {
	t.Helper()
	if parley.KindOf(err) != parley.Invalid || !strings.Contains(fmt.Sprint(err), names) {
		t.Errorf("%s = %v, want Invalid with %q", what, err, names)
	}
}

func TestTrackersAreChecked(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	phrases := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprint("phrase ", i))
		}
		return out
	}
	for names, tracker := range map[string]parley.Tracker{
		`"name" is not allowed to be empty`: {Name: "  ", Vocabulary: []string{"x"}},
		`"name" may have 128 characters`:    {Name: strings.Repeat("ä", 129), Vocabulary: []string{"x"}},
		`"vocabulary" needs`:                {Name: "a"},
		`"vocabulary[1]" is not allowed`:    {Name: "a", Vocabulary: []string{"x", " "}},
		`"vocabulary" has "X" twice`:        {Name: "a", Vocabulary: []string{"x", " X"}},
		`"vocabulary[0]" must be without`:   {Name: "a", Vocabulary: []string{"x (y)"}},
		`"vocabulary" may have 1000`:        {Name: "a", Vocabulary: phrases(1001)},
		`"excludeVocabulary[0]"`:            {Name: "a", Vocabulary: []string{"x"}, Exclude: []string{""}},
		`"languages[0]"`:                    {Name: "a", Vocabulary: []string{"x"}, Languages: []string{"english?"}},
	} {
		_, err := s.trackers.Create(t.Context(), parley.DefaultTenant, []parley.Tracker{tracker}, false)
		wrong(t, "Create", err, names)
	}
	// All of a bulk or none, and the item is named.
	good := parley.Tracker{Name: "Good", Vocabulary: phrases(1000)}
	_, err := s.trackers.Create(t.Context(), parley.DefaultTenant, []parley.Tracker{good, {Name: "bad"}}, true)
	wrong(t, "Create of two", err, `item 1: "vocabulary"`)
	_, err = s.trackers.Create(t.Context(), parley.DefaultTenant, []parley.Tracker{good, good}, true)
	wrong(t, "Create of two with one name", err, `item 1: "name" "Good" is already in use`)
	if all, err := s.trackers.List(t.Context(), parley.DefaultTenant, nil); err != nil || len(all) != 0 {
		t.Fatalf("List = %d, %v; want none", len(all), err)
	}
	made := s.tracker(good)
	if diff := cmp.Diff([]string{"en-US"}, made.Languages); diff != "" || made.Categories == nil {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	s.tracker(parley.Tracker{Name: "good", Vocabulary: []string{"x"}}) // names differ by case
	_, err = s.trackers.Create(t.Context(), parley.DefaultTenant, []parley.Tracker{good}, false)
	wrong(t, "Create of a name in use", err, `"name" "Good" is already in use`)
	many := make([]parley.Tracker, 499)
	for i := range many {
		many[i] = parley.Tracker{Name: fmt.Sprint("t", i), Vocabulary: []string{"x"}}
	}
	_, err = s.trackers.Create(t.Context(), parley.DefaultTenant, many, true)
	wrong(t, "Create of the 501st", err, "500 trackers")
	if _, err := s.trackers.Create(t.Context(), parley.DefaultTenant, many[:498], true); err != nil {
		t.Errorf("Create up to 500: %v", err)
	}
	all, err := s.trackers.List(t.Context(), parley.DefaultTenant, nil)
	if err != nil || len(all) != 500 || !slices.IsSortedFunc(all, func(a, b parley.Tracker) int { return int(a.Number - b.Number) }) {
		t.Errorf("List = %d trackers in order, %v", len(all), err)
	}
}

func TestTrackerIsChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Other", Vocabulary: []string{"x"}})
		n := s.tracker(parley.Tracker{Name: "A", Description: "d", Vocabulary: []string{"one", "two"}}).Number
		made := s.clock
		s.clock = made.Add(time.Hour)
		merged, err := s.trackers.Merge(t.Context(), parley.DefaultTenant, n, insight.TrackerChange{Name: new("B"), Vocabulary: []string{"three", "TWO"}})
		if diff := cmp.Diff([]string{"three", "TWO", "one"}, merged.Vocabulary); err != nil || diff != "" || merged.Name != "B" || merged.Description != "d" {
			t.Errorf("Merge = %+v, %v (-want +got):\n%s", merged, err, diff)
		}
		if found, err := s.trackers.Find(t.Context(), parley.DefaultTenant, n); err != nil || !found.Created.Equal(made) || !found.Modified.Equal(s.clock) {
			t.Errorf("made %v and changed %v, %v; want %v and %v", found.Created, found.Modified, err, made, s.clock)
		}
		patch := func(ops ...string) (parley.Tracker, error) {
			var all []insight.PatchOperation
			for _, op := range ops {
				var o struct {
					Op, Path string
					Value    json.RawMessage
				}
				if err := json.Unmarshal([]byte(op), &o); err != nil {
					t.Fatal(err)
				}
				all = append(all, insight.PatchOperation(o))
			}
			return s.trackers.Patch(t.Context(), parley.DefaultTenant, n, all)
		}
		got, err := patch(`{"op":"replace","path":"/vocabulary","value":["a","b"]}`, `{"op":"add","path":"/vocabulary","value":"c"}`,
			`{"op":"add","path":"/vocabulary/0","value":"first"}`, `{"op":"add","path":"/vocabulary/-","value":"last"}`, `{"op":"remove","path":"/vocabulary","value":["B"]}`,
			`{"op":"replace","path":"/vocabulary/1","value":"second"}`, `{"op":"remove","path":"/vocabulary/2"}`, `{"op":"add","path":"/categories","value":["x","y"]}`,
			`{"op":"replace","path":"/name","value":"C"}`, `{"op":"remove","path":"/description"}`, `{"op":"add","path":"/excludeVocabulary","value":"no"}`)
		if err != nil {
			t.Fatalf("Patch: %v", err)
		}
		if diff := cmp.Diff([]any{"C", "", []string{"first", "second", "last"}, []string{"x", "y"}, []string{"no"}},
			[]any{got.Name, got.Description, got.Vocabulary, got.Categories, got.Exclude}); diff != "" {
			t.Errorf("Patch (-want +got):\n%s", diff)
		}
		for op, names := range map[string]string{
			`{"op":"move","path":"/name","value":"x"}`:            `"op"`,
			`{"op":"add","path":"/names","value":"x"}`:            `"path"`,
			`{"op":"add","path":"name","value":"x"}`:              `"path"`,
			`{"op":"add","path":"/name/0","value":"x"}`:           `"path"`,
			`{"op":"add","path":"/name"}`:                         `"value"`,
			`{"op":"add","path":"/name","value":7}`:               `"value"`,
			`{"op":"remove","path":"/name"}`:                      `"name"`,
			`{"op":"remove","path":"/vocabulary"}`:                `"vocabulary"`,
			`{"op":"replace","path":"/vocabulary","value":[]}`:    `"vocabulary"`,
			`{"op":"replace","path":"/vocabulary/9","value":"x"}`: `"path"`,
			`{"op":"replace","path":"/vocabulary","value":[1]}`:   `"value"`,
			`{"op":"replace","path":"/name","value":"Other"}`:     `"name" "Other" is already in use`,
		} {
			_, err := patch(`{"op":"replace","path":"/description","value":"half done"}`, op)
			wrong(t, "Patch with "+op, err, names)
		}
		if now, err := s.trackers.Find(t.Context(), parley.DefaultTenant, n); err != nil || now.Description != "" {
			t.Errorf("after patches that were refused: %+v, %v", now, err)
		}
		for what, err := range map[string]error{
			"Find":   func() error { _, err := s.trackers.Find(t.Context(), parley.TenantID{1}, n); return err }(),
			"Delete": s.trackers.Delete(t.Context(), parley.TenantID{1}, n),
			"Merge": func() error {
				_, err := s.trackers.Merge(t.Context(), parley.DefaultTenant, n+1, insight.TrackerChange{})
				return err
			}(),
		} {
			if parley.KindOf(err) != parley.NotFound {
				t.Errorf("%s of a stranger's or unknown tracker = %v, want NotFound", what, err)
			}
		}
	})
}

func TestUserSettings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := insight.Settings{Vocabularies: insight.NewVocabularies(open(t), nil, nil)}
		patch := func(op, path, value string) (string, error) {
			o := insight.PatchOperation{Op: op, Path: path}
			if value != "" {
				o.Value = json.RawMessage(value)
			}
			u, err := s.Patch(t.Context(), parley.DefaultTenant, []insight.PatchOperation{o})
			return string(u.Document), err
		}
		for _, refused := range [][3]string{
			{"replace", "/redaction", `{"default":true}`}, {"remove", "/redaction", ""}, {"add", "/other", `1`}, {"add", "/intelligence/bookmarks/duration", `0`},
			{"add", "/intelligence/bookmarks/duration", `"60"`}, {"add", "/redaction/type", `"none"`}, {"add", "/redaction/exclude", `["person"]`},
			{"add", "/redaction/custom", `{"person":"x"}`}, {"add", "/redaction/custom", `{"default":"custom"}`}, {"add", "/redaction", ""}, {"test", "/redaction", `1`},
			{"add", "", `{}`}, {"add", "/id", `"1"`},
			{"add", "/Redaction", `{"default":true}`}, {"add", "/redaction/TYPE", `"default"`}, {"add", "/redaction", `{"Default":true}`}, {"add", "/Intelligence/bookmarks/duration", `60`},
			{"add", "/redaction", `{"type":"custom","custom":{"DATE":null}}`}, {"add", "/redaction/custom", `{"default":null}`}, {"add", "/redaction", `{"exclude":[null]}`},
		} {
			if got, err := patch(refused[0], refused[1], refused[2]); parley.KindOf(err) != parley.Invalid {
				t.Errorf("%v = %s, %v; want Invalid", refused, got, err)
			}
		}
		for _, step := range []struct{ op, path, value, want string }{
			{"add", "/intelligence/bookmarks/duration", `60`, `{"intelligence":{"bookmarks":{"duration":60}}}`},
			{"add", "/redaction", `{"default":true,"type":"custom","custom":{"DATE":"then","default":"obfuscation"}}`,
				`{"intelligence":{"bookmarks":{"duration":60}},"redaction":{"default":true,"type":"custom","custom":{"DATE":"then","default":"obfuscation"}}}`},
			{"remove", "/intelligence", "", `{"redaction":{"default":true,"type":"custom","custom":{"DATE":"then","default":"obfuscation"}}}`},
			{"replace", "/redaction/custom/DATE", `"later"`, `{"redaction":{"default":true,"type":"custom","custom":{"DATE":"later","default":"obfuscation"}}}`},
			{"remove", "/redaction", "", ``},
		} {
			if got, err := patch(step.op, step.path, step.value); err != nil || got != step.want {
				t.Errorf("%s %s = %s, %v; want %s", step.op, step.path, got, err, step.want)
			}
		}
		if u, err := s.Of(t.Context(), parley.DefaultTenant); err != nil || len(u.Document) != 0 || u.Number == 0 {
			t.Errorf("Of = %+v, %v; want an id and nothing set", u, err)
		}
	})
}

func TestGroupsAndEntitiesAreChecked(t *testing.T) {
	v := insight.NewVocabularies(storetest.Open(t), nil, nil)
	groups, entities := insight.Groups{Vocabularies: v}, insight.Entities{Vocabularies: v}
	const criteria = "conversation.metadata.region==north"
	for names, g := range map[string]parley.Group{
		`"name" is not`:           {Criteria: criteria},
		`"name" may have letters`: {Name: "a/b", Criteria: criteria},
		`"description"`:           {Name: "a", Description: strings.Repeat("x", 513), Criteria: criteria},
		`"criteria"`:              {Name: "a"},
	} {
		_, err := groups.Create(t.Context(), parley.DefaultTenant, []parley.Group{g}, false)
		wrong(t, "Create", err, names)
	}
	if _, err := groups.Create(t.Context(), parley.DefaultTenant, []parley.Group{{Name: "a", Criteria: "conversation.metadata.x=1"}}, false); parley.KindOf(err) != parley.Invalid {
		t.Errorf("Create with bad criteria = %v, want Invalid", err)
	}
	made, err := groups.Create(t.Context(), parley.DefaultTenant, []parley.Group{{Name: `Été "21"_-'`, Criteria: criteria}}, false)
	if err != nil {
		t.Fatal(err)
	}
	made[0].Description = ""
	if _, err := groups.Replace(t.Context(), made[0]); err != nil {
		t.Errorf("Replace by itself: %v", err)
	}
	for names, e := range map[string]parley.Entity{
		`"type"`: {SubType: "x", Values: []string{"x"}}, `"subType"`: {Type: "x", Values: []string{"x"}}, `"values" needs`: {Type: "x", SubType: "x"},
		`"values" has`: {Type: "x", SubType: "x", Values: []string{"a", "A"}},
	} {
		_, err := entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{e}, false)
		wrong(t, "Create", err, names)
	}
	if _, err := entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: "A", SubType: "x", Values: []string{"1"}}, {Type: "B", SubType: "x", Values: []string{"1"}}}, true); err != nil {
		t.Fatal(err)
	}
	if gone, err := entities.DeleteSubType(t.Context(), parley.DefaultTenant, "x"); err != nil || len(gone) != 2 {
		t.Errorf("DeleteSubType = %v, %v; want two", gone, err)
	}
	if _, err := entities.DeleteSubType(t.Context(), parley.DefaultTenant, "x"); parley.KindOf(err) != parley.NotFound {
		t.Errorf("DeleteSubType again = %v, want NotFound", err)
	}
}
