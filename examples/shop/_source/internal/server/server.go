// Package server runs one HTTP service until it is told to stop.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"example.com/shop/internal/telemetry"
)

// grace is how long requests under way may take to finish after SIGTERM.
const grace = 5 * time.Second

// Build makes a service's handler. The returned close function may be nil.
type Build func(ctx context.Context, logger *slog.Logger) (http.Handler, func() error, error)

// Main runs a service on ADDR and exits the process when it ends.
func Main(service, defaultAddr string, build Build) {
	if err := run(service, defaultAddr, build); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", service, err)
		os.Exit(1)
	}
}

func run(service, defaultAddr string, build Build) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	logger, flush, err := telemetry.Setup(ctx, service)
	if err != nil {
		return err
	}
	defer func() {
		flushCtx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		err = errors.Join(err, flush(flushCtx))
	}()

	handler, closeHandler, err := build(ctx, logger)
	if err != nil {
		return err
	}
	if closeHandler != nil {
		defer func() { err = errors.Join(err, closeHandler()) }()
	}

	srv := &http.Server{
		Addr:              Env("ADDR", defaultAddr),
		Handler:           Instrument(service, handler),
		ReadHeaderTimeout: 5 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.ListenAndServe() }()
	logger.InfoContext(ctx, "service started", "addr", srv.Addr)

	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	logger.InfoContext(stopCtx, "service stopping")
	if err := srv.Shutdown(stopCtx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// Instrument wraps a service's handler with server spans and metrics; health checks are
// left out.
func Instrument(service string, handler http.Handler) http.Handler {
	routed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		// The mux has noted by now which pattern it chose.
		if _, route, ok := strings.Cut(r.Pattern, " "); ok {
			trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("http.route", route))
		}
	})
	return otelhttp.NewHandler(routed, service,
		otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/healthz" }))
}

// Client is the HTTP client for calls to other services: it propagates the trace and
// records client spans. Deadlines are the callers' business.
func Client() *http.Client {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 32
	return &http.Client{Transport: otelhttp.NewTransport(base)}
}

// Env reads an environment variable, or its default where it is not set.
func Env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
