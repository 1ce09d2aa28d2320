//go:build !cgo

package treesitter

import "time"

// Available says whether this build can parse at all.
const Available = false

// Parser parses nothing in a build without cgo.
type Parser struct {
	// Limit is not used.
	Limit time.Duration
	// Closed is not used.
	Closed map[Grammar][]string
}

// Parse returns ErrUnavailable.
func (*Parser) Parse(Grammar, []byte) (*Tree, error) { return nil, ErrUnavailable }
