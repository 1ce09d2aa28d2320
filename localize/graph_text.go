package localize

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shown makes a string that came from outside fit for a picture: one line, no control or
// formatting characters (which could turn the direction of the text around), no towers of combining marks,
// nothing that XML cannot hold, at most most runes.
func shown(s string, most int) string {
	var b strings.Builder
	n, marks := 0, 0
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			r = ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp), r&0xFFFE == 0xFFFE, r >= 0xFDD0 && r <= 0xFDEF:
			continue
		}
		if unicode.In(r, unicode.Mn, unicode.Me) {
			if marks++; marks > 2 {
				continue
			}
		} else {
			marks = 0
		}
		if n++; n > most {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
	}
	if strings.TrimSpace(b.String()) == "" {
		return "(no name)"
	}
	return b.String()
}

// textWidth estimates the width of a text in ems of a common sans-serif, on the wide side: nobody can
// measure without the reader's fonts.
func textWidth(s string) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case strings.ContainsRune("ijl.,:;|'!()[] /-", r):
			w += 0.36
		case strings.ContainsRune("mwMW@%—…", r):
			w += 0.95
		case r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana), r >= 0x1F000, r >= 0x2190 && r <= 0x2BFF:
			w += 1.1
		case unicode.IsUpper(r), r > 0x7F:
			w += 0.74
		default:
			w += 0.585
		}
	}
	return w
}

// fitted cuts a text to a width in ems.
func fitted(s string, width float64) string {
	if textWidth(s) <= width {
		return s
	}
	width -= textWidth("…")
	w := 0.0
	for i, r := range s {
		if w += textWidth(string(r)); w > width {
			return s[:i] + "…"
		}
	}
	return s
}

// wrapped breaks a name into at most two lines of a width in ems, after a sign that parts words.
func wrapped(s string, width float64) []string {
	if textWidth(s) <= width {
		return []string{s}
	}
	best, w := 0, 0.0
	for i, r := range s {
		if w += textWidth(string(r)); w > width {
			if best == 0 {
				best = i // no place to break
			}
			break
		}
		if strings.ContainsRune("-_./: ", r) {
			best = i + utf8.RuneLen(r)
		}
	}
	return []string{strings.TrimSpace(s[:best]), fitted(strings.TrimSpace(s[best:]), width)}
}

// amount writes a rate or a factor with two or three digits.
func amount(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 0.001:
		return "under 0.001"
	case x < 0.1:
		return fmt.Sprintf("%.1g", x)
	case x < 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
	case x < 10000:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.0fk", x/1000)
}

// share writes a part of a whole for a picture.
func share(x float64) string {
	switch {
	case x <= 0:
		return "0 %"
	case x < 0.001:
		return "below 0.1 %"
	case x < 0.0995:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*x), ".0") + " %"
	}
	return fmt.Sprintf("%.0f %%", 100*x)
}

// took writes a duration in seconds for a picture.
func took(s float64) string {
	switch {
	case s <= 0:
		return "0"
	case s < 0.001:
		return fmt.Sprintf("%.0f µs", s*1e6)
	case s < 0.0995:
		return fmt.Sprintf("%.2g ms", s*1e3)
	case s < 0.9995:
		return fmt.Sprintf("%.0f ms", s*1e3)
	case s < 120:
		return fmt.Sprintf("%.3g s", s)
	}
	return fmt.Sprintf("%.3g min", s/60)
}

// worseErrors says that a failing share rose by an amount that matters.
func worseErrors(s Shift) bool { return s.Incident >= 0.01 && s.Incident > 1.5*s.Baseline }

// fewSeen is how many calls make a tail worth comparing in a picture.
const fewSeen = 5

// addedTime is by how many seconds a time rose, where that matters and enough was seen to say so. Where there
// is nothing healthy to compare with nothing is said.
func addedTime(s, seen Shift) float64 {
	if s.Baseline <= 0 || s.Incident <= 1.5*s.Baseline || seen.Incident < fewSeen || seen.Baseline < fewSeen {
		return 0
	}
	if d := s.Incident - s.Baseline; d > 0.005 {
		return d
	}
	return 0
}

// differs says that the healthy value is worth showing beside the incident's.
func differs(s Shift) bool {
	lo, hi := min(s.Baseline, s.Incident), max(s.Baseline, s.Incident)
	return hi > 1.2*lo && hi > 0
}

// was appends the healthy value where it differs and there is a healthy window at all.
func was(s Shift, compared bool, write func(float64) string) string {
	text := write(s.Incident)
	if compared && differs(s) {
		text += " (was " + write(s.Baseline) + ")"
	}
	return text
}

// compared says that the graph has a healthy window.
func (g *Graph) compared() bool {
	for i := range g.Nodes {
		if g.Nodes[i].Requests.Baseline > 0 {
			return true
		}
	}
	return false
}

// plural writes a number of things.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
