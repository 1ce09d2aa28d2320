package replay

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// noiseRule is a parsed Noise.
type noiseRule struct {
	at      pointer
	rule    string
	pattern *regexp.Regexp
}

// noiseIndex holds the rules of one case by target.
type noiseIndex map[string][]noiseRule

func newNoiseIndex(noise []Noise) noiseIndex {
	idx := noiseIndex{}
	for _, n := range noise {
		at, err := parsePointer(n.Pointer)
		if err != nil {
			continue // refused when the set was read
		}
		r := noiseRule{at: at, rule: n.Rule}
		if n.Rule == "regex" {
			if r.pattern, err = regexp.Compile(`^(?:` + n.Pattern + `)$`); err != nil {
				continue
			}
		}
		idx[n.Target] = append(idx[n.Target], r)
	}
	return idx
}

// at returns the rules that cover a place.
func (idx noiseIndex) at(target string, place []string) []noiseRule {
	rules := idx[target]
	if len(rules) == 0 {
		return nil
	}
	var out []noiseRule
	for _, r := range rules {
		if r.at.matches(place) {
			out = append(out, r)
		}
	}
	return out
}

// aliases is a one-to-one renaming of recorded values into replayed ones, built up while
// the exchanges of one replay are compared.
type aliases struct {
	to   map[string]string
	from map[string]string
}

func newAliases() *aliases {
	return &aliases{to: map[string]string{}, from: map[string]string{}}
}

// same reports whether the pair is consistent with every pair seen so far, and remembers it.
func (a *aliases) same(recorded, replayed string) bool {
	to, bound := a.to[recorded]
	from, taken := a.from[replayed]
	if !bound && !taken {
		a.to[recorded], a.from[replayed] = replayed, recorded
		return true
	}
	return bound && taken && to == replayed && from == recorded
}

// tolerates reports whether the rule lets the replayed value pass for the recorded one. The
// rules ignore and unordered are handled where structure is known.
func (r *noiseRule) tolerates(recorded, replayed any, names *aliases) bool {
	switch r.rule {
	case "ignore":
		return true
	case "presence":
		return typeName(recorded) == typeName(replayed)
	case "uuid":
		s, ok := replayed.(string)
		return ok && isUUID(s)
	case "timestamp":
		return isTimestamp(replayed) && typeName(recorded) == typeName(replayed)
	case "numeric":
		return isNumeric(replayed) && typeName(recorded) == typeName(replayed)
	case "regex":
		s, ok := leafText(replayed)
		return ok && r.pattern.MatchString(s)
	case "alias":
		a, okA := leafText(recorded)
		b, okB := leafText(replayed)
		if !okA || !okB || typeName(recorded) != typeName(replayed) || isUUID(a) != isUUID(b) {
			return false
		}
		return names.same(a, b)
	}
	return false
}

func leafText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}

var timestampLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.RFC1123, time.RFC1123Z, time.RFC850, time.ANSIC, "2006-01-02"}

// isTimestamp accepts the usual layouts and Unix times between 2000 and 2100 in seconds,
// milliseconds, microseconds or nanoseconds.
func isTimestamp(v any) bool {
	switch v := v.(type) {
	case string:
		if len(v) < 8 || len(v) > 40 {
			return false
		}
		for _, layout := range timestampLayouts {
			if _, err := time.Parse(layout, v); err == nil {
				return true
			}
		}
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil {
			return false
		}
		for range 4 {
			if f >= 946684800 && f < 4102444800 {
				return true
			}
			f /= 1000
		}
	}
	return false
}

func isNumeric(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return true
	case string:
		// What a build prints when its arithmetic fails (NaN, Inf) is not another value of the number.
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return false
}

// show renders a value for a person, short.
func show(v any) string {
	raw, err := canonicalJSON(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return clip(string(raw), 200)
}
