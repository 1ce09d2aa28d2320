package incident

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// plausible says whether a time can be that of an incident. Times near the ends of what a year may be
// cannot be written as JSON once they are moved to UTC.
func plausible(t time.Time) bool { return t.Year() >= 1980 && t.Year() < 2200 }

// layouts are the ways to write a time that are seen in webhooks beside numbers. Without a zone UTC is meant.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999 MST", "2006-01-02 15:04:05.999999999", time.RFC1123Z, time.RFC1123}

// moment reads a time out of a decoded JSON value: RFC 3339 and its relatives, or a Unix time in seconds,
// milliseconds, microseconds or nanoseconds, told apart by size. Zero and "" are no time and no error.
func moment(v any) (time.Time, error) {
	written := strings.TrimSpace(text(v))
	if n, ok := v.(json.Number); ok {
		written = n.String()
	}
	if written == "" || written == "0" {
		return time.Time{}, nil
	}
	var t time.Time
	if n, err := strconv.ParseFloat(written, 64); err == nil && !strings.ContainsAny(written, "xXpP_nN") {
		t = unixTime(written, n)
	} else {
		for _, layout := range layouts {
			if parsed, err := time.Parse(layout, written); err == nil {
				t = parsed
				break
			}
		}
	}
	if strings.HasPrefix(written, "0001-01-01") {
		return time.Time{}, nil // how Go writes no time
	}
	if !plausible(t) {
		return time.Time{}, fmt.Errorf("%q is not a time: send RFC 3339 or a Unix time", clip(written, 40))
	}
	return t.UTC(), nil
}

// unixTime tells the unit by size: in seconds the borders lie in the year 5138, in milliseconds in 1973.
func unixTime(written string, n float64) time.Time {
	switch {
	case math.IsNaN(n) || n < 0 || n >= 1e20:
		return time.Time{}
	case n < 1e11:
		if whole, err := strconv.ParseInt(written, 10, 64); err == nil {
			return time.Unix(whole, 0)
		}
		seconds, fraction := math.Modf(n)
		return time.Unix(int64(seconds), int64(fraction*1e9))
	case n < 1e14:
		return time.UnixMilli(int64(n))
	case n < 1e17:
		return time.UnixMicro(int64(n))
	}
	return time.Unix(0, int64(min(n, 9e18)))
}
