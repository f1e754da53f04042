package main

import (
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/gorilla/mux"

	exampleflows "parley/examples/flows"
	"parley/web"
)

// contentPolicy lets the pages load nothing but what is theirs, and talk to nobody but us.
const contentPolicy = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: https:; media-src 'self' https:; object-src 'none'; base-uri 'none'; form-action 'self'"

// mediaTypes are those that the tables of systems do not agree on.
var mediaTypes = map[string]string{".webm": "video/webm", ".wav": "audio/wav"}

// pages serves the widget's and the console's pages, and with the demo what its bot shows.
func pages(router *mux.Router, demo bool) {
	serve := func(prefix string, files fs.FS, framed bool) {
		server := http.StripPrefix(prefix, http.FileServerFS(files))
		router.PathPrefix(prefix).Methods(http.MethodGet, http.MethodHead).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !isPage(files, strings.TrimPrefix(r.URL.Path, prefix)) {
				router.NotFoundHandler.ServeHTTP(w, r)
				return
			}
			policy := contentPolicy
			if !framed {
				policy += "; frame-ancestors 'none'"
			}
			w.Header().Set("Content-Security-Policy", policy)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Referrer-Policy", "no-referrer")
			w.Header().Set("Cache-Control", "no-cache")
			if kind := mediaTypes[path.Ext(r.URL.Path)]; kind != "" {
				w.Header().Set("Content-Type", kind)
			}
			server.ServeHTTP(w, r)
		})
	}
	serve("/widget/v1/", web.Widget, true)
	serve("/console/", web.Console, false)
	if demo {
		serve(demoMedia, exampleflows.Media(), true)
	}
	router.Handle("/", http.RedirectHandler("/docs", http.StatusFound))
}

// isPage says whether there is a file of that name, or the page itself. What is not must not reach the file server, which
// answers with plain text, and lists what is in a folder.
func isPage(files fs.FS, name string) bool {
	if name == "" {
		name = "index.html"
	}
	info, err := fs.Stat(files, name)
	return err == nil && info.Mode().IsRegular()
}
