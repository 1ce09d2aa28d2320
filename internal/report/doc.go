// Package report turns a case into what people read: the pull request's body as
// Markdown, the whole case as one self-contained HTML page with its pictures, and the
// lines a terminal shows while a case moves.
//
// It decides nothing and reads nothing but the case. Every string of a case may be
// hostile: Markdown gets it escaped and without mentions, HTML through html/template, a
// terminal without control characters.
package report
