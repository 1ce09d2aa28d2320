// Package selftelemetry lets the tool be watched as it watches others: a trace with a span per
// stage and metrics about cases, by the OpenTelemetry SDK, and log lines by slog. Without the usual OTEL_
// variables in the environment nothing is exported. It must not change what a case does,
// nor put texts of an incident into attributes.
package selftelemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/remediator/remediator/remedy"
)

const scope = "github.com/remediator/remediator"

// Telemetry holds the providers. The zero value exports nothing.
type Telemetry struct {
	Traces  trace.TracerProvider
	Metrics metric.MeterProvider
	close   []func(context.Context) error
}

// New sets up what the environment asks for: OTEL_EXPORTER_OTLP_ENDPOINT or one of its relatives.
func New(ctx context.Context, version string, getenv func(string) string) (*Telemetry, error) {
	t := &Telemetry{Traces: tracenoop.NewTracerProvider(), Metrics: metricnoop.NewMeterProvider()}
	if getenv("OTEL_SDK_DISABLED") == "true" {
		return t, nil
	}
	res, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "remediator"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("own telemetry: %w", err)
	}
	all := getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	if (all || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "") && getenv("OTEL_TRACES_EXPORTER") != "none" {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("own traces: %w", err)
		}
		p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
		t.Traces, t.close = p, append(t.close, p.Shutdown)
	}
	if (all || getenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") != "") && getenv("OTEL_METRICS_EXPORTER") != "none" {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("own metrics: %w", err)
		}
		p := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)), sdkmetric.WithResource(res))
		t.Metrics, t.close = p, append(t.close, p.Shutdown)
	}
	return t, nil
}

// Close sends what is left, for at most a few seconds: a dead collector must not hold anybody up.
func (t *Telemetry) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	var errs []error
	for _, c := range t.close {
		errs = append(errs, c(ctx))
	}
	return errors.Join(errs...)
}

// observer passes everything on and watches it.
type observer struct {
	next     remedy.Observer
	log      *slog.Logger
	tracer   trace.Tracer
	ctx      context.Context // holds the span of the whole case
	root     trace.Span
	stage    trace.Span
	duration metric.Float64Histogram
	cases    metric.Int64Counter
}

// Observe wraps an observer with a span per stage, metrics and log lines. done ends the span of
// the case; call it with what Run returned.
func (t *Telemetry) Observe(ctx context.Context, next remedy.Observer, log *slog.Logger) (o remedy.Observer, done func(*remedy.Case, error), err error) {
	meter := t.Metrics.Meter(scope)
	w := &observer{next: next, log: log, tracer: t.Traces.Tracer(scope)}
	if w.duration, err = meter.Float64Histogram("remediator.stage.duration", metric.WithUnit("s"), metric.WithDescription("How long a stage of a case took.")); err != nil {
		return nil, nil, err
	}
	if w.cases, err = meter.Int64Counter("remediator.cases", metric.WithUnit("{case}"), metric.WithDescription("Cases that ended, by how.")); err != nil {
		return nil, nil, err
	}
	w.ctx, w.root = w.tracer.Start(ctx, "case")
	return w, w.done, nil
}

// Begin implements remedy.Observer.
func (w *observer) Begin(stage remedy.State, c *remedy.Case) {
	_, w.stage = w.tracer.Start(w.ctx, "stage "+string(stage))
	w.log.Debug("stage begins", "stage", stage, "case", c.Fingerprint)
	w.next.Begin(stage, c)
}

// Note implements remedy.Observer.
func (w *observer) Note(text string) {
	w.log.Debug("progress", "text", text)
	w.next.Note(text)
}

// End implements remedy.Observer.
func (w *observer) End(stage remedy.State, c *remedy.Case, elapsed time.Duration) {
	if w.stage != nil {
		w.stage.End()
		w.stage = nil
	}
	w.duration.Record(w.ctx, elapsed.Seconds(), metric.WithAttributes(attribute.String("stage", string(stage))))
	w.log.Info("stage ended", "stage", stage, "case", c.Fingerprint, "elapsed", elapsed)
	w.next.End(stage, c, elapsed)
}

func (w *observer) done(c *remedy.Case, err error) {
	outcome := "failed"
	switch {
	case err != nil:
		w.root.SetStatus(codes.Error, "the case could not be completed")
		w.log.Error("case failed", "error", err)
	case c.Declined != nil:
		outcome = "declined"
		w.root.SetAttributes(attribute.String("remediator.declined", c.Declined.Code))
	default:
		outcome = "proposed"
		w.root.SetAttributes(attribute.String("remediator.rung", string(c.Patch.Option.Rung)), attribute.Bool("remediator.proved", c.Verdicts.Proved))
	}
	if w.stage != nil { // a stage that failed has no End
		w.stage.End()
	}
	w.root.SetAttributes(attribute.String("remediator.outcome", outcome))
	w.cases.Add(w.ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
	w.root.End()
}
