// Package goldentraces holds the golden trace sets of the sample system, as
// "service/name.json". It must hold nothing else.
package goldentraces

import "embed"

// Files are the recorded sets.
//
//go:embed all:*
var Files embed.FS
