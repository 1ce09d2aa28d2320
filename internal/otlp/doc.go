// Package otlp turns telemetry that programs send by OTLP (gRPC and HTTP) into the evidence of an incident.
//
// [Receiver] takes exports, bounded in size, number and time, and keeps what is plausible in a [Log]: the
// rolling window, which several processes share and which outlives them. A request is answered when
// it stands there and not before; requests that wait at the same time share one write. [Window] draws on the
// log: the telemetry around an alert and a healthy baseline before it, as [localize.Evidence], and as
// files where somebody wants to run the case again.
//
// Everything that arrives is hostile: nothing is decoded before its size and nesting are known, and
// no text of it is written to a log, a metric or an answer. The package must not judge what is wrong (it only
// looks for when something began), must not keep telemetry beyond the log, and knows the queue and the bundle's
// files only through the interfaces it declares.
package otlp
