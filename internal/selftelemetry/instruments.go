package selftelemetry

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/remediator/remediator/remedy/docket"
)

// Instruments are the metrics of a service. Its methods may be handed to the parts that report: they do not block, are
// safe for concurrent use, and a nil *Instruments records nothing.
type Instruments struct {
	now func() time.Time

	events      metric.Int64Counter
	declines    metric.Int64Counter
	holds       metric.Int64Counter
	outcomes    metric.Int64Counter
	suggestions metric.Float64Histogram
	runs        metric.Float64Histogram
	effects     metric.Float64Histogram

	webhooks    metric.Int64Counter
	webhookTime metric.Float64Histogram

	received metric.Int64Counter
	refused  metric.Int64Counter
	dropped  metric.Int64Counter
	stored   metric.Int64Counter

	modelTime   metric.Float64Histogram
	modelTokens metric.Int64Histogram

	rateLimit     metric.Int64Gauge
	rateRemaining metric.Int64Gauge
	retries       metric.Int64Counter
}

// Instruments makes the metrics. now is the clock by which the age of an alert is told.
func (t *Telemetry) Instruments(now func() time.Time) (*Instruments, error) {
	meter := t.Metrics.Meter(scope)
	i := &Instruments{now: now}
	var errs []error
	counter := func(into *metric.Int64Counter, name, unit, what string) {
		var err error
		*into, err = meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
	}
	seconds := func(into *metric.Float64Histogram, name, what string, bounds ...float64) {
		var err error
		*into, err = meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
	}
	gauge := func(into *metric.Int64Gauge, name, unit, what string) {
		var err error
		*into, err = meter.Int64Gauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
	}
	counter(&i.events, "remediator.case.events", "{event}", "What happened to cases.")
	counter(&i.declines, "remediator.case.declines", "{case}", "Cases without a proposal, by the code of the reason.")
	counter(&i.holds, "remediator.case.holds", "{case}", "Cases that wait for a person or for time, by the code of the reason.")
	counter(&i.outcomes, "remediator.case.outcomes", "{case}", "What became of proposals: merged, refused, or came_back after the merge.")
	// Minutes are the measure: a run builds and tests, and an approval waits for a person.
	seconds(&i.suggestions, "remediator.suggestion.duration", "From the first alert to the proposal, the decline or the hold.", 1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 14400, 86400)
	seconds(&i.runs, "remediator.case.run.duration", "How long an attempt at a case took.", 1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
	seconds(&i.effects, "remediator.effect.duration", "How long an outward effect took, by what it was and whether it worked.", 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
	counter(&i.webhooks, "remediator.webhook.requests", "{request}", "Webhooks that arrived, by sender and by what became of them.")
	seconds(&i.webhookTime, "remediator.webhook.duration", "How long a webhook took to be answered.", 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
	counter(&i.received, "remediator.otlp.received", "{item}", "Spans, log records and metric points that were kept.")
	counter(&i.refused, "remediator.otlp.refused", "{request}", "Exports that were refused as a whole.")
	counter(&i.dropped, "remediator.otlp.dropped", "{item}", "Spans, log records and metric points left out of exports that were kept.")
	counter(&i.stored, "remediator.otlp.stored", "By", "Telemetry written to the window, compressed.")
	seconds(&i.modelTime, "gen_ai.client.operation.duration", "How long the model took to answer.", 0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
	var err error
	i.modelTokens, err = meter.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"), metric.WithDescription("Tokens of prompts and answers."),
		metric.WithExplicitBucketBoundaries(64, 256, 1024, 2048, 4096, 8192, 16384, 32768, 65536))
	errs = append(errs, err)
	gauge(&i.rateLimit, "remediator.github.rate_limit.limit", "{request}", "Requests that GitHub allows in its window.")
	gauge(&i.rateRemaining, "remediator.github.rate_limit.remaining", "{request}", "Requests that GitHub still allows in its window.")
	counter(&i.retries, "remediator.github.retries", "{request}", "Requests to GitHub that were sent again, by reason.")
	build, err := meter.Int64ObservableGauge("remediator.build.info", metric.WithDescription("Always 1; the labels say what runs."))
	errs = append(errs, err)
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(build, 1, metric.WithAttributes(attribute.String("version", t.version), attribute.String("go", runtime.Version())))
		return nil
	}, build)
	errs = append(errs, err)
	return i, errors.Join(errs...)
}

// codeForm is what an attribute from the tool's own code looks like. Everything else becomes "other": nothing that
// somebody else wrote can become a label.
var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func code(key, value string) attribute.KeyValue {
	if !codeForm.MatchString(value) {
		value = "other"
	}
	return attribute.String(key, value)
}

// Docket records what the desk observed.
func (i *Instruments) Docket(o docket.Observation) {
	if i == nil {
		return
	}
	ctx := context.Background()
	i.events.Add(ctx, 1, metric.WithAttributes(code("event", o.Kind)))
	switch o.Kind {
	case "proposed", "declined", "held":
		if o.Record != nil && !o.Record.FirstAlert.IsZero() {
			i.suggestions.Record(ctx, max(0, i.now().Sub(o.Record.FirstAlert).Seconds()), metric.WithAttributes(attribute.String("outcome", o.Kind)))
		}
		switch o.Kind {
		case "declined":
			i.declines.Add(ctx, 1, metric.WithAttributes(code("code", o.Key)))
		case "held":
			i.holds.Add(ctx, 1, metric.WithAttributes(code("code", o.Key)))
		}
	case "merged", "refused", "came_back":
		i.outcomes.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", o.Kind)))
	case "ran":
		i.runs.Record(ctx, o.Elapsed.Seconds(), metric.WithAttributes(result(o.Err)))
	case "effect", "notify":
		// A key names the kind of effect before its colon and what it is about behind.
		kind, _, _ := strings.Cut(o.Key, ":")
		if o.Kind == "notify" {
			kind = "notify"
		}
		i.effects.Record(ctx, o.Elapsed.Seconds(), metric.WithAttributes(code("effect", kind), result(o.Err)))
	}
}

func result(err error) attribute.KeyValue {
	if err != nil {
		return attribute.String("result", "failed")
	}
	return attribute.String("result", "ok")
}

// Alert records a request to the webhook of alerts. source is the name of a configured source, or "".
func (i *Instruments) Alert(source, outcome string, took time.Duration) {
	if source == "" {
		source = "unknown"
	}
	i.webhook("alerts", source, outcome, took)
}

func (i *Instruments) webhook(sender, source, outcome string, took time.Duration) {
	if i == nil {
		return
	}
	at := metric.WithAttributes(attribute.String("webhook", sender), attribute.String("source", source), code("outcome", outcome))
	i.webhooks.Add(context.Background(), 1, at)
	i.webhookTime.Record(context.Background(), took.Seconds(), metric.WithAttributes(attribute.String("webhook", sender)))
}

// Webhook records the requests to another webhook, such as GitHub's, by how they are answered.
func (i *Instruments) Webhook(sender string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i == nil {
			next.ServeHTTP(w, r)
			return
		}
		began := i.now()
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r)
		i.webhook(sender, sender, outcomeOf(s.status), i.now().Sub(began))
	})
}

// outcomeOf puts a status into the words of the webhook of alerts.
func outcomeOf(status int) string {
	switch {
	case status < 300:
		return "accepted"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "unauthorized"
	case status == http.StatusRequestEntityTooLarge:
		return "oversized"
	case status == http.StatusTooManyRequests:
		return "limited"
	case status == http.StatusRequestTimeout:
		return "slow"
	case status == http.StatusMethodNotAllowed:
		return "misdirected"
	case status < 500:
		return "malformed"
	}
	return "unavailable"
}

type statusWriter struct {
	http.ResponseWriter
	status  int
	written bool
}

func (s *statusWriter) WriteHeader(status int) {
	if !s.written {
		s.status, s.written = status, true
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Write(p []byte) (int, error) {
	s.written = true
	return s.ResponseWriter.Write(p)
}

func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Received, Refused and Stored record what the OTLP receiver does.
func (i *Instruments) Received(signal, transport string, items int) {
	if i != nil {
		i.received.Add(context.Background(), int64(items), metric.WithAttributes(code("signal", signal), code("transport", transport)))
	}
}

// Refused records a request that was refused, when items is 0, or items that were left out of one.
func (i *Instruments) Refused(signal, transport, reason string, items int) {
	if i == nil {
		return
	}
	at := metric.WithAttributes(code("signal", signal), code("transport", transport), code("reason", reason))
	if items == 0 {
		i.refused.Add(context.Background(), 1, at)
		return
	}
	i.dropped.Add(context.Background(), int64(items), at)
}

// Stored records bytes written to the window.
func (i *Instruments) Stored(signal string, bytes int) {
	if i != nil {
		i.stored.Add(context.Background(), int64(bytes), metric.WithAttributes(code("signal", signal)))
	}
}

// Model records one request to the model. failure is "" for an answer that could be used, else a word such
// as "timeout", "unreachable" or "invalid".
func (i *Instruments) Model(failure string, took time.Duration, promptTokens, answerTokens int) {
	if i == nil {
		return
	}
	ctx := context.Background()
	operation := attribute.String("gen_ai.operation.name", "chat")
	at := []attribute.KeyValue{operation}
	if failure != "" {
		at = append(at, code("error.type", failure))
	}
	i.modelTime.Record(ctx, took.Seconds(), metric.WithAttributes(at...))
	for kind, n := range map[string]int{"input": promptTokens, "output": answerTokens} {
		if n > 0 {
			i.modelTokens.Record(ctx, int64(n), metric.WithAttributes(operation, attribute.String("gen_ai.token.type", kind)))
		}
	}
}

// GitHubRate records the rate limit as GitHub last stated it.
func (i *Instruments) GitHubRate(resource string, limit, remaining int) {
	if i == nil {
		return
	}
	at := metric.WithAttributes(code("resource", resource))
	i.rateLimit.Record(context.Background(), int64(limit), at)
	i.rateRemaining.Record(context.Background(), int64(remaining), at)
}

// GitHubRetry records that a request is sent again.
func (i *Instruments) GitHubRetry(reason string) {
	if i != nil {
		i.retries.Add(context.Background(), 1, metric.WithAttributes(code("reason", strings.ReplaceAll(reason, " ", "_"))))
	}
}
