// Package slack tells people in a Slack channel what became of a case and takes their decision: it
// turns a [docket.Record] into one message that is updated in place, and a signed request of Slack
// into a [docket.Action].
//
// It decides nothing about a case and keeps nothing: where a message stands is the caller's to store.
// Text of a record is hostile and is sent as plain text, in which Slack finds neither links nor
// mentions. The package must not call any address that a request names.
package slack
