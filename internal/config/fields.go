package config

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// field is one key that a struct of the configuration knows.
type field struct {
	name     string
	typ      reflect.Type
	required bool
}

// fieldsOf yields the keys of a struct in the order of its declaration, those of an inlined struct among them. The
// tag is the only place that names a key; decoder and schema both read it here.
func fieldsOf(t reflect.Type) iter.Seq[field] {
	return func(yield func(field) bool) {
		for i := range t.NumField() {
			f := t.Field(i)
			name, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name == "" && rest == "inline" {
				for inner := range fieldsOf(f.Type) {
					if !yield(inner) {
						return
					}
				}
				continue
			}
			if name == "" || name == "-" {
				continue
			}
			if !yield(field{name, f.Type, !strings.Contains(rest, "omitempty")}) {
				return
			}
		}
	}
}

func asYAML(err error, target *yaml.Error) bool { return errors.As(err, target) }

// ParseDuration reads a Go duration in which days may stand too, each of 24 hours: "90d", "1d12h".
func ParseDuration(text string) (Duration, error) {
	hours := days.ReplaceAllStringFunc(text, func(part string) string {
		n, _ := strconv.ParseFloat(strings.TrimSuffix(part, "d"), 64)
		return strconv.FormatFloat(n*24, 'f', -1, 64) + "h"
	})
	v, err := time.ParseDuration(hours)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write \"90s\", \"5m\" or \"30d\"", text)
	}
	return Duration(v), nil
}

var days = regexp.MustCompile(`[0-9]{1,6}(\.[0-9]{1,6})?d`)

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// MarshalText writes a duration in the form that UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is whole days as "90d" and everything else as Go writes it.
func (d Duration) String() string {
	const day = Duration(24 * time.Hour)
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return time.Duration(d).String()
}

// units of memory sizes. Decimal and binary prefixes are told apart, as in Kubernetes.
var units = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40},
	{"B", 1},
}

// ParseSize reads an amount of memory such as "2GiB", "512 MiB" or "1.5GB", in bytes.
func ParseSize(text string) (int64, error) {
	number, factor := strings.TrimSpace(text), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(v) || v <= 0 || v*float64(factor) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is not an amount of memory; write \"512MiB\" or \"2GiB\"", text)
	}
	return int64(v * float64(factor)), nil
}
