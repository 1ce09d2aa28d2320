// Package flags reads feature flags from a file in flagd's format. Only boolean flags
// without targeting are understood; anything else is off.
package flags

import (
	"encoding/json"
	"fmt"
	"os"
)

// Set is the flags of one deployment.
type Set struct {
	values map[string]bool
}

type document struct {
	Flags map[string]struct {
		State          string          `json:"state"`
		Variants       map[string]bool `json:"variants"`
		DefaultVariant string          `json:"defaultVariant"`
	} `json:"flags"`
}

// Load reads the file.
func Load(path string) (Set, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Set{}, fmt.Errorf("read flags: %w", err)
	}
	return parse(raw)
}

func parse(raw []byte) (Set, error) {
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Set{}, fmt.Errorf("flags: %w", err)
	}
	set := Set{values: make(map[string]bool, len(doc.Flags))}
	for name, flag := range doc.Flags {
		set.values[name] = flag.State == "ENABLED" && flag.Variants[flag.DefaultVariant]
	}
	return set, nil
}

// On says whether the flag is on. A flag that is not there is off.
func (s Set) On(name string) bool { return s.values[name] }
