package docs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"
)

// An asyncAPI is an AsyncAPI 3 document as far as it is shown.
type asyncAPI struct {
	Info struct {
		Title, Version, Description string
	}
	Channels   map[string]struct{ Address string }
	Operations map[string]struct {
		Action, Title string
		Channel       reference
		Messages      []reference
	}
	Components struct {
		Messages map[string]struct {
			Summary, Description string
			Payload              reference
			Examples             []struct{ Payload map[string]any }
		}
		Schemas map[string]any
	}
}

type reference struct {
	Ref string `yaml:"$ref"`
}

// name is the last part of what is referred to.
func (r reference) name() string { return r.Ref[strings.LastIndexByte(r.Ref, '/')+1:] }

// readAsyncAPI describes the messages of each operation like operations of HTTP. Schemas are JSON Schema in both kinds of
// documents, so they are read as those of an OpenAPI document.
func readAsyncAPI(document Document) (description, error) {
	var a asyncAPI
	if err := yaml.Unmarshal(document.YAML, &a); err != nil {
		return description{}, err
	}
	text, err := json.Marshal(map[string]any{"openapi": "3.0.3", "info": map[string]string{"title": a.Info.Title, "version": a.Info.Version},
		"paths": map[string]any{}, "components": map[string]any{"schemas": a.Components.Schemas}})
	if err != nil {
		return description{}, err
	}
	schemas, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return description{}, err
	}
	d := description{Name: document.Name, Title: a.Info.Title, Version: a.Info.Version, Paragraphs: strings.Split(a.Info.Description, "\n\n"),
		Schemas: describeSchemas(schemas)}
	for _, id := range slices.Sorted(maps.Keys(a.Operations)) {
		op := a.Operations[id]
		g := group{Name: op.Title}
		method := map[string]string{"receive": "CLIENT", "send": "SERVER"}[op.Action] // from the hub's side, as the document says it
		for _, ref := range op.Messages {
			m, ok := a.Components.Messages[ref.name()]
			s := schemas.Components.Schemas[m.Payload.name()]
			if !ok || s == nil {
				return description{}, fmt.Errorf("operation %s: message %s, or its payload, is not there", id, ref.name())
			}
			b := &body{Type: kind{Name: m.Payload.name(), Link: m.Payload.name()}, Fields: fieldsOf(s.Value, "")}
			for _, e := range m.Examples {
				b.Examples = append(b.Examples, pretty(e.Payload))
			}
			g.Operations = append(g.Operations, operation{ID: ref.name(), Method: method, Path: a.Channels[op.Channel.name()].Address,
				Summary: m.Summary, Description: m.Description, Body: b})
		}
		d.Groups = append(d.Groups, g)
	}
	return d, nil
}
