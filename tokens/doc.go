// Package tokens is about credentials, without HTTP and without SQL: secrets of API clients, the access tokens that are
// made for them, the tokens of customers in a chat widget, and the signed statements by which a site tells who its
// visitor is.
//
// # Access tokens
//
// [Tokens.Issue] signs a JWT (EdDSA) for an API client, [Tokens.Verify] says what the bearer of one may do. A token says
// who its client is; what the client may do is read from the record, so that a revoked client is refused, and a changed
// binding or scope holds, within [clientTTL] everywhere. Tokens of customers have an audience of their own: neither kind
// works in place of the other.
//
// # Keys
//
// Signing keys live in the store, which seals them. The first is made when it is first needed; a new one follows every
// 30 days, and old ones verify until no token they signed can be good. Whoever has the signing keys can act as
// any client of any tenant; if they are lost, every token must be fetched anew and nothing else happens.
//
// Everything here is safe for concurrent use. Errors: Unauthenticated for any token that is not good, whatever is wrong
// with it; Internal when the store fails.
package tokens
