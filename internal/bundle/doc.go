// Package bundle turns an incident bundle, a directory with an alert, telemetry of the
// incident and of a healthy window, and what was changed before, into the alert's bytes and
// [localize.Evidence]; a [Writer] makes such a directory of telemetry as it comes.
//
// Telemetry of a window lies in files named <signal>[-<anything>].{jsonl,json,pb}[.gz|.zst], where signal is traces, logs
// or metrics; what format a file has is told from its content (see package telemetry). Profiles lie in
// [profiles/]<service>[.<type>[.<anything>]].{pb,pprof}[.gz|.zst].
//
// It must not interpret the alert, must not follow symbolic links, must not read more than its
// limits allow, and never opens truth.json, which holds the answer.
package bundle
