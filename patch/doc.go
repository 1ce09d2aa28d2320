// Package patch turns suspects and the code they point to into a Plan, the ladder of
// options cheapest first, and an Option of it into a Patch: whole-file edits, the unified
// diff of them, the flag that guards them and the tests that prove them.
//
// Ladder asks every Recipe about every suspect and orders what they offer. Draft lets a
// recipe write its patch and then judges it as a stranger's: paths that stay inside the
// repository, no symbolic links, edits that change something and start from the content
// of the base, sources that still parse, Go that gofmt would leave alone. Diff computes
// the text that people, git and the policy read. Apply writes a patch into a directory;
// Without derives a smaller one, such as the tests alone for the run that has to be red.
//
// The package must not touch git, the network, the environment or a clock, and writes
// files only in Apply. Recipes live in packages below it, one per language.
package patch
