// Package api is what our JSON surfaces share: the error body of the conversationmgr API, which admin and widget use as
// well, the reading of Authorization and Accept-Language, and what is known of a request while it is served.
//
// A handler returns or passes a [parley.Error]; [WriteError] is the one place where a Kind becomes a status and a code.
package api
