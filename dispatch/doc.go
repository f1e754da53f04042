// Package dispatch makes callbacks: lane → attempt → outcome.
//
// # The way of a delivery
//
// A commit moves the tail of a lane and says so ([Dispatcher.Wake]). While this node has room it claims the lane, under a
// lease, in the same commit ([Dispatcher.Lease]). Other lanes travel through a [Queue], many in one task, as ids only;
// whoever takes the task claims them in SQL. A worker delivers what its lane owes in order; when it gives the lease
// back, SQL says whether something came meanwhile. What the queue forgets, the sweeper finds within seconds: the queue
// makes things quick, SQL makes them true.
//
// # Promises
//
// At least once, in order per (conversation, receiver), the same delivery id on every attempt, until a 2xx, the end of
// the schedule, or a refusal; then the delivery is dead, visible, and the lane goes on. A slow or dead receiver has a
// bounded share of the attempts that run at the same time, so it does not slow the others.
//
// # Receivers that fail
//
// What attempts come to is judged by [health]: a receiver that mostly fails has its circuit breaker opened, and is tried with one
// delivery at a time until it works; one that does nothing but fail for days, or answers 410, is disabled. What it is owed is
// held meanwhile, in the record, and costs nothing here. Faults of ours never count.
package dispatch
