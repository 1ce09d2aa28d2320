package telemetry

import "strings"

// idMark stands for a part of a name that identifies one thing.
const idMark = "{id}"

// NormalRoute masks the segments of a path that identify one thing: numbers, UUIDs, hashes, dates, e-mail addresses and
// other mixed tokens, so that requests for different things share a route. The
// query, the fragment and matrix parameters (/orders;page=2) are cut off; versions (/v1) stay.
func NormalRoute(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if plainWords(path) {
		return path
	}
	var b strings.Builder
	b.Grow(len(path))
	for i, segment := range strings.Split(path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		segment, _, _ = strings.Cut(segment, ";")
		if isTimestamp(segment) {
			b.WriteString(idMark)
		} else {
			b.WriteString(maskParts(segment, ":,()='!*$&"))
		}
	}
	return b.String()
}

// NormalName masks the parts of a span name that identify one thing. Words that merely
// carry a version or an ordinal ("v2", "s3", "oauth2") stay.
func NormalName(name string) string {
	if plainWords(name) {
		return name
	}
	if i := strings.IndexByte(name, '?'); i >= 0 && strings.Contains(name[:i], "/") {
		name = name[:i]
	}
	return maskParts(name, "/ :,;()[]\"'=")
}

// plainWords says that there is nothing in s that could identify one thing: most names pass with this one look.
func plainWords(s string) bool {
	run, hex := 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9', c == '@', c == ';':
			return false
		case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			run++
			hex++
		case c >= 'g' && c <= 'z', c >= 'G' && c <= 'Z', c == '_', c == '-', c == '.', c >= 0x80:
			run++
			hex = 0
		default:
			run, hex = 0, 0
		}
		if run >= longToken || hex >= hexToken {
			return false
		}
	}
	return true
}

// maskParts rewrites the parts of s between any of the separators.
func maskParts(s, separators string) string {
	var b strings.Builder
	b.Grow(len(s))
	start, changed := 0, false
	flush := func(end int) {
		part := s[start:end]
		// What identifies a file may have a type: 42.json.
		if dot := strings.LastIndexByte(part, '.'); dot > 0 && isExtension(part[dot+1:]) && !strings.ContainsAny(part, "@%") && isID(part[:dot]) {
			b.WriteString(idMark)
			b.WriteString(part[dot:])
			changed = true
			return
		}
		if isID(part) {
			part, changed = idMark, true
		}
		b.WriteString(part)
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

func isExtension(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 5
}

// isTimestamp says that s is a date with or without a time, in ISO 8601's extended form.
func isTimestamp(s string) bool {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && strings.IndexByte("-:.+TZtz", c) < 0 {
			return false
		}
	}
	return true
}

// isVersion says that s is an interface's version: v1, v1.2, v2beta1, v20240131.
func isVersion(s string) bool {
	if len(s) < 2 || s[0] != 'v' && s[0] != 'V' {
		return false
	}
	i := 1
	for digits := 0; i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' && digits > 0); i++ {
		if digits++; digits > 9 {
			return false
		}
	}
	if i == 1 {
		return false
	}
	rest := strings.ToLower(s[i:])
	for _, stage := range [...]string{"alpha", "beta", "rc", "pre", "preview"} {
		if tail, ok := strings.CutPrefix(rest, stage); ok && len(tail) <= 2 {
			rest = strings.Trim(tail, "0123456789")
			break
		}
	}
	return rest == ""
}

const (
	// hexToken is the length from which letters of hexadecimal digits alone are no word.
	hexToken = 8
	// longToken is the length from which a token without digits may be a random one.
	longToken = 20
	// hugeToken is the length beyond which nothing is a word.
	hugeToken = 256
)

// isID says whether a token identifies one thing: it is a number (also signed, dotted or
// dashed, as dates and addresses are), a UUID, a hexadecimal string, a word with a long number, an e-mail address, a
// mix of letters and digits that change places often, or a long token of mixed cases that is made of no words.
func isID(s string) bool {
	if s == "" || isVersion(s) {
		return false
	}
	var digits, letters, hex, turns, other, vowels, words int
	var tail, upper, lower int // digits at the end; letters of each case
	last := byte(0)            // class of the last digit or letter
	before := byte(0)          // the character before
	at := -1
	for i := 0; i < len(s); i++ {
		c := s[i]
		var class byte
		switch {
		case c >= '0' && c <= '9':
			digits++
			hex++
			tail++
			class = 'd'
		case c >= 'a' && c <= 'z' || c >= 0x80:
			letters++
			lower++
			class = 'l'
		case c >= 'A' && c <= 'Z':
			letters++
			upper++
			class = 'l'
		case c == '-' || c == '.' || c == '_' || c == '+' || c == '~' || c == '%':
			other++
			class = last
		case c == '@':
			at = i
			other++
			class = last
		default: // a template, an expression
			return len(s) > hugeToken && c != '{' && c != '}'
		}
		switch c | 0x20 {
		case 'a', 'e':
			vowels++
			hex++
		case 'i', 'o', 'u':
			vowels++
		case 'b', 'c', 'd', 'f':
			hex++
		}
		if c < '0' || c > '9' {
			tail = 0
		}
		if last != 0 && class != last {
			turns++
		}
		// A word begins with a capital behind a small letter, or with a letter behind anything else.
		if isLetter(c) && (!isLetter(before) || c < 'a' && before >= 'a') {
			words++
		}
		last, before = class, c
	}
	n := digits + letters
	switch {
	case len(s) > hugeToken:
		return true
	case at > 0 && strings.IndexByte(s[at:], '.') > 1, strings.Contains(s, "%40"):
		return true // an e-mail address
	case n == 0:
		return false
	case letters == 0:
		return true
	case hex == n && other == 0 && n >= hexToken:
		return true // hashes, object ids
	case digits > 0 && hex == n && (n >= hexToken || n >= 6 && turns >= 3):
		return true // UUIDs, short hashes
	case digits >= 4 && n >= 8 && (turns >= 3 || 2*digits >= n):
		return true // order-20231104, 7f3kQ9x2
	case tail >= 5 || tail >= 3 && separated(s, tail):
		return true // user12345, INV-0042
	case digits >= 3 && n >= 16 && (turns >= 3 || upper > 0 && lower > 0):
		return true // base64, ULIDs
	case n >= longToken && digits > 0 && lower == 0 && other == 0:
		return true // ULIDs that happen to have few digits
	case n >= longToken && upper > 0 && lower > 0 && (10*words > 3*n || 5*vowels < letters):
		return true // base64 with few digits: humps shorter than words, hardly a vowel
	}
	return false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// separated says that a separator stands before the number at the end.
func separated(s string, tail int) bool {
	i := len(s) - tail - 1
	return i >= 0 && (s[i] == '-' || s[i] == '_' || s[i] == '.')
}
