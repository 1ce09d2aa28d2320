package extract

import "strings"

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
