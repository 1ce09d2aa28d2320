package localize

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/telemetry"
)

// piece is a span of a small trace: name, parent's name, start and end in milliseconds.
type piece struct {
	name, parent string
	from, to     int
	kind         telemetry.Kind
}

func tree(pieces []piece) *telemetry.Trace {
	ids := map[string]telemetry.SpanID{}
	for i, p := range pieces {
		ids[p.name] = telemetry.SpanID{byte(i >> 8), byte(i), 1}
	}
	res := &telemetry.Resource{Service: "s"}
	spans := make([]telemetry.Span, len(pieces))
	for i, p := range pieces {
		spans[i] = telemetry.Span{Trace: telemetry.TraceID{1}, ID: ids[p.name], Parent: ids[p.parent], Resource: res, Name: p.name, Kind: p.kind,
			Start: int64(p.from) * int64(ms), Duration: time.Duration(p.to-p.from) * ms}
	}
	return &telemetry.GroupTraces(spans)[0]
}

// pathOf says how many milliseconds of the critical path each span has.
func pathOf(tr *telemetry.Trace) (map[string]int, int64) {
	recs := make([]spanRec, len(tr.Spans))
	var p pathFinder
	root := mainRoot(tr)
	p.walk(tr, root, recs)
	out := map[string]int{}
	total := int64(0)
	for i, r := range recs {
		total += r.path
		if r.path > 0 {
			out[tr.Spans[i].Name] = int(r.path / int64(ms))
		}
	}
	return out, total
}

func TestCriticalPath(t *testing.T) {
	tests := []struct {
		name   string
		pieces []piece
		want   string
	}{
		{"one child", []piece{{"A", "", 0, 100, 0}, {"B", "A", 10, 60, 0}}, "map[A:50 B:50]"},
		{"one after the other", []piece{{"A", "", 0, 100, 0}, {"B", "A", 10, 40, 0}, {"C", "A", 50, 90, 0}}, "map[A:30 B:30 C:40]"},
		{"side by side: the last to end was waited for", []piece{{"A", "", 0, 100, 0}, {"B", "A", 10, 60, 0}, {"C", "A", 10, 90, 0}}, "map[A:20 C:80]"},
		{"fork, join, then another", []piece{{"A", "", 0, 100, 0}, {"B", "A", 0, 30, 0}, {"C", "A", 0, 50, 0}, {"D", "A", 60, 100, 0}}, "map[A:10 C:50 D:40]"},
		{"nested", []piece{{"A", "", 0, 100, 0}, {"B", "A", 10, 90, 0}, {"C", "B", 20, 80, 0}}, "map[A:20 B:20 C:60]"},
		{"a child that outlasts its parent is clipped", []piece{{"A", "", 0, 100, 0}, {"B", "A", 80, 200, 0}}, "map[A:80 B:20]"},
		{"a child that begins before its parent is clipped", []piece{{"A", "", 50, 100, 0}, {"B", "A", 20, 70, 0}}, "map[A:30 B:20]"},
		{"work that begins after the parent ended is not waited for", []piece{{"A", "", 0, 100, 0}, {"B", "A", 150, 200, 0}}, "map[A:100]"},
		{"what a queue hands on is not waited for", []piece{{"A", "", 0, 100, 0}, {"B", "A", 10, 90, telemetry.KindConsumer}}, "map[A:100]"},
		{"neighbours whose clocks overlap by a hair follow each other", []piece{{"A", "", 0, 1000, 0}, {"B", "A", 10, 210, 0}, {"C", "A", 209, 309, 0}, {"D", "A", 308, 608, 0}}, "map[A:402 B:199 C:99 D:300]"},
		{"equal ends: the longer was waited for", []piece{{"A", "", 0, 100, 0}, {"B", "A", 60, 100, 0}, {"C", "A", 20, 100, 0}}, "map[A:20 C:80]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := pathOf(tree(tt.pieces))
			if s := fmt.Sprint(got); s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
		})
	}
}

// The critical path covers the root's duration exactly, whatever the tree.
func TestTheCriticalPathCoversTheRoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		pieces := []piece{{"0", "", 0, rapid.IntRange(1, 100).Draw(t, "root"), 0}}
		for i := 1; i < n; i++ {
			from := rapid.IntRange(-20, 120).Draw(t, "from")
			pieces = append(pieces, piece{fmt.Sprint(i), fmt.Sprint(rapid.IntRange(0, i-1).Draw(t, "parent")), from, from + rapid.IntRange(0, 80).Draw(t, "length"), 0})
		}
		tr := tree(pieces)
		_, total := pathOf(tr)
		if want := int64(tr.Spans[mainRoot(tr)].Duration); total != want {
			t.Fatalf("path of %d ns in a root of %d ns", total, want)
		}
	})
}

func TestADeepChainIsBounded(t *testing.T) {
	pieces := []piece{{"0", "", 0, 20000, 0}}
	for i := 1; i < 10000; i++ {
		pieces = append(pieces, piece{fmt.Sprint(i), fmt.Sprint(i - 1), i, 20000 - i, 0})
	}
	tr := tree(pieces)
	_, total := pathOf(tr)
	if total != int64(tr.Spans[0].Duration) {
		t.Errorf("path of %d", total)
	}
}

func TestCriticalPathSegmentsAreInOrder(t *testing.T) {
	ops := newOperations()
	tr := tree([]piece{{"A", "", 0, 100, 0}, {"B", "A", 10, 40, 0}, {"C", "A", 50, 90, 0}, {"D", "C", 60, 70, 0}})
	var spans []telemetry.Span
	for _, s := range tr.Spans {
		spans = append(spans, *s)
	}
	w := newWindow(&telemetry.Dataset{Spans: spans}, ops)
	path := criticalPath(w, ops, 0)
	var names []string
	at := time.Duration(0)
	for _, s := range path {
		if s.Offset != at {
			t.Errorf("%s begins at %v, the one before ended at %v", s.Operation, s.Offset, at)
		}
		at += s.Duration
		names = append(names, s.Operation)
	}
	if got := strings.Join(names, " "); got != "A B A C D C A" || at != 100*ms {
		t.Errorf("path %s of %v", got, at)
	}
}

func TestALongPathIsShortened(t *testing.T) {
	ops := newOperations()
	pieces := []piece{{"root", "", 0, 10000, 0}}
	for i := range 1000 {
		pieces = append(pieces, piece{fmt.Sprint("c", i), "root", 10 * i, 10*i + 5 + i%4, 0})
	}
	tr := tree(pieces)
	var spans []telemetry.Span
	for _, s := range tr.Spans {
		spans = append(spans, *s)
	}
	w := newWindow(&telemetry.Dataset{Spans: spans}, ops)
	if path := criticalPath(w, ops, 0); len(path) == 0 || len(path) > 200 {
		t.Errorf("%d segments", len(path))
	}
}

// The inputs of CRISP's own tests, where they are at hand: the path covers the root and no
// span has more of it than it lasted.
func TestCriticalPathOnPublicTraces(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpora, "crisp", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	measured := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Data []struct {
				Spans []struct {
					SpanID     string
					References []struct{ SpanID string }
					StartTime  int
					Duration   int
				}
			}
		}
		if json.Unmarshal(raw, &doc) != nil || len(doc.Data) == 0 {
			continue
		}
		var pieces []piece
		for _, s := range doc.Data[0].Spans {
			p := piece{name: s.SpanID, from: s.StartTime, to: s.StartTime + s.Duration}
			if len(s.References) > 0 {
				p.parent = s.References[0].SpanID
			}
			pieces = append(pieces, p)
		}
		tr := tree(pieces)
		got, total := pathOf(tr)
		if total != int64(tr.Spans[mainRoot(tr)].Duration) {
			t.Errorf("%s: path of %d ns in a root of %d", f, total, tr.Spans[mainRoot(tr)].Duration)
		}
		for _, p := range pieces {
			if got[p.name] > p.to-p.from {
				t.Errorf("%s: %s has %d of the path and lasted %d", f, p.name, got[p.name], p.to-p.from)
			}
		}
		measured++
	}
	if measured == 0 {
		t.Skipf("SKIPPED: no traces under %s", corpora)
	}
}
