package manage

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a stranger sends as a body is read, or refused in words that can be shown.
func FuzzBodies(f *testing.F) {
	for _, text := range []string{
		`{"id":7,"name":"a","vocabulary":["b"],"languages":null}`, `[{"name":"a","name":"b"}]`, `{"type":"a","subType":"b","values":[1]}`, `{"id":"7","criteria":{}}`,
		`[{"op":"add","path":"/name","value":{"a":[1e999]}},{"op":"remove","path":"/x","value":null}]`, `{"type":"application","appId":"a","appSecret":"b"}`,
		`{"messages":[{"payload":{"content":"x"},"duration":{"startTime":"2026-02-03T10:00:04.000Z","endTime":[]}}],"detectEntities":"TRUE","confidenceThreshold":"0.9"}`,
		`{"messages":[{"payload":7,"from":{"userId":{}}}],"metadata":{"a":{"b":"c"}},"trackers":[{"id":1e3}],"enableSummary":{}}`, "{\"name\":\"\xff\"}", `{"name":"\ud800"}`, `[`, ` `, `nul`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var tracker trackerInput
		var entity entityInput
		var group groupInput
		var text textInput
		var who credentials
		var trackers []trackerInput
		var patch []operation
		errs := []error{decodeObject(raw, &tracker), decodeObject(raw, &entity), decodeObject(raw, &group), decodeObject(raw, &text), decodeObject(raw, &who),
			decodeArray(raw, &trackers), decodeArray(raw, &patch)}
		if errs[3] == nil {
			_, err := text.text()
			errs = append(errs, err)
		}
		for i, err := range errs {
			if err == nil {
				continue
			}
			if r, ok := errors.AsType[*refusal](err); !ok || r.status != http.StatusBadRequest || r.msg == "" || !utf8.ValidString(r.msg) {
				t.Errorf("body %d of %q: %v, want a refusal with 400 and words", i, raw, err)
			}
		}
	})
}

// Blanks before an array, however many, do not make it an object.
func TestBlanksBeforeAnArray(t *testing.T) {
	blanks := strings.Repeat(" \r\n\t", 1000)
	var many []trackerInput
	if err := decodeArray([]byte(blanks+`[{"name":"a"}]`), &many); err != nil || len(many) != 1 {
		t.Errorf("an array after blanks: %v, %v; want one item", many, err)
	}
	var one trackerInput
	if err := decodeObject([]byte(blanks+`[]`), &one); err == nil || err.Error() != "the body must be an object, not an array" {
		t.Errorf("an array in place of an object, after blanks: %v", err)
	}
}
