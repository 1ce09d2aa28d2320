// Package dockettest has what tests of the service stand on: [Memory], which keeps everything
// that package docket needs kept; [Forge], [Runner] and [Notifier] that record what was asked of
// them; and [Process], through which they are used so that a test can kill the user at any step.
//
// All of it is deterministic under a [Clock] that only the test moves. It must not be used
// outside tests: nothing here survives the process.
package dockettest
