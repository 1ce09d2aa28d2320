// Package docket keeps the cases of a running service: it folds alerts into records, one per
// cause, lets each record's case be worked out by a [Runner], holds what a person has to decide,
// and makes outward effects (a branch, a pull request, a check run, comments, messages) happen
// exactly once.
//
// Everything it knows stands in a [Record], written with compare-and-set before the effect that it
// announces. So any number of processes may share the work and any of them may be killed at any
// time: whoever takes up the task again reads the record, looks for what the effect left outside
// and goes on.
//
// The package knows GitHub, Slack, NATS and HTTP only through the interfaces it declares. It must
// not import an adapter, read a clock that was not passed in, or write anything raw from telemetry
// into a title, branch or label.
package docket
