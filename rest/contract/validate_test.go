package contract

import (
	"errors"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"parley"
)

// schemaOf reads the schema of the one body in a document.
func schemaOf(t *testing.T, properties string) *openapi3.Schema {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(`{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{},"components":{"schemas":{"S":` + properties + `}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Components.Schemas["S"].Value
}

const thing = `{"type":"object","required":["name","kind"],"properties":{
	"name":{"type":"string","minLength":1,"maxLength":3},"kind":{"type":"string","enum":["a","b"]},"when":{"type":"string","format":"date-time"},
	"count":{"type":"integer","minimum":1},"roles":{"type":"array","maxItems":2,"items":{"type":"object","required":["id"],"properties":{"id":{"type":"string","pattern":"^x"}}}}}}`

func TestFirstFailureIsTheErrorTheOthersItsDetails(t *testing.T) {
	type failure struct {
		Reason  parley.Reason
		Field   string
		Further []string
	}
	for body, want := range map[string]failure{
		`{"name":"abc","kind":"a"}`:                                  {},
		`{"name":"abc","kind":"a","unknown":{"x":[1]},"count":null}`: {},
		`{}`:                                           {parley.Missing, "kind", []string{"name"}},
		`{"name":null,"kind":"a"}`:                     {parley.Missing, "name", nil},
		`{"name":"abcd","kind":"a"}`:                   {parley.BadValue, "name", nil},
		`{"name":"äöü","kind":"a"}`:                    {},
		`{"name":"abc","kind":"c"}`:                    {parley.OutsideEnum, "kind", nil},
		`{"name":7,"kind":"c"}`:                        {parley.OutsideEnum, "kind", []string{"name"}},
		`{"name":"abcd","count":0}`:                    {parley.Missing, "kind", []string{"count", "name"}},
		`{"name":"abc","kind":"a","when":"yesterday"}`: {parley.BadValue, "when", nil},
		`{"name":"abc","kind":"a","when":"2024-01-01T00:00:00+02:00"}`:         {},
		`{"name":"abc","kind":"a","roles":[{"id":"x"},{"id":"y"}]}`:            {parley.BadValue, "roles[1].id", nil},
		`{"name":"abc","kind":"a","roles":[{},{"id":null}]}`:                   {parley.Missing, "roles[0].id", []string{"roles[1].id"}},
		`{"name":"abc","kind":"a","roles":[{"id":"x"},{"id":"x"},{"id":"x"}]}`: {parley.BadValue, "roles", nil},
		`{"name":"a\u0000","kind":"a"}`:                                        {parley.BadValue, "name", nil},
		`{"name":"abc","kind":"a","count":1.5}`:                                {parley.BadValue, "count", nil},
		`[]`:                                                                   {parley.BadValue, "body", nil},
		`"x"`:                                                                  {parley.BadValue, "body", nil},
		`{"name":"abc","kind":"a"} {}`:                                         {parley.BadValue, "body", nil},
	} {
		_, err := validate(schemaOf(t, thing), []byte(body))
		var got failure
		if e, ok := errors.AsType[*parley.Error](err); ok {
			got.Reason, got.Field = e.Reason, e.Field
			for _, d := range e.Details {
				got.Further = append(got.Further, d.Key)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", body, err, diff)
		}
	}
}

// What is refused is not repeated: it may be a secret.
func TestRefusalsDoNotRepeatValues(t *testing.T) {
	_, err := validate(schemaOf(t, thing), []byte(`{"name":"hunter2-hunter2","kind":"hunter2","when":"hunter2","roles":[{"id":"hunter2"}],"count":"hunter2"}`))
	e, ok := errors.AsType[*parley.Error](err)
	if !ok || len(e.Details) != 4 {
		t.Fatalf("got %v", err)
	}
	for _, text := range []string{e.Msg, e.Details[0].Value, e.Details[1].Value, e.Details[2].Value, e.Details[3].Value} {
		if text == "" || strings.Contains(text, "hunter2") {
			t.Errorf("told %q", text)
		}
	}
}

func TestNullsAreDroppedHoweverDeep(t *testing.T) {
	clean, err := validate(schemaOf(t, `{"type":"object"}`), []byte(`{"a":null,"b":{"c":null,"d":[{"e":null},null,1]}}`))
	if want := `{"b":{"d":[{},null,1]}}`; err != nil || string(clean) != want {
		t.Errorf("validate = %s, %v; want %s", clean, err, want)
	}
}
