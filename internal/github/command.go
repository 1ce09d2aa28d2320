package github

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxArgument bounds what may follow a command, in bytes.
const maxArgument = 200

// commands are what a comment may ask for.
var commands = []string{"explain", "retry", "rebase", "stop", "approve", "reject", "replay"}

// Command is what a comment asks for.
type Command struct {
	Name     string
	Argument string // the rest of the line, one line of bounded text
}

// ParseCommand finds the first command in a comment: a line that begins with /remediator and stands
// neither in a quote nor in a code block nor in an HTML comment (CommonMark 0.31, sections 4.4 to 4.6 and
// 5.1). Only the first counts. A word that is no command gives ok and an empty name, so that its author
// can be told.
func ParseCommand(text string) (c Command, ok bool) {
	fence := ""    // the fence that ends the code block we are in
	until := ""    // the tag that ends an HTML comment, code or quote we are in
	quote := false // within a quote, whose last paragraph goes on until a blank line
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		trimmed := strings.TrimLeft(line, " ")
		indented := len(line)-len(trimmed) > 3
		switch {
		case until != "":
			if strings.Contains(strings.ToLower(line), until) {
				until = ""
			}
			continue
		case fence != "":
			if !indented && closes(trimmed, fence) {
				fence = ""
			}
			continue
		case strings.TrimSpace(line) == "":
			quote = false
			continue
		case !indented && opens(trimmed) != "":
			fence, quote = opens(trimmed), false
			continue
		case strings.HasPrefix(trimmed, ">") && !indented:
			quote = true
			continue
		}
		if until = stays(strings.ToLower(line)); until != "" {
			continue
		}
		rest, found := strings.CutPrefix(line, "/remediator")
		if !found || quote || !utf8.ValidString(line) || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		name, argument, _ := strings.Cut(oneLine(rest), " ")
		if name = strings.ToLower(name); slices.Contains(commands, name) {
			c.Name = name
		}
		c.Argument = cutBytes(argument, maxArgument)
		return c, true
	}
	return Command{}, false
}

// enclosures are pieces of HTML in which a line is shown as it is, or as somebody else's, or not at all.
var enclosures = [][2]string{{"<!--", "-->"}, {"<pre", "</pre>"}, {"<code", "</code>"}, {"<blockquote", "</blockquote>"}}

// stays is the tag that ends what a line opens and does not end itself.
func stays(line string) string {
	for _, e := range enclosures {
		if at := strings.LastIndex(line, e[0]); at >= 0 && !strings.Contains(line[at:], e[1]) {
			return e[1]
		}
	}
	return ""
}

// opens is the fence that a line opens a code block with, "" if it opens none.
func opens(line string) string {
	for _, mark := range []string{"`", "~"} {
		n := len(line) - len(strings.TrimLeft(line, mark))
		if n >= 3 && (mark == "~" || !strings.Contains(line[n:], "`")) {
			return line[:n]
		}
	}
	return ""
}

// closes says whether a line ends the code block that a fence opened.
func closes(line, fence string) bool {
	line = strings.TrimRight(line, " \t")
	return len(line) >= len(fence) && strings.Trim(line, fence[:1]) == ""
}

// cutBytes shortens to at most n bytes of whole characters.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return strings.TrimSpace(s)
}
