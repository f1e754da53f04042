// Package stack keeps the stacks of goroutines that wait for long small.
package stack

import (
	"fmt"
	"runtime/debug"
)

// Aside does something on a goroutine of its own, and waits for it. A stack that had to grow stays large: the runtime halves it only while less
// than a quarter is used, so a goroutine that is to wait for long with a few KiB in use must not have gone deep before. A panic there is passed
// on to the caller, who may recover from it, as a text that says where it was.
func Aside[T any](do func() T) T {
	done := make(chan outcome[T], 1)
	go func() {
		var o outcome[T]
		defer func() {
			if p := recover(); p != nil {
				o.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			done <- o
		}()
		o.value = do()
	}()
	o := <-done
	if o.panicked != "" {
		panic(o.panicked)
	}
	return o.value
}

type outcome[T any] struct {
	value    T
	panicked string
}
