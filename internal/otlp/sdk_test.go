package otlp

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// exporters are the three of one transport.
type exporters struct {
	traces  *otlptrace.Exporter
	logs    sdklog.Exporter
	metrics sdkmetric.Exporter
}

func overHTTP(t *testing.T, addr, token string) (e exporters) {
	t.Helper()
	ctx, headers := context.Background(), map[string]string{"Authorization": "Bearer " + token}
	var err error
	if e.traces, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(addr), otlptracehttp.WithInsecure(), otlptracehttp.WithHeaders(headers), otlptracehttp.WithCompression(otlptracehttp.GzipCompression)); err != nil {
		t.Fatal(err)
	}
	if e.logs, err = otlploghttp.New(ctx, otlploghttp.WithEndpoint(addr), otlploghttp.WithInsecure(), otlploghttp.WithHeaders(headers)); err != nil {
		t.Fatal(err)
	}
	if e.metrics, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(addr), otlpmetrichttp.WithInsecure(), otlpmetrichttp.WithHeaders(headers)); err != nil {
		t.Fatal(err)
	}
	return e
}

func overGRPC(t *testing.T, addr, token string) (e exporters) {
	t.Helper()
	ctx, headers := context.Background(), map[string]string{"authorization": "Bearer " + token}
	var err error
	if e.traces, err = otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(addr), otlptracegrpc.WithInsecure(), otlptracegrpc.WithHeaders(headers), otlptracegrpc.WithCompressor("gzip")); err != nil {
		t.Fatal(err)
	}
	if e.logs, err = otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(addr), otlploggrpc.WithInsecure(), otlploggrpc.WithHeaders(headers)); err != nil {
		t.Fatal(err)
	}
	if e.metrics, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(addr), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithHeaders(headers)); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestGoSDK: what the OpenTelemetry SDK for Go sends over either transport comes out as evidence.
func TestGoSDK(t *testing.T) {
	for name, open := range map[string]func(*testing.T, string, string) exporters{"http": overHTTP, "grpc": overGRPC} {
		t.Run(name, func(t *testing.T) {
			ring := newRing(time.Now)
			r := newReceiver(t, ring, func(o *Options) { o.Now = time.Now; o.Token = func() string { return "let me in" } })
			at := serve(t, r)
			addr := at.http
			if name == "grpc" {
				addr = at.grpc
			}
			begun := time.Now()
			e := open(t, addr, "let me in")
			res := resource.NewSchemaless(attribute.String("service.name", "till"))
			ctx := context.Background()
			tp := sdktrace.NewTracerProvider(sdktrace.WithBatcher(e.traces), sdktrace.WithResource(res))
			lp := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(e.logs)), sdklog.WithResource(res))
			mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(e.metrics)), sdkmetric.WithResource(res))
			counter, err := mp.Meter("till").Int64Counter("till.sales")
			if err != nil {
				t.Fatal(err)
			}
			for range 50 {
				in, span := tp.Tracer("till").Start(ctx, "sell")
				_, child := tp.Tracer("till").Start(in, "charge")
				var record log.Record
				record.SetTimestamp(time.Now())
				record.SetBody(attribute.StringValue("sold"))
				record.SetSeverity(log.SeverityInfo)
				lp.Logger("till").Emit(in, record)
				counter.Add(ctx, 1)
				child.End()
				span.End()
			}
			for _, stop := range []func(context.Context) error{tp.Shutdown, lp.Shutdown, mp.Shutdown} {
				if err := stop(ctx); err != nil {
					t.Fatal(err)
				}
			}
			w, err := NewWindow(ring, WindowOptions{Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			ev, err := w.Evidence(ctx, begun, Draw{})
			if err != nil {
				t.Fatal(err)
			}
			checkTill(t, ev, 50)
		})
	}
}

// checkTill looks for what a till sends: a trace of two spans, a record within it and a sum per sale.
func checkTill(t *testing.T, ev localize.Evidence, sales int) {
	t.Helper()
	ds := ev.Incident
	if len(ds.Spans) != 2*sales || len(ds.Logs) != sales || len(ds.Metrics) != 1 {
		t.Fatalf("%d spans, %d records, %d series; missing %v; notes %v", len(ds.Spans), len(ds.Logs), len(ds.Metrics), ev.Missing, ds.Notes)
	}
	traces := telemetry.GroupTraces(ds.Spans)
	if len(traces) != sales || traces[0].Broken || ds.Spans[0].Resource.Service != "till" {
		t.Errorf("%d traces, first %+v", len(traces), traces[0])
	}
	if linked := telemetry.Correlate(ds.Logs, traces, time.Second); len(linked) != sales {
		t.Errorf("%d records belong to spans", len(linked))
	}
	if s := ds.Metrics[0]; s.Name != "till.sales" || s.Points[len(s.Points)-1].Value != float64(sales) {
		t.Errorf("%+v", s)
	}
}

func TestSDKWithTheWrongTokenIsRefused(t *testing.T) {
	ring := newRing(time.Now)
	w := &watched{}
	r := newReceiver(t, ring, func(o *Options) {
		o.Now, o.Watch = time.Now, w
		o.Token = func() string { return "let me in" }
	})
	at := serve(t, r)
	for _, e := range []exporters{overHTTP(t, at.http, "let me out"), overGRPC(t, at.grpc, "let me out")} {
		tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(e.traces))
		_, span := tp.Tracer("till").Start(context.Background(), "sell")
		span.End()
		_ = tp.Shutdown(context.Background())
	}
	if n, _, _ := stored(t, ring, telemetry.Traces); n != 0 || w.refusals(ReasonUnauthorized) != 2 {
		t.Errorf("%d kept, %+v", n, w)
	}
}
