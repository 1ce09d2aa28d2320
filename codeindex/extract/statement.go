package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// isStatement says whether a text is a statement in SQL: it begins with a verb and has the word
// that goes with it. "select a plan" is not a statement.
func isStatement(s string) bool {
	if len(s) < 12 {
		return false
	}
	s = strings.TrimLeft(s, " \t\r\n(")
	if len(s) < 10 {
		return false
	}
	if len(s) > 4096 {
		s = s[:4096]
	}
	var rest string
	end := strings.IndexAny(s, " \t\r\n")
	if end < 0 || end > 8 {
		return false
	}
	rest = s[end:]
	if verb := s[:end]; verb != strings.ToUpper(verb) && verb != strings.ToLower(verb) {
		return false // a sentence
	}
	switch verb := strings.ToUpper(s[:end]); verb {
	case "SELECT":
		return word(rest, "FROM") || upper(s[:end]) && strings.Contains(rest, "(")
	case "INSERT", "REPLACE", "MERGE":
		return word(rest, "INTO")
	case "UPDATE":
		return word(rest, "SET")
	case "DELETE":
		return word(rest, "FROM")
	case "WITH":
		return word(rest, "AS") && (word(rest, "SELECT") || word(rest, "INSERT") || word(rest, "UPDATE") || word(rest, "DELETE"))
	case "CREATE", "ALTER", "DROP", "TRUNCATE":
		return word(rest, "TABLE") || word(rest, "INDEX")
	}
	return false
}

func upper(s string) bool { return strings.ToUpper(s) == s }

// word finds a word in any case, bounded by white space or brackets.
func word(s, w string) bool {
	for i := 0; i+len(w) <= len(s); i++ {
		if !strings.EqualFold(s[i:i+len(w)], w) {
			continue
		}
		if i > 0 && !strings.ContainsRune(" \t\r\n()", rune(s[i-1])) {
			continue
		}
		if j := i + len(w); j < len(s) && !strings.ContainsRune(" \t\r\n()", rune(s[j])) {
			continue
		}
		return true
	}
	return false
}

// statementArgs notes the use of a statement that is kept in a constant: the function that runs it is
// what a trace leads to, not the declaration.
func (c *collector) statementArgs(x *call) {
	for _, a := range x.args {
		if a.kind != named || len(c.statements) == 0 {
			continue
		}
		if t, ok := c.lookup(a.text, x.fn); ok && isStatement(t) {
			c.site(facts.Site{Kind: facts.Statement, Text: t, Line: a.line, Func: x.fn, Via: shorten(x.callee)})
		}
	}
}
