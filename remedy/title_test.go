package remedy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

func TestTitleIsMadeOfServiceOperationAndSymptom(t *testing.T) {
	c := &Case{Symptom: localize.Symptom{Service: "edge", Operation: "POST /orders/{id}", Kind: localize.SymptomErrors}}
	if got, want := title(c), "Errors on edge POST /orders/{id}"; got != want {
		t.Errorf("title = %q, want %q", got, want)
	}
	c.Symptom.Kind = localize.SymptomLatency
	if got, want := title(c), "Slow answers on edge POST /orders/{id}"; got != want {
		t.Errorf("title = %q, want %q", got, want)
	}
}

// TestTitleWithoutTelemetryDoesNotDenyTheIncident: that nothing was seen is no news of health.
func TestTitleWithoutTelemetryDoesNotDenyTheIncident(t *testing.T) {
	c := &Case{Symptom: localize.Symptom{Kind: localize.SymptomUnknown}}
	c.Incident.Service, c.Incident.Operation = "edge", "POST /orders"
	if got, want := title(c), "No telemetry of edge POST /orders"; got != want {
		t.Errorf("title = %q, want %q", got, want)
	}
	next := nextForAbstention(&localize.Result{Symptom: c.Symptom, Cause: localize.CauseNone})
	if strings.Contains(next, "alert rule") || strings.Contains(next, "healthy") {
		t.Errorf("next step without any telemetry: %q", next)
	}
	next = nextForAbstention(&localize.Result{Cause: localize.CauseNone, Gaps: []localize.Gap{{Code: "no_baseline"}}})
	if strings.Contains(next, "alert rule") {
		t.Errorf("next step without a healthy window: %q", next)
	}
}

// TestTitlesCarryNothingHostile: whatever telemetry holds, a title is one short line without markup.
func TestTitlesCarryNothingHostile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		c := &Case{Symptom: localize.Symptom{Service: text, Operation: text, Kind: localize.SymptomErrors}}
		p := &patch.Patch{Option: patch.Option{Title: text}}
		for _, got := range []string{title(c), patchTitle(p, text)} {
			if len(got) > maxTitle {
				t.Fatalf("title of %d bytes: %q", len(got), got)
			}
			if strings.ContainsAny(got, "\n\r\x00\x1b`@#<>[]()*!|\"'\\") {
				t.Fatalf("title %q carries markup", got)
			}
		}
	})
}

func TestWrapKeepsEveryWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,30}`), 0, 40).Draw(t, "words"), " ")
		got := wrap(text)
		if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(text), " ") {
			t.Fatalf("words were lost: %q", got)
		}
		for line := range strings.Lines(got) {
			if len(strings.TrimSpace(line)) > maxTitle {
				t.Fatalf("line of %d: %q", len(line), line)
			}
		}
	})
}

func TestCountsOfADiff(t *testing.T) {
	diff := "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n a\n-b\n+c\n+++d\n"
	if added, deleted := counts(diff); added != 2 || deleted != 1 {
		t.Errorf("counts = %d added, %d deleted; want 2 and 1", added, deleted)
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{"a/b.go": "a/b.go", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm -rf x)": "'$(rm -rf x)'"} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", in, got, want)
		}
	}
}
