// Package incidents holds the incidents recorded from the sample shop, so that the demo runs
// from the binary alone. Each directory is an incident bundle.
package incidents

import "embed"

// FS has one directory per incident.
//
//go:embed *
var FS embed.FS
