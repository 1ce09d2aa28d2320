// Package selftelemetry lets the tool be watched as it watches others: a trace with a span per
// stage and metrics about cases, by the OpenTelemetry SDK, and log lines by slog. Without the usual OTEL_
// variables in the environment nothing is sent; a service can be scraped by Prometheus besides, and says
// whether it is alive and ready. deploy/monitoring lists the metrics.
//
// It must not change what a case does, nor put texts of an incident into attributes: what becomes an attribute is a
// word from the tool's own code or configuration, and there are few of them.
package selftelemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/telemetry"
)

const scope = "github.com/remediator/remediator"

// Telemetry holds the providers. The zero value exports nothing.
type Telemetry struct {
	Traces  trace.TracerProvider
	Metrics metric.MeterProvider
	version string
	close   []func(context.Context) error
	scraped *prometheus.Registry // nil unless Prometheus is to scrape
}

// New sets up what the environment asks for: OTEL_EXPORTER_OTLP_ENDPOINT or one of its relatives.
func New(ctx context.Context, version string, getenv func(string) string) (*Telemetry, error) {
	return open(ctx, version, getenv, nil)
}

// NewService is New for a service: its metrics are also there to be scraped, see [Telemetry.Scrape].
func NewService(ctx context.Context, version string, getenv func(string) string) (*Telemetry, error) {
	return open(ctx, version, getenv, prometheus.NewRegistry())
}

func open(ctx context.Context, version string, getenv func(string) string, scraped *prometheus.Registry) (*Telemetry, error) {
	t := &Telemetry{Traces: tracenoop.NewTracerProvider(), Metrics: metricnoop.NewMeterProvider(), version: version, scraped: scraped}
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
	metrics := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithCardinalityLimit(maxSeries)}
	if (all || getenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") != "") && getenv("OTEL_METRICS_EXPORTER") != "none" {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("own metrics: %w", err)
		}
		metrics = append(metrics, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	if scraped != nil {
		reader, err := otelprometheus.New(otelprometheus.WithRegisterer(scraped), otelprometheus.WithoutScopeInfo())
		if err != nil {
			return nil, fmt.Errorf("own metrics: %w", err)
		}
		scraped.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		metrics = append(metrics, sdkmetric.WithReader(reader))
	}
	if len(metrics) > 2 {
		p := sdkmetric.NewMeterProvider(metrics...)
		t.Metrics, t.close = p, append(t.close, p.Shutdown)
	}
	return t, nil
}

// maxSeries bounds the series of one metric, whatever names arrive.
const maxSeries = 500

// Scrape answers Prometheus. Without NewService there is nothing to scrape.
func (t *Telemetry) Scrape() http.Handler {
	if t.scraped == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(t.scraped, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second, ErrorHandling: promhttp.ContinueOnError})
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
	found    metric.Int64Counter
	broken   metric.Int64Counter
	traces   metric.Int64Counter
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
	if w.found, err = meter.Int64Counter("remediator.correlations", metric.WithUnit("{case}"), metric.WithDescription("Cases whose alert was looked for in telemetry, by what was found: located, no_suspect or no_telemetry.")); err != nil {
		return nil, nil, err
	}
	if w.traces, err = meter.Int64Counter("remediator.evidence.traces", metric.WithUnit("{trace}"), metric.WithDescription("Traces looked at in evidence.")); err != nil {
		return nil, nil, err
	}
	if w.broken, err = meter.Int64Counter("remediator.evidence.broken_traces", metric.WithUnit("{trace}"), metric.WithDescription("Traces in evidence that lack spans which others name as parent.")); err != nil {
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
		w.log.Error("the case was not worked out to its end", "error", err)
	case c.Declined != nil:
		outcome = "declined"
		w.root.SetAttributes(attribute.String("remediator.declined", c.Declined.Code))
	default:
		outcome = "proposed"
		w.root.SetAttributes(attribute.String("remediator.rung", string(c.Patch.Option.Rung)), attribute.Bool("remediator.proved", c.Verdicts.Proved))
	}
	w.correlated(c)
	if w.stage != nil { // a stage that failed has no End
		w.stage.End()
	}
	w.root.SetAttributes(attribute.String("remediator.outcome", outcome))
	w.cases.Add(w.ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
	w.root.End()
}

// correlated counts what became of connecting the alert with telemetry and code. A case that failed before it was looked at
// counts as nothing.
func (w *observer) correlated(c *remedy.Case) {
	if c == nil || c.State == "" || c.State == remedy.Received || c.State == remedy.Gathered {
		return
	}
	counts, found := c.Evidence.Counts, "located"
	switch {
	case counts.Spans+counts.Logs+counts.Series == 0:
		found = "no_telemetry"
	case len(c.Suspects) == 0:
		found = "no_suspect"
	}
	w.found.Add(w.ctx, 1, metric.WithAttributes(attribute.String("result", found)))
	w.traces.Add(w.ctx, int64(counts.Traces))
	for _, n := range c.Evidence.Notes {
		if n.Code == telemetry.NoteBrokenTrace {
			w.broken.Add(w.ctx, int64(n.Count))
		}
	}
}
