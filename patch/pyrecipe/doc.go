// Package pyrecipe mends Python: it turns an option for a suspect's code into byte-range edits
// of the file, found through its syntax tree, with a flag around the new behaviour and a generated
// test beside the existing ones.
//
// Recipes: py-none-guard (a None that is dereferenced), py-retry-backoff (retries without growing gaps),
// py-call-deadline (an outgoing call without time-out), py-pool-size (a pool that is too small). With the flag
// off each leaves the old behaviour: the guarded condition is false and the old expression is
// evaluated as it was. A recipe that finds no safe rewrite in the code itself says what a person has to
// decide; it never invents a default and never skips a check.
//
// The package must not run Python, look at anything but the base, or reformat what it does not change.
package pyrecipe
