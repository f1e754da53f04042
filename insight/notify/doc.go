// Package notify tells subscriptions' targets of what happens to bots.
//
// What is owed is rows that were written with what it is about (see [parley.Subscriptions]); a [Notifier] only brings them. A target is
// asked first whether it wants to be told: it must answer a challenge. After that each notification is one call.
//
// # Order and loss
//
//   - A subscription is told in the order in which things became owed, one at a time. Nothing is promised between two subscriptions.
//   - Everything owed is told at least once, over any crash, as long as the subscription lives. A repeat has the same Webhook-Id.
//   - What was forgotten before it could be told is not told.
//
// # Slow and failed
//
// A target has five seconds for an answer, and any of class 2xx will do. What fails is tried again by [Schedule]; after its last wait, or
// when too much has piled up, the subscription is over: its target is sent a revocation, once, and what was owed is dropped. So many
// subscriptions are worked on at once, each for a few seconds at most, so that slow ones leave room.
//
// One node of many does this, the one that leads.
package notify
