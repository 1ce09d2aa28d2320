package inventory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

const scope = "example.com/shop/inventory"

// probe records spans of statements and metrics of the pool, under the names of
// OpenTelemetry's semantic conventions.
type probe struct {
	tracer  trace.Tracer
	wait    metric.Float64Histogram
	use     metric.Float64Histogram
	pending metric.Int64UpDownCounter
	pool    metric.MeasurementOption
}

// waitBounds are the buckets of the wait for a connection, in seconds.
var waitBounds = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5}

func newProbe(db *sql.DB) (*probe, error) {
	meter := otel.Meter(scope)
	pool := attribute.String("db.client.connection.pool.name", "inventory")
	p := &probe{tracer: otel.Tracer(scope), pool: metric.WithAttributes(pool)}

	var errs [5]error
	p.wait, errs[0] = meter.Float64Histogram("db.client.connection.wait_time", metric.WithUnit("s"),
		metric.WithDescription("The time it took to obtain an open connection from the pool."),
		metric.WithExplicitBucketBoundaries(waitBounds...))
	p.use, errs[1] = meter.Float64Histogram("db.client.connection.use_time", metric.WithUnit("s"),
		metric.WithDescription("The time between borrowing a connection and returning it to the pool."),
		metric.WithExplicitBucketBoundaries(waitBounds...))
	p.pending, errs[2] = meter.Int64UpDownCounter("db.client.connection.pending_requests", metric.WithUnit("{request}"),
		metric.WithDescription("The number of current pending requests for an open connection."))
	_, errs[3] = meter.Int64ObservableUpDownCounter("db.client.connection.count", metric.WithUnit("{connection}"),
		metric.WithDescription("The number of connections that are currently in state described by the state attribute."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			stats := db.Stats()
			o.Observe(int64(stats.Idle), metric.WithAttributes(pool, attribute.String("db.client.connection.state", "idle")))
			o.Observe(int64(stats.InUse), metric.WithAttributes(pool, attribute.String("db.client.connection.state", "used")))
			return nil
		}))
	_, errs[4] = meter.Int64ObservableUpDownCounter("db.client.connection.max", metric.WithUnit("{connection}"),
		metric.WithDescription("The maximum number of open connections allowed."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(db.Stats().MaxOpenConnections), p.pool)
			return nil
		}))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("pool metrics: %w", err)
	}
	return p, nil
}

// start begins the span of one statement. The returned function ends it.
func (p *probe) start(ctx context.Context, name, text string) (context.Context, func(error)) {
	ctx, span := p.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "sqlite"),
		attribute.String("db.operation.name", "SELECT"),
		attribute.String("db.collection.name", "movements"),
		attribute.String("db.query.text", text),
	))
	return ctx, func(err error) {
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, "statement failed")
		}
		span.End()
	}
}

// connection borrows a connection from the pool and measures the wait for it.
func (p *probe) connection(ctx context.Context, db *sql.DB) (*sql.Conn, func(), error) {
	asked := time.Now()
	p.pending.Add(ctx, 1, p.pool)
	conn, err := db.Conn(ctx)
	p.pending.Add(ctx, -1, p.pool)
	got := time.Now()
	p.wait.Record(ctx, got.Sub(asked).Seconds(), p.pool)
	if err != nil {
		return nil, nil, fmt.Errorf("wait for a connection: %w", err)
	}
	return conn, func() {
		p.use.Record(ctx, time.Since(got).Seconds(), p.pool)
		_ = conn.Close() // returns it to the pool
	}, nil
}
