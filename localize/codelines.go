package localize

import (
	"strings"
)

// maxDiffLines bounds how much of a change is compared.
const maxDiffLines = 4000

// splitHunks separates removed from added code lines; comments and blank lines say nothing of
// behaviour.
func splitHunks(patch string) (removed, added []string) {
	var before, after commentBlock
	for line := range strings.Lines(patch) {
		if len(removed)+len(added) >= maxDiffLines {
			break
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 2 || len(line) > 2000 {
			continue
		}
		if strings.HasPrefix(line, "@@") {
			before, after = commentBlock{}, commentBlock{} // another place of the file
			continue
		}
		code := strings.TrimSpace(line[1:])
		comment := false
		switch line[0] {
		case '-':
			comment = before.inside(code)
		case '+':
			comment = after.inside(code)
		default:
			before.inside(code)
			after.inside(code)
		}
		if comment || code == "" || isComment(code) {
			continue
		}
		switch code = stripComment(code); line[0] {
		case '-':
			removed = append(removed, code)
		case '+':
			added = append(added, code)
		}
	}
	return removed, added
}

// hunkHeaders returns the function contexts of a patch.
func hunkHeaders(patch string) []string {
	var out []string
	for line := range strings.Lines(patch) {
		if strings.HasPrefix(line, "@@") {
			if i := strings.Index(line[2:], "@@"); i >= 0 {
				out = append(out, strings.TrimSpace(line[i+4:]))
			}
		}
	}
	return out
}

func isComment(code string) bool {
	for _, p := range []string{"//", "#", "/*", "*/", "* ", "--", "<!--", "\"\"\"", "'''"} {
		if strings.HasPrefix(code, p) && !strings.HasPrefix(code, "#[") && !strings.HasPrefix(code, "#include") && !strings.HasPrefix(code, "#define") {
			return true
		}
	}
	return code == "*"
}

// tokenBag counts the identifiers and numbers of lines.
func tokenBag(lines []string) map[string]float64 {
	out := map[string]float64{}
	for _, l := range lines {
		for _, t := range tokens(l) {
			out[t]++
		}
	}
	return out
}

// tokens splits a line of code into identifiers and numbers.
func tokens(line string) []string {
	return strings.FieldsFunc(line, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' && false)
	})
}

func count(lines []string, is func(string) bool) float64 {
	n := 0.0
	for _, l := range lines {
		if is(l) {
			n++
		}
	}
	return n
}

// isGuard says that a line decides whether to go on.
func isGuard(l string) bool {
	for _, p := range []string{"if ", "if(", "} else", "elif ", "else if", "unless ", "guard ", "assert ", "except", "catch", "rescue", "Objects.requireNonNull"} {
		if strings.HasPrefix(l, p) || strings.HasPrefix(l, "} "+p) {
			return true
		}
	}
	return strings.Contains(l, "?.") || strings.Contains(l, " ?? ")
}

func isConstant(l string) bool {
	return strings.HasPrefix(l, "const ") || strings.HasPrefix(l, "static final ") || strings.Contains(l, " static final ")
}

func isLogging(l string) bool {
	lower := strings.ToLower(l)
	for _, p := range []string{"log.", "logger.", "slog.", "logging.", "console.", "fmt.print", "print(", "system.out"} {
		if strings.HasPrefix(lower, p) {
			return true
		}
	}
	return false
}

// calls counts the names that are called.
func calls(lines []string) map[string]float64 {
	out := map[string]float64{}
	for _, l := range lines {
		for i := 0; i < len(l); i++ {
			if l[i] != '(' {
				continue
			}
			j := i
			for j > 0 && (isWordByte(l[j-1])) {
				j--
			}
			name := l[j:i]
			if name == "" || isKeyword(name) || strings.HasPrefix(l[:j], "func ") && !strings.Contains(l[:j], "(") || strings.HasPrefix(l, "def ") && j == 4 {
				continue
			}
			out[name]++
		}
	}
	return out
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func isKeyword(s string) bool {
	switch s {
	case "if", "for", "while", "switch", "return", "func", "catch", "function", "def", "and", "or", "not", "in", "await", "range", "elif":
		return true
	}
	return false
}

// loopGainedCall says that a loop stands in the new lines with calls in it that the old lines
// did not make.
func loopGainedCall(removed, added []string) bool {
	before := calls(removed)
	inLoop := 0
	for _, l := range added {
		if strings.HasPrefix(l, "for ") || strings.HasPrefix(l, "for(") || strings.HasPrefix(l, "while ") || strings.Contains(l, ".forEach(") || strings.Contains(l, ".map(") {
			inLoop = 8 // lines that the loop's body is taken to have
			continue
		}
		if inLoop > 0 {
			inLoop--
			for c := range calls([]string{l}) {
				if before[c] == 0 && c != "append" && c != "len" && c != "make" && c != "Errorf" {
					return true
				}
			}
		}
	}
	return false
}
