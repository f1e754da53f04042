package docs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// A description is a document in the order in which a reader meets it.
type description struct {
	Name, Title, Version string
	Paragraphs           []string
	Groups               []group
	Schemas              []schema
}

type group struct {
	Name       string
	Operations []operation
}

type operation struct {
	ID, Method, Path, Summary, Description string
	Scopes                                 []string
	Parameters                             []field
	Body                                   *body
	Answers                                []answer
}

type body struct {
	Type     kind
	Fields   []field
	Examples []string
}

type answer struct {
	Status, Description string
	Body                *body
}

type schema struct {
	Name, Description string
	Type              kind
	Fields            []field
}

// A field is a member of an object, or a parameter. Members of objects without a name of their own follow it, indented.
type field struct {
	Name        string
	Type        kind
	Required    bool
	Limits      string
	Description string
}

// A kind is a type as readers say it, with the schema it leads to, if any.
type kind struct{ Prefix, Name, Link string }

// methods is the order of operations on one path.
var methods = []string{"POST", "GET", "PUT", "PATCH", "DELETE"}

func readOpenAPI(document Document) (description, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document.YAML)
	if err != nil {
		return description{}, err
	}
	d := description{Name: document.Name, Title: doc.Info.Title, Version: doc.Info.Version, Paragraphs: strings.Split(doc.Info.Description, "\n\n")}
	base := ""
	if len(doc.Servers) > 0 {
		base = doc.Servers[0].URL
	}
	byTag := map[string]*group{}
	for _, tag := range doc.Tags {
		d.Groups = append(d.Groups, group{Name: tag.Name})
	}
	for i := range d.Groups {
		byTag[d.Groups[i].Name] = &d.Groups[i]
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		item := doc.Paths.Find(path)
		for _, method := range methods {
			if op := item.GetOperation(method); op != nil && len(op.Tags) > 0 && byTag[op.Tags[0]] != nil {
				g := byTag[op.Tags[0]]
				g.Operations = append(g.Operations, describeOperation(base+path, method, op, item.Parameters))
			}
		}
	}
	d.Schemas = describeSchemas(doc)
	return d, nil
}

func describeSchemas(doc *openapi3.T) (all []schema) {
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		s := doc.Components.Schemas[name].Value
		all = append(all, schema{Name: name, Description: s.Description, Type: kindOf(&openapi3.SchemaRef{Value: s}), Fields: fieldsOf(s, "")})
	}
	return all
}

func describeOperation(path, method string, op *openapi3.Operation, shared openapi3.Parameters) operation {
	o := operation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description}
	if op.Security != nil {
		for _, alternative := range *op.Security {
			for _, scopes := range alternative {
				o.Scopes = append(o.Scopes, scopes...)
			}
		}
	}
	for _, p := range append(slices.Clone(shared), op.Parameters...) {
		o.Parameters = append(o.Parameters, field{Name: p.Value.Name + " (" + p.Value.In + ")", Type: kindOf(p.Value.Schema), Required: p.Value.Required,
			Limits: limits(p.Value.Schema.Value), Description: p.Value.Description})
	}
	if op.RequestBody != nil {
		o.Body = describeBody(op.RequestBody.Value.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses.Map())) {
		response := op.Responses.Value(status).Value
		a := answer{Status: status, Body: describeBody(response.Content)}
		if response.Description != nil {
			a.Description = *response.Description
		}
		if status >= "400" && a.Body != nil {
			a.Body.Examples = nil // the same for every operation; the schema Error says all
		}
		o.Answers = append(o.Answers, a)
	}
	return o
}

func describeBody(content openapi3.Content) *body {
	for _, media := range content {
		b := &body{Type: kindOf(media.Schema)}
		if media.Schema.Ref == "" {
			b.Fields = fieldsOf(media.Schema.Value, "")
		}
		if media.Example != nil {
			b.Examples = append(b.Examples, pretty(media.Example))
		}
		for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
			b.Examples = append(b.Examples, pretty(media.Examples[name].Value.Value))
		}
		return b
	}
	return nil
}

func pretty(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// fieldsOf lists the members of an object; prefix is the path of the object they belong to.
func fieldsOf(s *openapi3.Schema, prefix string) (all []field) {
	names := slices.SortedFunc(maps.Keys(s.Properties), func(a, b string) int {
		if required := slices.Contains(s.Required, a); required != slices.Contains(s.Required, b) {
			if required {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		p := s.Properties[name]
		all = append(all, field{Name: prefix + name, Type: kindOf(p), Required: slices.Contains(s.Required, name), Limits: limits(p.Value), Description: p.Value.Description})
		if p.Ref != "" {
			continue // has a place of its own
		}
		all = append(all, fieldsOf(p.Value, prefix+name+".")...)
		if items := p.Value.Items; items != nil && items.Ref == "" {
			all = append(all, fieldsOf(items.Value, prefix+name+"[].")...)
		}
	}
	return all
}

func kindOf(r *openapi3.SchemaRef) kind {
	if r.Ref != "" {
		name := r.Ref[strings.LastIndexByte(r.Ref, '/')+1:]
		return kind{Name: name, Link: name}
	}
	s := r.Value
	switch {
	case s.Items != nil:
		inner := kindOf(s.Items)
		return kind{Prefix: "list of " + inner.Prefix, Name: inner.Name, Link: inner.Link}
	case s.Type == nil:
		return kind{Name: "any"}
	case s.Format != "" && s.Format != "double":
		return kind{Name: s.Format}
	default:
		return kind{Name: strings.Join(s.Type.Slice(), " or ")}
	}
}

// limits are those that a schema sets, in words.
func limits(s *openapi3.Schema) string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		say("one of %s", strings.Join(values, ", "))
	}
	switch {
	case s.MaxLength != nil && *s.MaxLength == s.MinLength:
		say("%d characters", s.MinLength)
	case s.MaxLength != nil:
		say("%d to %d characters", s.MinLength, *s.MaxLength)
	case s.MinLength > 0:
		say("at least %d characters", s.MinLength)
	}
	if s.MaxItems != nil {
		say("%d to %d elements", s.MinItems, *s.MaxItems)
	}
	if s.Min != nil {
		say("at least %v", *s.Min)
	}
	if s.Max != nil {
		say("at most %v", int64(*s.Max))
	}
	if s.Default != nil {
		say("default %v", s.Default)
	}
	return strings.Join(all, "; ")
}
