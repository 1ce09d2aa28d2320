// Package codeindex turns a repository tree at one commit into an Index of its symbols, span names,
// routes, log statements, outgoing calls, statements, tests and calls; and leads from telemetry
// (a span name, a stack frame, a log line, a route, a statement) into Locations: file, line and
// function, with a confidence and the reason. It must not know about incidents, must not run
// anything of the repository, and must not write outside of the cache directory it is given.
//
// How it works, from the bottom up:
//
//   - treesitter turns source into a flat syntax tree (the only package that needs a C compiler);
//   - facts is what one file says, the same for every language, as a struct and as bytes;
//   - extract turns source into facts: a front end per language, and recognisers for the libraries
//     that start spans, register routes, write logs, call services;
//   - Build walks the tree (walk.go says what it leaves out) and extracts every file, in parallel;
//     what is unchanged since the cache or the previous index is not parsed again;
//   - Locate looks for the files whose encoded facts mention a lead, decodes only those, scores
//     every site, follows calls for two steps, and joins the leads;
//   - Find does the same without an index: it searches the sources for the lead's words first and
//     parses only the files that have them.
//
// All of it is deterministic: the same tree and the same leads give the same bytes.
package codeindex
