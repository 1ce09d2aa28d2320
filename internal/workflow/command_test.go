package workflow

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAnnotationsAreEscaped(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out)
	l.Annotate(Annotation{Level: Error, File: "a,b:c%.go", First: 3, Last: 5, Title: "x::y\n", Text: "100%\r\n::error::forged"})
	want := "::error file=a%2Cb%3Ac%25.go,line=3,endLine=5,title=x%3A%3Ay%0A::100%25%0D%0A::error::forged\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

// TestEleventhAnnotationIsPlainText: GitHub shows ten of a level and drops the rest without a word.
func TestEleventhAnnotationIsPlainText(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out)
	shown := 0
	for i := range 13 {
		if l.Annotate(Annotation{Level: Warning, Text: fmt.Sprint(i)}) {
			shown++
		}
	}
	if !l.Annotate(Annotation{Level: Error, Text: "of another level"}) {
		t.Error("the errors were counted with the warnings")
	}
	if got := strings.Count(out.String(), "::warning"); shown != 10 || got != 10 {
		t.Errorf("%d shown, %d written as commands, want 10", shown, got)
	}
	if !strings.Contains(out.String(), "warning: :0: : 12") {
		t.Errorf("the thirteenth is lost:\n%s", out.String())
	}
}

// TestForgedCommandInTheLog prints what telemetry may hold.
func TestForgedCommandInTheLog(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out)
	l.Say("fine\n::set-output name=x::y\r  ::error::forged\n##[error]forged")
	for line := range strings.Lines(out.String()) {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "::") || strings.HasPrefix(trimmed, "##[") {
			t.Errorf("a line of the log is a command: %q", line)
		}
	}
}

// TestForgedCommandInTheOutputOfTheTool: commands are off while the tool writes, and nobody can know the word that
// switches them on.
func TestForgedCommandInTheOutputOfTheTool(t *testing.T) {
	word := regexp.MustCompile(`(?m)^::stop-commands::(\S+)$`)
	seen := map[string]bool{}
	for range 3 {
		var out bytes.Buffer
		err := NewLog(&out).Group("run", func(w io.Writer) error {
			_, err := io.WriteString(w, "::stop::\n::endgroup::\n::error::forged without an end")
			return err
		})
		m := word.FindStringSubmatch(out.String())
		if err != nil || m == nil {
			t.Fatalf("%v:\n%s", err, out.String())
		}
		if seen[m[1]] || len(m[1]) < 20 {
			t.Errorf("the word %q can be guessed", m[1])
		}
		seen[m[1]] = true
		if !strings.HasSuffix(out.String(), "forged without an end\n::"+m[1]+"::\n::endgroup::\n") {
			t.Errorf("commands stay off:\n%s", out.String())
		}
	}
}

func TestMaskLeavesNoLineOfAKey(t *testing.T) {
	var out bytes.Buffer
	NewLog(&out).Mask("-----BEGIN KEY-----\nabcdefghijkl\nmnopqrstuvwx\n-----END KEY-----\n")
	if want := "::add-mask::abcdefghijkl\n::add-mask::mnopqrstuvwx\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

// TestForgedOutput tries to end a value and begin another output.
func TestForgedOutput(t *testing.T) {
	getenv := environment(t, "push", "", nil)
	r := Result{State: "declined", PullRequest: "x\nEOF\nstate<<EOF\nproposed\nEOF", Summary: "s"}
	if err := r.Write(getenv); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(getenv("GITHUB_OUTPUT"))
	if err != nil {
		t.Fatal(err)
	}
	got := parseOutputs(t, string(text))
	if got["state"] != "declined" || got["pull-request-url"] != r.PullRequest {
		t.Errorf("outputs = %q", got)
	}
}

// parseOutputs reads the file as the runner does.
func parseOutputs(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		name, end, ok := strings.Cut(lines[i], "<<")
		if !ok {
			continue
		}
		var value []string
		for i++; i < len(lines) && lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		out[name] = strings.Join(value, "\n")
	}
	return out
}

func TestSummaryIsBounded(t *testing.T) {
	long := "# Title\n\n```text\n" + strings.Repeat("a line of output\n", 1<<17) + "```\n"
	got := bounded(long)
	if len(got) > 1<<20 {
		t.Errorf("%d bytes, GitHub takes %d", len(got), 1<<20)
	}
	if !strings.Contains(got, "Cut here") || strings.Count(got, "\n```\n") != 1 {
		t.Errorf("the block is left open: ...%q", got[len(got)-200:])
	}
	if short := "# fine\n"; bounded(short) != short {
		t.Error("a short summary was changed")
	}
}

// TestCodeHoldsAnyText: whatever stands in a cell of a table stays one cell of code.
func TestCodeHoldsAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		got := code(s)
		if strings.ContainsAny(got, "|\n\r") {
			t.Fatalf("%q leaves its cell: %q", s, got)
		}
		if n := strings.Count(got, "`"); n != 2 && n != 0 {
			t.Fatalf("%q leaves its code: %q", s, got)
		}
	})
}

func TestParagraphHoldsItsFence(t *testing.T) {
	got := paragraph("before\n```\n<img src=x>\n````\nafter")
	if !strings.HasPrefix(got, "`````text\n") || !strings.HasSuffix(got, "\n`````\n") {
		t.Errorf("got %q", got)
	}
}
