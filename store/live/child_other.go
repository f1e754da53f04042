//go:build !linux

package live

import "syscall"

// endWithParent has no counterpart here: a kill of ours leaves the server behind, on a socket that nobody uses again.
func endWithParent() *syscall.SysProcAttr { return nil }
