// Package alerthook turns HTTP requests of alert senders into checked, durably stored
// alerts: POST /webhooks/alerts/SOURCE is answered 202 once a [Receiver] has the alert, and never
// before.
//
// A request goes through the same steps whatever it is: its body is read within bounds of size and
// time, its credentials are checked in constant time, and only then is anything said that depends on the
// source. A source that does not exist is checked against credentials that nobody has, so that it
// cannot be told from one with other credentials. After that come the source's rate limit, decompression
// and parsing.
//
// It must not decide what becomes of an alert, must not write a body or a credential to a log, and
// keeps nothing of a request that it refused.
package alerthook
