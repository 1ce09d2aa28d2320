// Package incidents holds the incident bundles that were recorded from the sample system, one
// directory each. It must hold nothing else.
package incidents

import "embed"

// Files are the bundles.
//
//go:embed all:*
var Files embed.FS
