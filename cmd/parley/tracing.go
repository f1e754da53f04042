package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"parley/configs"
)

// newTracing makes the provider of traces. Without a collector nothing is recorded, but every message still has a trace
// id that goes on into its callbacks.
func newTracing(ctx context.Context, c *configs.Serve) (*sdktrace.TracerProvider, error) {
	if c.OTLP == "" {
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample()))), nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.OTLP))
	if err != nil {
		return nil, fmt.Errorf("--otlp: %w", err)
	}
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter)), nil
}
