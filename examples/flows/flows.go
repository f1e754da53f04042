// Package flows has the example flows of bots, for programs that come with one.
package flows

import (
	"bytes"
	"embed"
	"io/fs"
)

// Demo is demo.yaml: a shop that shows what a bot with rules can do. docs/bots.md explains it.
//
//go:embed demo.yaml
var Demo []byte

//go:embed media
var files embed.FS

// Media are the pictures, the film and the sound of Demo, by the names that they have at the shop.
func Media() fs.FS {
	media, err := fs.Sub(files, "media")
	if err != nil {
		panic(err) // the path is a constant above
	}
	return media
}

// shop is where Demo has its media.
const shop = "https://shop.example/"

// DemoAt is Demo with its media at an address, which ends with a slash: there is no such shop.
func DemoAt(address string) []byte {
	source := Demo
	media, err := files.ReadDir("media")
	if err != nil {
		panic(err)
	}
	for _, m := range media {
		source = bytes.ReplaceAll(source, []byte(shop+m.Name()), []byte(address+m.Name()))
	}
	return source
}
