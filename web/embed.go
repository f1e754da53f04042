// Package web holds the pages of the hub as they were built into dist, which is committed: Go alone builds the hub.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Widget and Console are the customer's and the agent's page, with index.html at the root. Names of files are stable
// from build to build, so a server lets browsers ask whether what they have is still fresh (ETag), and not keep it.
var (
	Widget  = sub("dist/widget")
	Console = sub("dist/console")
)

func sub(dir string) fs.FS {
	pages, err := fs.Sub(dist, dir)
	if err != nil {
		panic(err) // the path is a constant above
	}
	return pages
}
