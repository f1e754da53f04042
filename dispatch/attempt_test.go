package dispatch

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"parley"
)

// That this machine has no more files is not a receiver's fault, nor a token URL's; that a connection cannot be made is.
func TestExhaustionIsOurFault(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for err, ours := range map[error]bool{
		refused: false,
		&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}:                true,
		&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}:        false,
		fmt.Errorf("resolve: %w", &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.ENFILE)}): true,
	} {
		for what, a := range map[string]*parley.Authentication{
			"callback": nil,
			"token":    {OAuth2: &parley.TokenRecipe{URL: "https://id.example/", Method: http.MethodPost, TokenPath: "$.t"}},
		} {
			s := senderOver(func(*http.Request) (*http.Response, error) { return nil, err })
			res := s.attempt(t.Context(), target{role: parley.ApplicationRole{Callback: "https://bot.example/"}, authentication: a}, request{id: "x"}, func() bool { return true })
			if (res.ours != nil) != ours || (res.problem == "") != ours || ours && !strings.Contains(res.ours.Error(), "too many open files") {
				t.Errorf("%s that fails with %v = %+v; want it to be our fault: %v", what, err, res, ours)
			}
		}
	}
}
