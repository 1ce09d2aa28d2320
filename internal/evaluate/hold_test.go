package evaluate

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// failing is a window in which the database's every n-th answer is slow and the backend then fails.
func failing(from int64, n int) telemetry.Dataset {
	var ds telemetry.Dataset
	front, back := &telemetry.Resource{Service: "front"}, &telemetry.Resource{Service: "back"}
	for i := range 60 {
		at := from + int64(i)*5e8
		trace, status, took := telemetry.TraceID{2, byte(i), byte(from >> 40)}, telemetry.StatusUnset, int64(2e7)
		if n > 0 && i > 20 && i%n == 0 {
			status, took = telemetry.StatusError, 2e8
			ds.Logs = append(ds.Logs, telemetry.Log{Time: at + took, Resource: back, Body: "order refused: no stock record", Severity: 17, Trace: trace})
		}
		id := func(k byte) telemetry.SpanID { return telemetry.SpanID{k, byte(i)} }
		ds.Spans = append(ds.Spans,
			telemetry.Span{Trace: trace, ID: id(1), Resource: front, Name: "GET /", Kind: telemetry.KindServer, Start: at, Duration: time.Duration(took + 11e6), Status: status},
			telemetry.Span{Trace: trace, ID: id(2), Parent: id(1), Resource: front, Name: "POST /order", Kind: telemetry.KindClient, Start: at + 1e6, Duration: time.Duration(took + 4e6), Status: status},
			telemetry.Span{Trace: trace, ID: id(3), Parent: id(2), Resource: back, Name: "POST /order", Kind: telemetry.KindServer, Start: at + 2e6, Duration: time.Duration(took), Status: status})
	}
	return ds
}

// What is measured over studies is what is measured by ranking anew for every variant, and each case is looked at once.
func TestStudiesMeasureWhatRankingAnewMeasures(t *testing.T) {
	measure := func(studies bool) (tables string, looked, ranked int) {
		one := map[string]any{"kind": "code", "service": "back"}
		a, b := open(t, writeCorpus(t, map[string]any{"a1": one, "a2": one}, "a1", "a2")), open(t, writeCorpus(t, map[string]any{"b1": one}, "b1"))
		a.Name, b.Name = "a", "b"
		var mu sync.Mutex
		tool := &Tool{Now: steps(), Load: func(dir string) (incident.Incident, localize.Evidence, error) {
			every := map[string]int{"a1": 2, "a2": 3, "b1": 5}[filepath.Base(dir)]
			return incident.Incident{}, localize.Evidence{Incident: failing(1e18, every), Baseline: failing(9e17, 0)}, nil
		}, Rank: func(in incident.Incident, ev localize.Evidence, o localize.Options) localize.Result {
			mu.Lock()
			defer mu.Unlock()
			ranked++
			return localize.Rank(in, ev, o)
		}}
		if studies {
			tool.Study = func(in incident.Incident, ev localize.Evidence) func(localize.Options) localize.Result {
				looked++
				return localize.NewStudy(in, ev).Rank
			}
		}
		var steps []string
		tool.Progress = func(step string, done, of int) {
			if done < 0 || done >= of {
				t.Errorf("%s: %d of %d", step, done, of)
			}
			steps = append(steps, step)
		}
		sections, _, err := tool.Measure(context.Background(), []*Corpus{a, b}, Wanted{Ablation: true, LeaveOut: true})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := Print(&out, sections, "markdown"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"ranking a", "ablation", "leaving out, weight 1 of "} {
			if !strings.Contains(strings.Join(steps, "\n"), want) {
				t.Errorf("nobody was told of %q, only of %q", want, steps)
			}
		}
		return out.String(), looked, ranked
	}
	slow, _, _ := measure(false)
	fast, looked, ranked := measure(true)
	if slow != fast {
		t.Errorf("studies measure\n%s\nranking anew\n%s", fast, slow)
	}
	for _, want := range []string{"| without errors | ", "operations by Tarantula", "operations by D*2", "operations alone, by Jaccard", "Op2"} {
		if !strings.Contains(fast, want) {
			t.Errorf("no %q in\n%s", want, fast)
		}
	}
	// Three cases, and two halves of the one healthy recording; the reports rank each case as the product does.
	if looked != 5 || ranked > 6 {
		t.Errorf("%d looks and %d rankings", looked, ranked)
	}
}

func TestALabelThatIsALinkIsRefused(t *testing.T) {
	dir := writeCorpus(t, map[string]any{"a": nil}, "a")
	elsewhere := filepath.Join(t.TempDir(), "label.json")
	writeJSON(t, elsewhere, map[string]any{"kind": "none"})
	if err := os.Symlink(elsewhere, filepath.Join(dir, "a", "truth.json")); err != nil {
		t.Skip(err)
	}
	if _, err := open(t, dir).Truth("a"); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("error %v for a truth.json that leads elsewhere", err)
	}
}

func TestAFileIsWrittenAsAWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "page.md")
	for _, text := range []string{"old", "new"} {
		if err := WriteWhole(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "taken", "in use"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteWhole(filepath.Join(dir, "taken"), []byte("x")); err == nil {
		t.Error("a directory was overwritten")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v; want page.md and taken, and nothing half-written", left, err)
	}
}
