// Package workbench composes repository, configuration, sandbox and toolchain into what
// the pipeline asks for: private variants of the repository that are built, tested and
// started behind a fence, a clone that a signed commit is made in, and settings.
//
// It is the one adapter that may import others. It decides nothing about incidents or
// patches, and never touches the user's work tree, index or branches.
package workbench
