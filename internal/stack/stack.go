// Package stack keeps the stacks of goroutines that wait for long small.
package stack

// Aside does something on a goroutine of its own, and waits for it. A stack that had to grow stays large: the runtime halves it only while less
// than a quarter is used, so a goroutine that is to wait for long with a few KiB in use must not have gone deep before. A panic there is passed
// on to the caller, who may recover from it.
func Aside[T any](do func() T) T {
	done := make(chan outcome[T], 1)
	go func() {
		var o outcome[T]
		defer func() {
			o.panicked = recover()
			done <- o
		}()
		o.value = do()
	}()
	o := <-done
	if o.panicked != nil {
		panic(o.panicked)
	}
	return o.value
}

type outcome[T any] struct {
	value    T
	panicked any
}
