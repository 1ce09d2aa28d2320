// Package web turns the records of the service into a JSON API under /api/v1 and into pages that
// people read and decide on, and what people ask for there into [docket.Action].
//
// Who may do what is decided here: by a token's role, or by the address the service is bound to.
// What an action means is decided by the docket, never here. Every string of a record may be hostile:
// pages get it through html/template and without control characters, the API as JSON.
// The package must not write records itself, keep a token or its plain text anywhere, nor load
// anything from another host into a page.
package web
