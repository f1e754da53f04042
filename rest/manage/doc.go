// Package manage is the manage surface (reference/manage.md): trackers, entities, conversation groups and user settings in both
// generations of paths, what was found in conversations, and texts from outside. openapi.yaml is its contract.
//
// Its handlers are written by hand: the paths say the same in two spellings, one path takes an object or an array, and an error
// has to quote the member it is about, none of which a generated server does. The tests hold every answer to the document.
package manage
