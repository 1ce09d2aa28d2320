// Package telemetry connects a service with OpenTelemetry: traces, metrics and logs leave
// by OTLP over HTTP when OTEL_EXPORTER_OTLP_ENDPOINT is set, and not at all otherwise.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Shutdown sends what is still held back and stops the exporters.
type Shutdown func(context.Context) error

// Setup installs the SDK for the named service and returns its logger. Version, revision
// and environment of the deployment come from OTEL_RESOURCE_ATTRIBUTES.
func Setup(ctx context.Context, service string) (*slog.Logger, Shutdown, error) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		logger := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("service", service)
		return logger, func(context.Context) error { return nil }, nil
	}

	res, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", service)),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("describe the service: %w", err)
	}

	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("trace exporter: %w", err)
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(res))
	otel.SetTracerProvider(traces)

	points, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("metric exporter: %w", err)
	}
	metrics := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)),
		sdkmetric.WithResource(res),
	)
	otel.SetMeterProvider(metrics)

	records, err := otlploghttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("log exporter: %w", err)
	}
	logs := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(records)),
		sdklog.WithResource(res),
	)
	logger := otelslog.NewLogger(service, otelslog.WithLoggerProvider(logs))

	shutdown := func(ctx context.Context) error {
		return errors.Join(traces.Shutdown(ctx), metrics.Shutdown(ctx), logs.Shutdown(ctx))
	}
	return logger, shutdown, nil
}
