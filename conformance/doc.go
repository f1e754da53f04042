// Package conformance tries whether somebody's receiver can live with what callbacks are: late, repeated, interleaved, and
// forged by others. It plays the hub: it sends deliveries as the hub would, good and bad ones, and looks at the answers.
//
// What a receiver does behind its answers cannot be seen from outside. That it dropped a repeat is seen only if it says so,
// with the header Parley-Repeat: dropped; without that the check is skipped, not passed. And a 429 is the receiver's right:
// the checks obey it as the hub does, and fail only if what was asked for leads nowhere.
package conformance
