package egress

import "net/http"

// Straight is a client that goes the ways of another one, but follows no redirect: its caller sees the answer that asks for one.
func Straight(c *http.Client) *http.Client {
	straight := *c
	straight.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &straight
}
