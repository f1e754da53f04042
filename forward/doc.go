// Package forward brings a client application's callbacks to a program that the hub cannot reach, such as one on a
// developer's machine: it takes them over a session (ADR 10) and POSTs each as the hub would have.
//
// [Run] connects, and connects again for as long as the hub's close codes allow. Nothing is lost in between: a delivery
// whose outcome the hub did not hear comes again, under the same id, so the program behind may see one twice, as with
// callbacks. Deliveries of one conversation come one after the other, those of several side by side.
package forward
