package telemetry

import "strings"

// idMark stands for a part of a name that identifies one thing.
const idMark = "{id}"

// NormalRoute masks the segments of a path that identify one thing: numbers, UUIDs,
// hashes and other mixed tokens, so that requests for different things share a route. The
// query and fragment are cut off.
func NormalRoute(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if !hasDigit(path) {
		return path
	}
	return maskParts(path, "/")
}

// NormalName masks the parts of a span name that identify one thing. Words that merely
// carry a version or an ordinal ("v2", "s3", "oauth2") stay.
func NormalName(name string) string {
	if !hasDigit(name) {
		return name
	}
	if i := strings.IndexByte(name, '?'); i >= 0 && strings.Contains(name[:i], "/") {
		name = name[:i]
	}
	return maskParts(name, "/ :,;()[]\"'=")
}

// maskParts rewrites the parts of s between any of the separators.
func maskParts(s, separators string) string {
	var b strings.Builder
	b.Grow(len(s))
	start, changed := 0, false
	flush := func(end int) {
		if part := s[start:end]; isID(part) {
			b.WriteString(idMark)
			changed = true
		} else {
			b.WriteString(part)
		}
	}
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(separators, s[i]) >= 0 {
			flush(i)
			b.WriteByte(s[i])
			start = i + 1
		}
	}
	flush(len(s))
	if !changed {
		return s
	}
	return b.String()
}

func hasDigit(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= '0' && s[i] <= '9' {
			return true
		}
	}
	return false
}

// isID says whether a token identifies one thing: it is a number (also signed, dotted or
// dashed, as dates and addresses are), a UUID, a long hexadecimal string, or a long mix of
// letters and digits in which digits are frequent or change places with letters often.
func isID(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	var digits, letters, hex, turns, other int
	last := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		var class byte
		switch {
		case c >= '0' && c <= '9':
			digits++
			hex++
			class = 'd'
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			letters++
			hex++
			class = 'l'
		case c >= 'g' && c <= 'z' || c >= 'G' && c <= 'Z':
			letters++
			class = 'l'
		case c == '-' || c == '.' || c == '_' || c == '+' || c == '~' || c == '%':
			other++
			class = last
		default:
			return false
		}
		if last != 0 && class != last {
			turns++
		}
		last = class
	}
	switch {
	case digits == 0:
		return false
	case letters == 0:
		return true
	case hex == digits+letters && hex >= 8:
		return true // UUIDs, hashes, object ids
	case digits+letters >= 8 && digits >= 4 && (turns >= 3 || 2*digits >= digits+letters):
		return true // order-20231104, 7f3kQ9x2
	}
	return false
}
