// Package conversationmgr is the REST surface of that name, version 3: six kinds of configuration objects, files, sending
// messages and reading completed conversations. openapi.yaml is its contract; the operations on configuration and assets
// are generated from it, requests are validated by it, and answers in tests too.
//
// # The way of a request
//
// The guard of rest/contract checks, in the order of reference section 1.5: token, scope, Accept-Language, the id in the
// path, the body. Then the generated server decodes, a handler calls the directory, the files or the hub, and errors.go of rest/api
// turns a Kind into a code. Messages are decoded by package wire instead: their reading is lenient in ways that a schema
// cannot say.
package conversationmgr

//go:generate go tool -modfile=../../tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
