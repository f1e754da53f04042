// Package rest is the plumbing under the REST surfaces: what is done for every request whatever it asks for. Each
// published API is a subpackage with New and Register; they do not import each other, and share rest/api.
//
// # The way of a request
//
// [Handler] gives it an id, continues the caller's trace, counts and logs it, and turns a panic into a bare 500. Then the
// router finds the surface; [NewRouter] answers what no surface knows. A surface reads Authorization, validates, and calls
// the hub or the directory; no rule lives here.
//
// Nothing that strangers choose becomes a label or is logged, except the path; queries and headers may hold secrets.
package rest
