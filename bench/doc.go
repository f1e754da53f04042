// Package bench measures the hub against the limits of the machine: ratios to a bare relay and a bare HTTP client that
// run beside it, one after the other in every repetition, so that a machine that is busy or slow changes both sides.
//
// Servers under test are processes of their own (the same binary), so that their CPU can be told from the load's. All
// traffic stays on loopback, and every run is bounded in count and time.
package bench
