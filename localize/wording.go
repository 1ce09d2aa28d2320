package localize

import (
	"slices"
	"strings"
)

// dropWording takes the lines out of a change that differ in nothing but words for people: messages
// of logs and errors. It returns what remains. A changed message cannot make a service fail, but
// its words are the very words that are seen, so that nothing looks guiltier than the commit that
// improved a message.
func dropWording(removed, added []string) (restRemoved, restAdded []string) {
	if slices.Equal(removed, added) {
		return nil, nil // only comments behind the code differ
	}
	byShape := map[string][]int{}
	for i, l := range removed {
		if shape, ok := wordingShape(l); ok {
			byShape[shape] = append(byShape[shape], i)
		}
	}
	goneR, goneA := map[int]bool{}, map[int]bool{}
	for i, l := range added {
		shape, ok := wordingShape(l)
		if !ok {
			continue
		}
		if old := byShape[shape]; len(old) > 0 {
			goneR[old[0]], goneA[i] = true, true
			byShape[shape] = old[1:]
		}
	}
	if len(goneA) == 0 {
		return removed, added
	}
	keep := func(lines []string, gone map[int]bool) []string {
		var out []string
		for i, l := range lines {
			if !gone[i] {
				out = append(out, l)
			}
		}
		return out
	}
	return keep(removed, goneR), keep(added, goneA)
}

// wordingShape is a line with its prose taken out; ok is false for a line without any. On a line that
// logs, every quoted text is prose; elsewhere only one that reads like a sentence does, and one that
// is a statement for a database never. Of a line that ends with an error, all that the error is given is.
func wordingShape(l string) (shape string, ok bool) {
	if shape, ok := failingShape(l); ok {
		return shape, true
	}
	logs := isLogging(l)
	var b strings.Builder
	for i := 0; i < len(l); {
		c := l[i]
		if c != '"' && c != '\'' && c != '`' {
			if c != ' ' && c != '\t' {
				b.WriteByte(c)
			}
			i++
			continue
		}
		j := i + 1
		for j < len(l) && l[j] != c {
			if l[j] == '\\' {
				j++
			}
			j++
		}
		j = min(j+1, len(l))
		text := strings.Trim(l[i:j], "\"'`")
		if !isStatement(text) && (logs || isProse(text)) {
			b.WriteByte('$')
			ok = true
		} else {
			b.WriteString(l[i:j])
		}
		i = j
	}
	return b.String(), ok
}

// isProse says that a text is for people: three words or more, most of them plain.
func isProse(text string) bool {
	words := strings.Fields(text)
	if len(words) < 3 {
		return false
	}
	plain := 0
	for _, w := range words {
		w = strings.Trim(w, ".,:;!?()'\"%")
		if w != "" && strings.IndexFunc(w, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '\'') }) < 0 {
			plain++
		}
	}
	return plain >= 2 && 2*plain >= len(words)
}

// isStatement says that a text is a statement for a database or a command.
func isStatement(text string) bool {
	first, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(text)), " ")
	return slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "ALTER", "CREATE", "DROP", "MERGE", "FROM", "WHERE", "JOIN", "LEFT", "INNER",
		"ORDER", "GROUP", "HAVING", "LIMIT", "SET", "VALUES", "AND", "OR", "ON", "MATCH", "CALL", "EXEC", "TRUNCATE", "LOCK", "BEGIN", "COMMIT"}, first)
}

// stripComment cuts a comment off the end of a line of code.
func stripComment(code string) string {
	quote := byte(0)
	for i := 0; i < len(code); i++ {
		c := code[i]
		switch {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case i > 0 && (code[i-1] == ' ' || code[i-1] == '\t'):
			if c == '#' && (i+1 == len(code) || code[i+1] == ' ') || strings.HasPrefix(code[i:], "// ") || strings.HasPrefix(code[i:], "/* ") && strings.HasSuffix(code, "*/") {
				return strings.TrimSpace(code[:i])
			}
		}
	}
	return code
}

// commentBlock follows comments and documentation strings over the lines of one side of a change.
type commentBlock struct{ until string }

// inside reports whether the line belongs to a comment that spans lines.
func (b *commentBlock) inside(code string) bool {
	if b.until != "" {
		if strings.Contains(code, b.until) {
			b.until = ""
		}
		return true
	}
	for _, mark := range [][2]string{{"/*", "*/"}, {`"""`, `"""`}, {"'''", "'''"}, {"<!--", "-->"}} {
		if rest, ok := strings.CutPrefix(code, mark[0]); ok {
			if !strings.Contains(rest, mark[1]) {
				b.until = mark[1]
			}
			return true
		}
	}
	return false
}
