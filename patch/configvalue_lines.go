package patch

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
)

// The formats of one "key = value" a line, read without a tree. A reader skips what it does not
// understand: such a value is then no setting and cannot be edited.

var (
	envLine        = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)=`)
	propertiesLine = regexp.MustCompile(`^[ \t]*([A-Za-z0-9_][A-Za-z0-9_./-]*)[ \t]*[=:][ \t]*`)
	iniSection     = regexp.MustCompile(`^[ \t]*\[([^\]\[]+)\]`)
	tomlLine       = regexp.MustCompile(`^[ \t]*("?[A-Za-z0-9_][A-Za-z0-9_.-]*"?)[ \t]*=[ \t]*`)
	hclLine        = regexp.MustCompile(`^[ \t]*"?([A-Za-z_][A-Za-z0-9_.-]*)"?[ \t]*[=:][ \t]*`)
	hclBlock       = regexp.MustCompile(`^[ \t]*"?([A-Za-z_][A-Za-z0-9_-]*)"?((?:[ \t]+"[^"]*")*)[ \t]*=?[ \t]*\{[ \t]*(?:#.*|//.*)?$`)
	hclHeredoc     = regexp.MustCompile(`<<[-~]?([A-Za-z_][A-Za-z0-9_]*)[ \t]*$`)
)

// eachLine calls f with the offset and the text of every line, without its end.
func eachLine(src []byte, f func(at int, line string) error) error {
	at := 0
	for line := range bytes.Lines(src) {
		if err := f(at, strings.TrimRight(string(line), "\r\n")); err != nil {
			return err
		}
		at += len(line)
	}
	return nil
}

func readEnvSettings(src []byte) ([]setting, error) {
	return flatSettings(src, envLine, nil, " #", "#")
}

func readPropertiesSettings(src []byte) ([]setting, error) {
	return flatSettings(src, propertiesLine, nil, "", "#!")
}

func readINISettings(src []byte) ([]setting, error) {
	return flatSettings(src, propertiesLine, iniSection, " ;", "#;")
}

// flatSettings reads files of assignments, with sections where the format has them.
func flatSettings(src []byte, assign, section *regexp.Regexp, comment, commentLine string) ([]setting, error) {
	var out []setting
	var path []string
	continued := false
	err := eachLine(src, func(at int, line string) error {
		skip := continued
		continued = strings.HasSuffix(line, "\\")
		trimmed := strings.TrimLeft(line, " \t")
		if skip || continued || trimmed == "" || strings.IndexByte(commentLine, trimmed[0]) >= 0 {
			return nil
		}
		if section != nil {
			if m := section.FindStringSubmatch(line); m != nil {
				path = []string{m[1]}
				return nil
			}
		}
		m := assign.FindStringSubmatchIndex(line)
		if m == nil {
			return nil
		}
		if s, ok := lineValue(line, m[1], comment); ok {
			s.Path = append(slices.Clip(path), line[m[2]:m[3]])
			s.From, s.To = s.From+at, s.To+at
			out = append(out, s)
		}
		if len(out) > maxSettings {
			return errTooManySettings
		}
		return nil
	})
	return out, err
}

// lineValue takes the value that starts at from: quoted, or up to a comment.
func lineValue(line string, from int, comment string) (setting, bool) {
	rest := line[from:]
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 || strings.HasPrefix(rest, `"""`) || strings.HasPrefix(rest, `'''`) {
			return setting{}, false
		}
		text := rest[1 : 1+end]
		after := strings.TrimLeft(rest[end+2:], " \t,")
		if strings.ContainsRune(text, '\\') || after != "" && after[0] != '#' && after[0] != ';' && !strings.HasPrefix(after, "//") {
			return setting{}, false
		}
		return setting{Text: text, Raw: rest[:end+2], From: from, To: from + end + 2}, true
	}
	end := len(rest)
	if comment != "" {
		if i := strings.Index(rest, comment); i >= 0 {
			end = i
		}
	}
	text := strings.TrimRight(rest[:end], " \t")
	return setting{Text: text, Raw: text, From: from, To: from + len(text)}, text != ""
}

// readTOMLSettings reads tables and their scalar values; inline tables, arrays and texts over several
// lines are passed over.
func readTOMLSettings(src []byte) ([]setting, error) {
	var out []setting
	var path []string
	tables := map[string]int{}
	until := "" // end of a text over several lines
	depth := 0  // open brackets of an array over several lines
	err := eachLine(src, func(at int, line string) error {
		switch {
		case until != "":
			if strings.Contains(line, until) {
				until = ""
			}
			return nil
		case depth > 0:
			depth += brackets(line)
			return nil
		}
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "[") {
			name, _, ok := strings.Cut(strings.TrimLeft(trimmed, "["), "]")
			if !ok {
				return errors.New("a table header without end")
			}
			path = strings.Split(strings.TrimSpace(name), ".")
			if strings.HasPrefix(trimmed, "[[") {
				tables[name]++
				path = append(path, "#"+string(rune('0'+min(tables[name]-1, 9))))
				if tables[name] > 10 {
					return errors.New("an array of more than 10 tables")
				}
			}
			return nil
		}
		m := tomlLine.FindStringSubmatchIndex(line)
		if m == nil {
			return nil
		}
		rest := line[m[1]:]
		for _, q := range []string{`"""`, `'''`} {
			if strings.HasPrefix(rest, q) {
				if !strings.Contains(rest[3:], q) {
					until = q
				}
				return nil
			}
		}
		if rest == "" || rest[0] == '[' || rest[0] == '{' {
			depth = max(0, brackets(rest))
			return nil
		}
		if s, ok := lineValue(line, m[1], "#"); ok {
			key := strings.Split(strings.Trim(line[m[2]:m[3]], `"`), ".")
			s.Path = append(slices.Clip(path), key...)
			s.From, s.To = s.From+at, s.To+at
			out = append(out, s)
		}
		if len(out) > maxSettings || len(path) > maxSettingDepth {
			return errTooManySettings
		}
		return nil
	})
	return out, err
}

// brackets is how many more brackets a line opens than it closes, outside quotes and comments.
func brackets(line string) int {
	n, quote := 0, byte(0)
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#':
			return n
		case c == '[' || c == '{':
			n++
		case c == ']' || c == '}':
			n--
		}
	}
	return n
}

// readHCLSettings reads blocks and attributes whose value is a literal on one line. References and
// function calls are code and are passed over.
func readHCLSettings(src []byte) ([]setting, error) {
	var out []setting
	var path []string
	heredoc, comment := "", false
	depth := 0
	blocks := map[string]int{}
	err := eachLine(src, func(at int, line string) error {
		trimmed := strings.TrimSpace(line)
		switch {
		case heredoc != "":
			if trimmed == heredoc {
				heredoc = ""
			}
			return nil
		case comment:
			comment = !strings.Contains(line, "*/")
			return nil
		case strings.HasPrefix(trimmed, "/*"):
			comment = !strings.Contains(trimmed, "*/")
			return nil
		case depth > 0:
			depth += brackets(line)
			return nil
		case trimmed == "" || trimmed[0] == '#' || strings.HasPrefix(trimmed, "//"):
			return nil
		case strings.HasPrefix(trimmed, "}"):
			if len(path) == 0 {
				return errors.New("a closing brace too many")
			}
			path = path[:len(path)-1]
			return nil
		}
		if m := hclHeredoc.FindStringSubmatch(line); m != nil {
			heredoc = m[1]
			return nil
		}
		if m := hclBlock.FindStringSubmatch(line); m != nil {
			name := m[1] + strings.Join(strings.Fields(m[2]), " ")
			full := strings.Join(path, "\x00") + "\x00" + name
			if blocks[full]++; blocks[full] > 1 {
				name += "#" + string(rune('0'+min(blocks[full]-1, 9)))
			}
			if path = append(slices.Clip(path), name); len(path) > maxSettingDepth {
				return errTooManySettings
			}
			return nil
		}
		m := hclLine.FindStringSubmatchIndex(line)
		if m == nil {
			depth = max(0, brackets(line))
			return nil
		}
		if rest := line[m[1]:]; rest == "" || brackets(rest) != 0 {
			depth = max(0, brackets(rest))
			return nil
		}
		s, ok := lineValue(line, m[1], "#")
		if i := strings.Index(s.Raw, "//"); ok && i > 0 && s.Raw[0] != '"' {
			s.Raw = strings.TrimRight(s.Raw[:i], " \t")
			s.Text, s.To = s.Raw, s.From+len(s.Raw)
		}
		if ok && hclLiteral(s.Raw) {
			s.Path = append(slices.Clip(path), line[m[2]:m[3]])
			s.From, s.To = s.From+at, s.To+at
			out = append(out, s)
		}
		if len(out) > maxSettings {
			return errTooManySettings
		}
		return nil
	})
	return out, err
}

func hclLiteral(raw string) bool {
	if raw == "true" || raw == "false" || raw != "" && raw[0] == '"' {
		return !strings.Contains(raw, "${")
	}
	return raw != "" && (isAlnum(raw[0]) || raw[0] == '-') && strings.Trim(raw, "-0123456789.") == ""
}
