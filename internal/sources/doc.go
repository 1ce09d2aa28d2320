// Package sources turns the windows around an alert into OTLP data, by asking the servers that hold the
// telemetry: Tempo, Jaeger, Loki and Prometheus, and Kubernetes, Argo CD and git tags for what was rolled out.
//
// Everything a server answers is hostile input: sizes, times and pages are bounded, and what could not be had
// is said in a Report instead of being left out silently. The package must not decide what is wrong, and it
// must not write files: a Sink does.
package sources
