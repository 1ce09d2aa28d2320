// Package telemetry turns what tracing systems, loggers and profilers write into normalised spans, logs, metric
// series and profiles that speak one vocabulary: the current semantic conventions of OpenTelemetry, whatever vintage the
// sender used.
//
// A [Reader] takes decoded OTLP data ([Reader.AddTraces], [Reader.AddLogs],
// [Reader.AddMetrics]), profiles in pprof's format ([Reader.AddProfile]) or whole files ([Reader.Read]) and hands back a
// [Dataset]. Read tells the format from the content (format.go, document.go):
//
//   - OTLP: JSON by line, as a document of any layout or a list of them, protobuf alone or behind lengths, as the
//     collector's file exporter writes it with and without compression;
//   - Jaeger: JSON of the API and the user interface, of API v3, and of Elasticsearch (jaeger.go);
//   - Zipkin v2 JSON (zipkin.go), and Tempo's forms of OTLP.
//
// All of them become pdata and go the same way from there. On it the package
//
//   - renames attributes and values by one table (semconv.go),
//   - concludes span kind and status where they are absent, and marks what it concluded
//     (infer.go),
//   - drops repeated spans (dedupe.go), takes apart the spans that a client and a server of Zipkin shared (shared.go), and leaves
//     out records outside any plausible time (bounds.go),
//   - moves the clocks of processes that disagree with their callers (skew.go),
//   - takes trace ids out of the text and the attributes of log records (textids.go),
//   - bounds every size, since all of it is hostile input.
//
// Whatever was repaired, inferred or left out is said in Dataset.Notes. [GroupTraces] builds
// the span trees, [Correlate] ties log records to spans by ids, by correlation ids (correlation.go) or by time,
// [Span.Signature] names a span without any id in the name (route.go).
//
// The package must not know what an incident is, must not judge what is slow or wrong, and
// must not do I/O beyond the reader it is handed.
package telemetry
