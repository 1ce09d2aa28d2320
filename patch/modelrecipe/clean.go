package modelrecipe

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestLine bounds a line of data; a longer one is left out as a whole.
const longestLine = 600

// visible replaces everything that a reader cannot see or that changes the order in which he sees it by what it is:
// control and format characters (bidirectional overrides, joiners, tags, soft hyphens), private and unassigned code points,
// invalid bytes. Line ends become line feeds.
func visible(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	if !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if hidden(r) {
			fmt.Fprintf(&b, "[U+%04X]", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t' || r >= ' ' && r <= '~':
		return false
	case r == '\u2028' || r == '\u2029' || r == '\u3164' || r == '\uFFA0' || r == '\u115F' || r == '\u1160' || r == '\u2800':
		return true // line ends that are none, letters that show nothing
	case r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF:
		return true // variation selectors, which can carry text
	}
	return !unicode.IsGraphic(r) || r != ' ' && unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs)
}

// without drops hidden characters, so that nothing that was split by them escapes the rules of redaction.
func without(s string) string {
	return strings.Map(func(r rune) rune {
		if hidden(r) {
			return -1
		}
		return r
	}, s)
}

// shown is a text as it may stand in a prompt: visible, redacted, and without lines that are too long.
func (s *session) shown(text string) string {
	// What hidden characters divide is looked at joined: a secret must not escape the rules by being split.
	joined := without(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"))
	text = visible(text)
	if s.redact != nil {
		if red := s.redact(joined); red != joined {
			text = red
		}
		text = s.redact(text)
	}
	text = strings.TrimRight(text, "\n")
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > longestLine {
			line = fmt.Sprintf("[a line of %d bytes left out]", len(line))
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}
