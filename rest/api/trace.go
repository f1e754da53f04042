package api

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// Traceparent is the trace of a request, the caller's or one of the hub's own, as the next in line is told (W3C Trace Context). What a caller
// sent is in it only as far as it has the form of a trace.
func Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}
