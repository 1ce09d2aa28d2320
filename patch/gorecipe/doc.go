// Package gorecipe mends Go code: it turns a suspect with a shape of failure, and the place in
// the code it points to, into edits behind a flag, together with a test that is red on the base.
//
//   - go-retry-backoff makes a retry loop wait, longer each time and with jitter;
//   - go-call-deadline gives an outgoing call a deadline;
//   - go-nil-guard leaves a function by its own failure path, or skips an optional step, where a nil
//     value would panic;
//   - go-pool-size widens a pool or a limit that is a literal in the source.
//
// A recipe reads syntax trees only. It needs neither the sources of imported modules nor a Go
// installation, and where the tree does not tell it declines rather than guesses. Edits are byte ranges of the
// file, so that untouched lines stay what they were. With the flag off the code does what it did
// before, spans included; the flag is read at each call, so that a test can switch it.
//
// The generated tests call the function that was changed, or one that leads to it, with arguments made up
// from their types: an HTTP server that sheds load or hangs, stubs for interfaces, zero values for
// the rest. They compile on the base and fail there by what they observe. Where no such call can be made up
// the test is one of the new helper alone, and the patch says so.
//
// The package must not run anything, and must not widen what a program accepts.
package gorecipe

import "github.com/remediator/remediator/patch"

// Recipes returns the recipes of this package, in the order in which they are to be preferred.
func Recipes() []patch.Recipe {
	return []patch.Recipe{NewRetryBackoff(), NewCallDeadline(), NewNilGuard(), NewPoolSize()}
}
