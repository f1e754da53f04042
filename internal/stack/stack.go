// Package stack keeps the stacks of goroutines that wait for long small.
package stack

// Aside does something on a goroutine of its own, and waits for it. A stack that had to grow stays large: the runtime halves it only while less
// than a quarter is used, so a goroutine that is to wait for long with a few KiB in use must not have gone deep before.
func Aside[T any](do func() T) T {
	done := make(chan T, 1)
	go func() { done <- do() }()
	return <-done
}
