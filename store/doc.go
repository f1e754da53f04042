// Package store is the record: SQL on SQLite or PostgreSQL, one behaviour.
//
// [Open] migrates the database and returns a [Store]. There are three ways in: [Store.Submit] for the road of messages,
// which shares its transaction with whatever else is waiting (group commit); [Store.Update] and [Store.View] for
// everything else.
//
// # Order and concurrency
//
// A Store is safe for concurrent use. Steps of one conversation become true in the order in which they were submitted.
// A step holds only if the conversation still has the (epoch, seq) that it was routed on, so two nodes on one
// database never both win. SQLite has one writer, which all share; PostgreSQL has a few, by conversation.
//
// # What a loss costs
//
// The database is the only thing here that must not be lost. Whoever has it reads every conversation; callback
// secrets, client secrets and signing keys in it are sealed with the keyset of [parley/store/keyset], or hashed.
package store
