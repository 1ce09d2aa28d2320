package otlp

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/telemetry"
)

// TestDrawnBundleIsTheSameEvidence: a case of the service can be worked out again from files, with the same result.
func TestDrawnBundleIsTheSameEvidence(t *testing.T) {
	log := newRing(fixed(noon))
	onset := noon.Add(-10 * time.Minute)
	traffic(t, log, noon.Add(-time.Hour), noon, func(at time.Time, n int) fate {
		return fate{failed: !at.Before(onset) && n%3 == 0, took: 20 * time.Millisecond}
	})
	dir := t.TempDir()
	w, err := bundle.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	live := draw(t, newWindow(t, log, noon, nil), noon.Add(-2*time.Minute), Draw{Sink: w})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Load(dir, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, both := range map[string][2]telemetry.Dataset{"incident": {live.Incident, b.Evidence.Incident}, "baseline": {live.Baseline, b.Evidence.Baseline}} {
		a, b := both[0], both[1]
		a.Notes = slices.DeleteFunc(a.Notes, func(n telemetry.Note) bool { return n.Code == NoteWindows })
		if len(a.Spans) == 0 || len(a.Logs) == 0 || len(a.Metrics) == 0 {
			t.Errorf("%s is not whole", name)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %d spans, %d logs, %d series, notes %v; from the files %d, %d, %d, %v", name, len(a.Spans), len(a.Logs), len(a.Metrics), a.Notes, len(b.Spans), len(b.Logs), len(b.Metrics), b.Notes)
		}
	}
}

// TestSinkThatFailsEndsTheDraw: half a bundle must not look like a whole one.
func TestSinkThatFailsEndsTheDraw(t *testing.T) {
	log := newRing(fixed(noon))
	traffic(t, log, noon.Add(-10*time.Minute), noon, healthy)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/incident", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := bundle.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := newWindow(t, log, noon, nil).Evidence(t.Context(), noon, Draw{Sink: w}); err == nil || !strings.Contains(err.Error(), "incident bundle") {
		t.Error(err)
	}
}
