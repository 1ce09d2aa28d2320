package workflow

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxSummary is GitHub's limit on the summary of one step, less room for what says that it was cut.
const maxSummary = 1<<20 - 512

// Result is what a step leaves behind.
type Result struct {
	State       string // "proposed", "declined", "proved", "broken", "green", "red", "skipped", ...
	PullRequest string // URL
	Case        string // directory
	Summary     string // Markdown
	Failed      bool   // the step is red
}

// Write sets the step's outputs and adds to its summary. A file that the runner does not name is left out.
func (r Result) Write(getenv func(string) string) error {
	var out bytes.Buffer
	for _, o := range [][2]string{{"state", r.State}, {"pull-request-url", r.PullRequest}, {"case", r.Case}} {
		// The delimiter cannot be guessed, so no value can end itself and begin another output.
		end := "end-" + rand.Text()
		fmt.Fprintf(&out, "%s<<%s\n%s\n%s\n", o[0], end, o[1], end)
	}
	err := appendTo(getenv("GITHUB_OUTPUT"), out.Bytes())
	return errors.Join(err, appendTo(getenv("GITHUB_STEP_SUMMARY"), []byte(bounded(r.Summary)+"\n")))
}

func appendTo(path string, data []byte) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// bounded cuts a summary at a line, with what it left open closed.
func bounded(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= maxSummary {
		return s
	}
	cut := strings.ToValidUTF8(s[:maxSummary], "")
	if at := strings.LastIndexByte(cut, '\n'); at > 0 {
		cut = cut[:at]
	}
	fence := ""
	for line := range strings.Lines(cut) {
		line = strings.TrimRight(line, "\r\n")
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && line == ticks && len(ticks) >= len(fence):
			fence = ""
		}
	}
	if fence != "" {
		cut += "\n" + fence
	}
	return cut + "\n\n_Cut here: GitHub shows one mebibyte. The whole case lies in the directory of the output `case`._"
}

// code sets one line from outside as code, so that no Markdown or HTML in it means anything, also within a table.
func code(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '`':
			return '\''
		case r == '|':
			return '\u2502'
		case r < ' ' || r == 0x7f || r == '\ufeff' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if runes := []rune(s); len(runes) > 300 {
		s = string(runes[:300]) + "..."
	}
	if strings.TrimSpace(s) == "" {
		return " "
	}
	return "`" + s + "`"
}
