package api

import "context"

// A Trail is what is known of a request while it is served, for log, metrics and trace. It belongs to the goroutine that
// serves the request.
type Trail struct {
	RequestID string
	Route     string // template of the route, never the path: it is a label
	Err       error  // what was answered; nil if all went well
}

type trailKey struct{}

// WithTrail puts t into a context.
func WithTrail(ctx context.Context, t *Trail) context.Context {
	return context.WithValue(ctx, trailKey{}, t)
}

// TrailOf is the trail of a request, nil outside of one.
func TrailOf(ctx context.Context) *Trail {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	return t
}

// NoteError remembers what a request was answered with, for the log.
func NoteError(ctx context.Context, err error) {
	if t := TrailOf(ctx); t != nil {
		t.Err = err
	}
}
