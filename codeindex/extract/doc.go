// Package extract turns the source text of one file into facts: symbols, calls, constants, and the
// sites that telemetry shows again (spans, routes, logs, outgoing calls, statements, tests). It must
// not read files nor know what other files say.
//
// Each language has a front end (golang.go, python.go, script.go, java.go) that reports raw calls and
// annotations with their arguments; what a call means (a span, a route, a log line) is decided once
// for all languages in the recognisers (span.go, route.go, log.go, outgoing.go, statement.go), which
// are tables of the names that libraries give to their functions.
//
// Go is read by go/parser: it is part of the toolchain, knows the newest syntax and is several times
// faster than the C grammar. The Go grammar of tree-sitter serves as the independent witness in the
// tests: both must report the same symbols, calls and texts.
package extract
