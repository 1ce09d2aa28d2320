package replay

import (
	"fmt"
	"time"
)

// String formats the duration as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the duration as in Go source: "1.5ms".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("not a duration: %q (write it as in \"250ms\" or \"1.5s\")", clip(string(text), 40))
	}
	*d = Duration(v)
	return nil
}

// clip shortens text that may be hostile or long for use in a message.
func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	cut := max
	for cut > 0 && s[cut]&0xc0 == 0x80 { // never inside a rune
		cut--
	}
	return s[:cut] + "…"
}
