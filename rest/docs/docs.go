// Package docs shows the OpenAPI and AsyncAPI documents of the surfaces as pages that anyone can read: made on the server, without
// script and without anything from elsewhere, so they work where the hub runs.
package docs

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/gorilla/mux"

	"parley/rest"
)

// A Document is the contract of one surface.
type Document struct {
	Name string // in the address: /docs/<Name> and /docs/<Name>.yaml
	YAML []byte
}

// Surface serves the pages, which are made once. Safe for concurrent use.
type Surface struct {
	index []byte
	pages map[string]page
}

type page struct{ html, yaml []byte }

//go:embed page.html
var pageText string

//go:embed index.html
var indexText string

//go:embed style.css
var style []byte

// New makes the pages. It panics if a document is broken, which the tests of its surface rule out.
func New(documents ...Document) *Surface {
	s := &Surface{pages: map[string]page{}}
	var entries []entry
	for _, d := range documents {
		read := readOpenAPI
		if bytes.HasPrefix(d.YAML, []byte("asyncapi:")) {
			read = readAsyncAPI
		}
		description, err := read(d)
		if err != nil {
			panic(fmt.Errorf("document %s: %w", d.Name, err))
		}
		s.pages[d.Name] = page{html: render(pageText, description), yaml: d.YAML}
		entries = append(entries, entry{d.Name, description.Title, description.Paragraphs[0]})
	}
	s.index = render(indexText, entries)
	return s
}

// An entry is one document on the front page.
type entry struct{ Name, Title, Description string }

func render(text string, data any) []byte {
	var b bytes.Buffer
	if err := template.Must(template.New("").Parse(text)).Execute(&b, data); err != nil {
		panic(err) // our own template with our own data
	}
	return b.Bytes()
}

// Register adds the routes below /docs.
func (s *Surface) Register(root *mux.Router) {
	r := root.PathPrefix("/docs").Subrouter()
	rest.NotFound(r)
	serve := func(media string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
			_, _ = w.Write(body)
		}
	}
	r.Path("").Methods(http.MethodGet).HandlerFunc(serve("text/html; charset=utf-8", s.index))
	r.Path("/").Methods(http.MethodGet).HandlerFunc(serve("text/html; charset=utf-8", s.index))
	r.Path("/style.css").Methods(http.MethodGet).HandlerFunc(serve("text/css; charset=utf-8", style))
	for name, p := range s.pages {
		r.Path("/" + name).Methods(http.MethodGet).HandlerFunc(serve("text/html; charset=utf-8", p.html))
		r.Path("/" + name + ".yaml").Methods(http.MethodGet).HandlerFunc(serve("application/yaml", p.yaml))
	}
}
