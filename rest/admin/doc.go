// Package admin is our own surface admin/v1: organisations, their environments (which are the tenants), and API clients.
// openapi.yaml is its contract. Errors have the body of conversationmgr.
package admin

//go:generate go tool -modfile=../../tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
