package evaluate

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// firstWord groups messages by their first word.
type firstWord map[string]int32

func (f firstWord) Add(message string) int32 {
	word, _, _ := strings.Cut(message, " ")
	if _, ok := f[word]; !ok {
		f[word] = int32(len(f)) // a handful
	}
	return f[word]
}

func TestParsingCountsGroupsAndLines(t *testing.T) {
	dir := t.TempDir()
	writeJSON(t, filepath.Join(dir, "corpus.json"), map[string]any{"cases": []string{"Sys"}})
	// a is grouped right; b and c share a first word, so both of their templates are wrong.
	logs := "LineId,Content,EventId\n1,a 1,E1\n2,a 2,E1\n3,a 3,E1\n4,b up,E2\n5,b down,E3\n"
	if err := os.WriteFile(filepath.Join(dir, "Sys_2k.log_structured.csv"), []byte(logs), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := &Tool{Miner: func() Templates { return firstWord{} }}
	c := open(t, dir)
	list, err := tool.Parse(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	p := list[0]
	if p.Lines != 5 || p.Found != 2 || p.True != 3 || p.Accuracy != 0.6 || p.Precision != 0.5 || p.Recall != 1.0/3 {
		t.Errorf("%+v", p)
	}
	if want := 2 * 0.5 / 3 / (0.5 + 1.0/3); p.F1 != want {
		t.Errorf("F1 %v, want %v", p.F1, want)
	}
	var b bytes.Buffer
	ParsingTable(&b, list, true)
	if !strings.Contains(b.String(), "| Sys | 5 | 2 | 3 | 0.600 |") {
		t.Errorf("table\n%s", b.String())
	}
	if _, err := tool.Evaluate(context.Background(), c); err == nil {
		t.Error("parsed logs were ranked")
	}
}

func FuzzParsedLogs(f *testing.F) {
	f.Add("LineId,Content,EventId\n1,a,E1\n")
	f.Add("Content,EventId\n\"a\"\"b\",E1\nx,E2\n")
	f.Fuzz(func(t *testing.T, text string) {
		content, event, err := parsedLogs(strings.NewReader(text), "x.csv")
		if err != nil {
			return
		}
		got := make([]int32, len(content))
		p := grouping(got, event)
		if p.Accuracy < 0 || p.Accuracy > 1 || p.F1 < 0 || p.F1 > 1 {
			t.Errorf("%+v", p)
		}
	})
}

// What must hold of a critical path is noticed when it does not.
func TestFaultsOfCriticalPaths(t *testing.T) {
	root := telemetry.Span{Trace: telemetry.TraceID{1}, ID: telemetry.SpanID{1}, Resource: &telemetry.Resource{Service: "a"}, Start: 1e18, Duration: 100}
	child := telemetry.Span{Trace: telemetry.TraceID{1}, ID: telemetry.SpanID{2}, Parent: root.ID, Resource: root.Resource, Start: 1e18 + 20, Duration: 50}
	spans := []telemetry.Span{root, child}
	segment := func(s *telemetry.Span, from, length time.Duration) localize.PathSegment {
		return localize.PathSegment{Span: s.ID.String(), Offset: from, Duration: length}
	}
	good := []localize.PathSegment{segment(&root, 0, 20), segment(&child, 20, 50), segment(&root, 70, 30)}
	tests := map[string]struct {
		path []localize.PathSegment
		want string
	}{
		"good":     {good, ""},
		"gap":      {[]localize.PathSegment{good[0], good[2]}, "nothing accounts for 50ns"},
		"overlap":  {[]localize.PathSegment{segment(&root, 0, 30), good[1], good[2]}, "before the one before it ends"},
		"short":    {good[:2], "it ends after 70ns"},
		"outside":  {[]localize.PathSegment{segment(&root, 0, 10), segment(&child, 10, 60), good[2]}, "lies outside its span"},
		"unknown":  {[]localize.PathSegment{{Span: "ff", Duration: 100}}, "which the trace does not have"},
		"backward": {[]localize.PathSegment{good[0], segment(&child, 20, -5)}, "lasts -5ns"},
		"none":     {nil, "it ends after 0s"},
	}
	for name, tt := range tests {
		got := strings.Join(faults(&localize.TracePath{Trace: root.Trace, Root: &root, Segments: tt.path}, spans), "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestDocumentsReadsAll(t *testing.T) {
	dir := t.TempDir()
	writeJSON(t, filepath.Join(dir, "corpus.json"), map[string]any{"cases": []string{"one.json", "two.json"}})
	for _, f := range []string{"one.json", "two.json"} {
		writeJSON(t, filepath.Join(dir, f), 0)
	}
	ds := evidenceOf("a", 1e18)
	tool := &Tool{Paths: localize.CriticalPaths, Spans: func(string) (telemetry.Dataset, error) { return ds, nil }}
	list, err := tool.Documents(context.Background(), open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[1].Traces != 600 || len(list[1].Wrong) != 0 || list[1].Path != list[1].Root || list[1].Root != 600*time.Second {
		t.Errorf("%+v", list)
	}
	var b bytes.Buffer
	DocumentTable(&b, list, false)
	if !strings.Contains(b.String(), "two.json") || !strings.Contains(b.String(), "holds") {
		t.Errorf("table\n%s", b.String())
	}
}
