// Package directory has the rules of configuration: what may be made, changed and deleted of the six kinds of objects by
// which a tenant says who takes part in its conversations (reference sections 2 to 7).
//
//	account ──► channel
//	   └──────► orchestration ──► client application (customer, bot, agent) ──► authentication
//	                     └──────► participant ──► client application (bot)
//
// A [Directory] has one [Collection] a kind. Each call is one transaction: names are unique and references whole at
// any time, whoever else writes. What one member may hold by itself (lengths, enums) the surface's OpenAPI document
// says; here is what needs a look at other members, other objects, or how the hub is configured.
//
// An [Administration] does the same for what stands above: organisations, environments (the tenants) and API clients.
//
// Secrets are masked in everything a Collection returns; who must send them (dispatch) reads the store.
package directory
