// Package bundle turns an incident bundle, a directory with an alert, telemetry of the
// incident and of a healthy window, and what was changed before, into the alert's bytes and
// [localize.Evidence]; a [Writer] makes such a directory of telemetry as it comes.
//
// It must not interpret the alert, must not follow symbolic links, must not read more than its
// limits allow, and never opens truth.json, which holds the answer.
package bundle
