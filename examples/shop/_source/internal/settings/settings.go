// Package settings reads the services' configuration files.
package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Duration is written in files as in Go: "250ms", "2s".
type Duration time.Duration

// UnmarshalJSON reads the text form.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("a duration is a string such as \"250ms\": %w", err)
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	if v <= 0 {
		return fmt.Errorf("duration %s is not positive", text)
	}
	*d = Duration(v)
	return nil
}

// Load reads the JSON file into v; fields that v does not know are an error, so that a
// misspelt setting is noticed at the start and not in production.
func Load(path string, v any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("settings %s: %w", path, err)
	}
	return nil
}
