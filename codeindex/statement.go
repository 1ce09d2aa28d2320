package codeindex

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

func isVerb(s string) bool {
	switch strings.ToUpper(s) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE":
		return true
	}
	return false
}

func hasWord(s, w string) bool {
	for at := 0; w != ""; {
		i := strings.Index(s[at:], w)
		if i < 0 {
			return false
		}
		i += at
		before := i == 0 || !letter(s[i-1])
		after := i+len(w) == len(s) || !letter(s[i+len(w)])
		if before && after {
			return true
		}
		at = i + 1
	}
	return false
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// statementHits explains a database statement.
func (x *Index) statementHits(statement string) []hit {
	if len(statement) > maxLead {
		statement = statement[:maxLead]
	}
	want := normalStatement(statement)
	if want == "" {
		return nil
	}
	var out []hit
	x.eachSite(facts.Statement, nil, func(entry int, f *facts.File, s *facts.Site) {
		text := x.resolve(entry, s.Text)
		got := normalStatement(text)
		score, how := 0.0, ""
		switch {
		case got == want:
			score, how = 0.95, "database statement"
		case agree(strings.ReplaceAll(got, "?", facts.Hole), want) > 0.8:
			score, how = 0.85, "database statement with values filled in"
		default:
			share := overlap(strings.Fields(got), strings.Fields(want))
			if share < 0.6 || !strings.HasPrefix(want, strings.SplitN(got, " ", 2)[0]) {
				return
			}
			score, how = 0.75*share, "similar database statement"
		}
		out = append(out, hit{ref{entry, s.Func}, s.Line, score, fmt.Sprintf("%s %q", how, short(strings.Join(strings.Fields(text), " ")))})
	})
	return out
}

// normalStatement is a statement in lower case, with single spaces and every value as "?".
func normalStatement(s string) string {
	var b strings.Builder
	space := func() {
		if b.Len() > 0 && !strings.HasSuffix(b.String(), " ") {
			b.WriteByte(' ')
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case strings.HasPrefix(s[i:], facts.Hole):
			b.WriteByte('?')
			i += len(facts.Hole) - 1
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			space()
		case c == '\'':
			for i++; i < len(s) && s[i] != '\''; i++ {
			}
			b.WriteByte('?')
		case c == '`' || c == '"' || c == ';':
		case c == '(' || c == ')' || c == ',' || c == '=':
			space()
			b.WriteByte(c)
			b.WriteByte(' ')
		case c == '$' && i+1 < len(s) && digit(s[i+1]), c == ':' && i+1 < len(s) && letter(s[i+1]) && (i == 0 || s[i-1] != ':'), c == '%' && i+1 < len(s) && (s[i+1] == 's' || s[i+1] == 'd' || s[i+1] == '('), c == '@' && i+1 < len(s) && letter(s[i+1]):
			if c == '%' && s[i+1] == '(' {
				for i < len(s) && s[i] != ')' {
					i++
				}
			}
			for i+1 < len(s) && letter(s[i+1]) {
				i++
			}
			b.WriteByte('?')
		case digit(c) && (i == 0 || !letter(s[i-1])):
			for i+1 < len(s) && (digit(s[i+1]) || s[i+1] == '.') {
				i++
			}
			b.WriteByte('?')
		default:
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// overlap is the share of words two statements have in common (Jaccard).
func overlap(a, b []string) float64 {
	set := map[string]bool{}
	for _, w := range a {
		set[w] = true
	}
	both, union := 0, len(set)
	seen := map[string]bool{}
	for _, w := range b {
		if seen[w] {
			continue
		}
		seen[w] = true
		if set[w] {
			both++
		} else {
			union++
		}
	}
	if union == 0 {
		return 0
	}
	return float64(both) / float64(union)
}
