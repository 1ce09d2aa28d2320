// Package incident turns the bytes of an alert webhook into an [Incident] with a
// fingerprint that stays the same over repeats, reorderings and growing groups.
//
// It does no I/O, keeps no state and trusts nothing: every string of an alert is
// bounded, and none is fit for a title or a branch name. What a later stage needs
// in such places is derived from the fingerprint, which is hexadecimal.
//
// It reads the webhooks of Alertmanager (version 4), Grafana, PagerDuty (V3) and Datadog, and any other JSON
// by a [Mapping]. What makes a fingerprint is said at each of their parsers.
package incident
