// Package shop is a sample system: a small shop of four Go services and one Python service,
// with a git history of its own. It turns reviewable text, the source tree in _source and the
// patches in history, into a normal git repository whose commits are the same byte for byte
// every time.
//
// It knows nothing of remediator, and nothing in remediator may know it: remediator is shown the
// repository this package builds and the telemetry that the harness recorded from it, as it
// is shown any other program.
//
// A scenario is one branch of the history, whose tip is what was deployed, together with a
// fault that the harness in examples/shop/harness can bring about. The history of a
// scenario is listed in history/scenarios as a series, as quilt does: each line names a patch, or
// a directory of patches that are taken in the order of their names. Patches are as git
// format-patch writes them. A patch whose message carries "Golden-Set: service/name.json" also
// adds that golden trace set from testdata/golden-traces under golden/.
package shop
