// Package telemetry turns OpenTelemetry payloads into normalised spans, logs and metric
// series that speak one vocabulary: the current semantic conventions, whatever vintage the
// sender used.
//
// A [Reader] takes decoded OTLP data ([Reader.AddTraces], [Reader.AddLogs],
// [Reader.AddMetrics]) or OTLP/JSON lines ([Reader.ReadLines]) and hands back a [Dataset]. On
// the way it
//
//   - renames attributes by one table (semconv.go),
//   - concludes span kind and status where they are absent, and marks what it concluded
//     (infer.go),
//   - drops repeated spans (dedupe.go) and records outside any plausible time (bounds.go),
//   - moves the clocks of processes that disagree with their callers (skew.go),
//   - bounds every size, since all of it is hostile input.
//
// Whatever was repaired, inferred or left out is said in Dataset.Notes. [GroupTraces] builds
// the span trees, [Correlate] ties log records to spans, [Span.Signature] names a span
// without any id in the name.
//
// The package must not know what an incident is, must not judge what is slow or wrong, and
// must not do I/O beyond the reader it is handed.
package telemetry
