// Package flows has the example flows of bots, for programs that come with one.
package flows

import _ "embed"

// Demo is demo.yaml: a shop that shows what a bot with rules can do. docs/bots.md explains it.
//
//go:embed demo.yaml
var Demo []byte
