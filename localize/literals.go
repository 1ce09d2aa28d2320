package localize

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// valueChange is a literal that changed.
type valueChange struct {
	line     string
	from, to string
	words    []string
}

// findValues pairs removed with added lines that differ in literals only.
func (d *diffFacts) findValues() {
	byShape := map[string][]string{}
	for _, l := range d.removed {
		shape, _ := literalShape(l)
		byShape[shape] = append(byShape[shape], l)
	}
	for _, l := range d.added {
		shape, to := literalShape(l)
		old := byShape[shape]
		if len(old) == 0 {
			continue
		}
		_, from := literalShape(old[0])
		byShape[shape] = old[1:]
		if slices.Equal(from, to) || len(from) != len(to) {
			continue
		}
		for i := range from {
			if from[i] == to[i] {
				continue
			}
			var words []string
			for _, t := range tokens(l) {
				for _, w := range nameWords(t) {
					words = append(words, stem(w))
				}
			}
			d.values = append(d.values, valueChange{line: l, from: from[i], to: to[i], words: words})
		}
	}
}

// literalShape replaces the literals of a line: numbers with their units, quoted strings,
// and the value behind a key of a configuration file.
func literalShape(l string) (shape string, literals []string) {
	if k, v, ok := configLine(l); ok {
		return k + ":", []string{v}
	}
	var b strings.Builder
	for i := 0; i < len(l); {
		c := l[i]
		switch {
		case c == '"' || c == '\'' || c == '`':
			j := i + 1
			for j < len(l) && l[j] != c {
				j++
			}
			j = min(j+1, len(l))
			literals = append(literals, l[i:j])
			b.WriteByte('$')
			i = j
		case c >= '0' && c <= '9' && (i == 0 || !isWordByte(l[i-1])):
			j := i
			for j < len(l) && (isWordByte(l[j]) || l[j] == '.') {
				j++
			}
			literals = append(literals, l[i:j])
			b.WriteByte('#')
			i = j
		case strings.HasPrefix(l[i:], "time.") && i+5 < len(l):
			j := i + 5
			for j < len(l) && isWordByte(l[j]) {
				j++
			}
			literals = append(literals, l[i:j])
			b.WriteByte('U')
			i = j
		case strings.HasPrefix(l[i:], "true") || strings.HasPrefix(l[i:], "True"):
			literals = append(literals, "true")
			b.WriteByte('B')
			i += 4
		case strings.HasPrefix(l[i:], "false") || strings.HasPrefix(l[i:], "False"):
			literals = append(literals, "false")
			b.WriteByte('B')
			i += 5
		case c == ' ' || c == '\t':
			i++
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), literals
}

// configLine splits "key: value" and "KEY=value".
func configLine(l string) (key, value string, ok bool) {
	i := strings.IndexAny(l, ":=")
	if i <= 0 || i == len(l)-1 || strings.ContainsAny(l[:i], " (){}<>\"'\t") || strings.HasPrefix(l[i:], ":=") || strings.HasPrefix(l[i:], "==") {
		return "", "", false
	}
	v := strings.TrimSpace(strings.TrimRight(l[i+1:], ",;"))
	if v == "" || strings.ContainsAny(v, "(){}*") {
		return "", "", false
	}
	return l[:i], v, true
}

// largestRatio is the natural logarithm of the largest factor by which a number changed.
func (d *diffFacts) largestRatio() float64 {
	best := 0.0
	for _, v := range d.values {
		a, okA := leadingNumber(v.from)
		b, okB := leadingNumber(v.to)
		switch {
		case okA && okB && a > 0 && b > 0:
			best = max(best, math.Abs(math.Log(a/b)))
		default:
			best = max(best, 1)
		}
	}
	return best
}

// loosened says that nothing changed but that more is allowed, by no more than a factor of four: a limit, a pool, the
// patience for an answer. Having less of it can starve what works; a little more hardly harms.
func (d *diffFacts) loosened() bool {
	const mostTimes = 4
	for _, v := range d.values {
		from, okFrom := leadingNumber(v.from)
		to, okTo := leadingNumber(v.to)
		if !okFrom || !okTo || from <= 0 || to <= from || to > mostTimes*from || !isAllowance(v.words) {
			return false
		}
	}
	return len(d.values) > 0
}

// isAllowance says that the words of a line speak of how much is allowed. How long something may lie idle, or how
// little must be there, is none.
func isAllowance(words []string) bool {
	allows := false
	for _, w := range words {
		switch w {
		case "max", "maximum", "limit", "pool", "conn", "connection", "capacity", "quota", "timeout", "deadline", "worker", "replica", "thread", "memory", "cpu", "buffer", "budget":
			allows = true
		case "idle", "min", "minimum":
			return false
		}
	}
	return allows
}

// leadingNumber reads the number at the start of a literal; units of time are applied.
func leadingNumber(s string) (float64, bool) {
	s = strings.Trim(s, "\"'`")
	if u, ok := timeUnits[strings.TrimPrefix(s, "time.")]; ok {
		return u, true
	}
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	n, err := strconv.ParseFloat(s[:i], 64)
	if err != nil {
		return 0, false
	}
	if u, ok := timeUnits[strings.ToLower(strings.TrimSpace(s[i:]))]; ok {
		n *= u
	}
	return n, true
}

// timeUnits are the units of durations in seconds.
var timeUnits = map[string]float64{"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400,
	"Nanosecond": 1e-9, "Microsecond": 1e-6, "Millisecond": 1e-3, "Second": 1, "Minute": 60, "Hour": 3600}

// stem reduces a word to what its forms share; it is deliberately weak.
func stem(w string) string {
	switch {
	case len(w) > 5 && strings.HasSuffix(w, "ies"):
		return w[:len(w)-3] + "y"
	case len(w) > 6 && strings.HasSuffix(w, "ing"):
		return strings.TrimSuffix(w, "ing")
	case len(w) > 5 && strings.HasSuffix(w, "ed"):
		return strings.TrimSuffix(w, "ed")
	case len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss"):
		return w[:len(w)-1]
	}
	return w
}
