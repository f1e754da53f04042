// Package hub applies the rules of a conversation and tells everyone concerned what happened.
//
// A transport turns a request into a call on [Hub]. The hub routes it with a pure function, commits the step through a
// [parley.Store], and only then publishes the messages to live sessions, to the other nodes, and to dispatch.
//
// # Order
//
//   - The messages of one conversation are totally ordered by Seq, given before the commit and held by it.
//   - A subscriber sees one conversation in Seq order, without holes.
//   - Nothing is promised between two conversations.
//
// # Pipelining
//
// The state of active conversations is held in memory. A post is routed on the state that the posts before it leave,
// while those are still being committed. When a commit is refused because another node was faster, the state is read
// again and the posts concerned are routed again, in order.
//
// # Slow and lost
//
// Publishing never waits. What it loses is read from the store: sessions by Seq, lanes by the sweeper of dispatch.
package hub
