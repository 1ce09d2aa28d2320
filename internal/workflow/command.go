package workflow

import (
	"crypto/rand"
	"fmt"
	"io"
	"strings"
)

// maxAnnotations is how many annotations of each level GitHub shows of one step.
const maxAnnotations = 10

// Level is how loud an annotation is.
type Level string

// The levels of annotations.
const (
	Notice  Level = "notice"
	Warning Level = "warning"
	Error   Level = "error"
)

// Annotation is a remark at a line of a file, or at no file.
type Annotation struct {
	Level       Level
	File        string
	First, Last int // lines; 0 for none
	Title, Text string
}

// Log writes the log of a step: workflow commands where they are meant, and everything else so that it cannot be
// taken for one.
type Log struct {
	w     io.Writer
	count map[Level]int
}

// NewLog writes to the step's standard output.
func NewLog(w io.Writer) *Log { return &Log{w: w, count: map[Level]int{}} }

var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// Annotate writes an annotation and says whether GitHub will show it: of each level it shows ten, and the
// eleventh is written as plain text.
func (l *Log) Annotate(a Annotation) bool {
	l.count[a.Level]++
	if l.count[a.Level] > maxAnnotations {
		l.Say("%s: %s:%d: %s: %s", a.Level, a.File, a.First, a.Title, a.Text)
		return false
	}
	var props []string
	add := func(name, value string) {
		if value != "" {
			props = append(props, name+"="+propertyEscapes.Replace(value))
		}
	}
	add("file", a.File)
	if a.First > 0 {
		add("line", fmt.Sprint(a.First))
	}
	if a.Last > a.First {
		add("endLine", fmt.Sprint(a.Last))
	}
	add("title", a.Title)
	space := ""
	if len(props) > 0 {
		space = " "
	}
	fmt.Fprintf(l.w, "::%s%s%s::%s\n", a.Level, space, strings.Join(props, ","), dataEscapes.Replace(a.Text))
	return true
}

// Mask keeps a secret, and every line of it, out of the log.
func (l *Log) Mask(secret string) {
	for line := range strings.Lines(secret) {
		// A short line, such as an end of a key's armour, would blot out half the log.
		if line = strings.TrimSpace(line); len(line) >= 8 && !strings.HasPrefix(line, "-----") {
			fmt.Fprintf(l.w, "::add-mask::%s\n", dataEscapes.Replace(line))
		}
	}
}

// Say writes one line that is no command, whatever it quotes.
func (l *Log) Say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, line := range strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.HasPrefix(strings.TrimSpace(line), "##[") {
			line = "| " + line
		}
		fmt.Fprintln(l.w, line)
	}
}

// Group runs do with its output folded under a title and with workflow commands switched off, since the output quotes
// telemetry and code.
func (l *Log) Group(title string, do func(io.Writer) error) error {
	token := "stop-" + rand.Text()
	fmt.Fprintf(l.w, "::group::%s\n::stop-commands::%s\n", dataEscapes.Replace(title), token)
	err := do(l.w)
	// The output may end within a line.
	fmt.Fprintf(l.w, "\n::%s::\n::endgroup::\n", token)
	return err
}
