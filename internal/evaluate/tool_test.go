package evaluate

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/remediator/remediator/localize"
)

func TestEvaluateScoresEveryCase(t *testing.T) {
	dir := writeCorpus(t, map[string]any{
		"a": map[string]any{"kind": "code", "service": "x"},
		"b": map[string]any{"kind": "change", "service": "x", "commit": "0123456789"},
		"c": map[string]any{"kind": "none"},
	}, "b", "a", "c")
	tool := madeTool(func(id string, _ localize.Options) localize.Result {
		switch id {
		case "a":
			return naming("x", "y")
		case "b":
			r := naming("y", "x")
			r.Changes = []localize.RankedChange{{SHA: "0123456789"}}
			return r
		}
		return localize.Result{Decision: localize.Abstain}
	})
	r, err := tool.Evaluate(context.Background(), open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Rate{
		"service_top1": {1, 2}, "service_top3": {2, 2}, "commit_exact": {1, 1}, "abstained_on_none": {1, 1}, "abstained_wrongly": {0, 2}, "acted_on_wrong": {1, 2},
	} {
		if r.Metrics[name] != want {
			t.Errorf("%s: %v, want %v", name, r.Metrics[name], want)
		}
	}
	if len(r.Answers) != 3 || r.Answers[0].Prediction.Case != "b" || r.Rows[0].Case != "a" {
		t.Error("answers come in the order of the corpus, rows in that of the cases' names")
	}
	if c := r.Costs[0]; c.Spans != 1200 || c.Logs != 1200 || c.Points != 1200 || c.Load.Seconds() != 1 || c.Rank.Seconds() != 1 || c.Allocated == 0 || c.Peak == 0 {
		t.Errorf("cost %+v", c)
	}
	var table bytes.Buffer
	r.CaseTable(&table, true)
	r.Summary(&table, true)
	for _, want := range []string{"| b | change | act |  | 0.00 | 2 |", "| commit_exact | 1 / 1 | 100.0 % |"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
}

// The answers must not be open while anything can still be ranked.
func TestAnswersAreReadAfterRanking(t *testing.T) {
	dir := writeCorpus(t, map[string]any{"a": nil, "b": nil}, "a", "b")
	ranked := 0
	tool := madeTool(func(string, localize.Options) localize.Result {
		if ranked++; ranked == 2 { // not there before the last case was ranked
			writeJSON(t, filepath.Join(dir, "a", "truth.json"), map[string]any{"kind": "none"})
			writeJSON(t, filepath.Join(dir, "b", "truth.json"), map[string]any{"kind": "none"})
		}
		return localize.Result{Decision: localize.Abstain}
	})
	if _, err := tool.Evaluate(context.Background(), open(t, dir)); err != nil {
		t.Error(err)
	}
}

func TestErrorsSayWhatIsMissing(t *testing.T) {
	tool := madeTool(func(string, localize.Options) localize.Result { return naming("x") })
	evaluate := func(dir string) error {
		c, err := Open(dir)
		if err != nil {
			return err
		}
		_, err = tool.Evaluate(context.Background(), c)
		return err
	}
	good := map[string]any{"kind": "none"}
	tests := map[string]struct {
		dir  string
		want string
	}{
		"no corpus.json":    {t.TempDir(), "has no corpus.json"},
		"no answer":         {writeCorpus(t, map[string]any{"a": nil}, "a"), "has no truth.json"},
		"no such case":      {writeCorpus(t, map[string]any{"a": good}, "a", "b"), "lists case \"b\", but there is neither"},
		"no cases":          {writeCorpus(t, nil), "lists no cases"},
		"twice":             {writeCorpus(t, map[string]any{"a": good}, "a", "a"), `case "a" twice`},
		"outside":           {writeCorpus(t, map[string]any{"a": good}, "../a"), "not the name of a file or directory"},
		"unknown kind":      {writeCorpus(t, map[string]any{"a": map[string]any{"kind": "x"}}, "a"), `kind "x" is none of`},
		"lines upside down": {writeCorpus(t, map[string]any{"a": map[string]any{"kind": "code", "lines": []int{4, 3}}}, "a"), "are not [from, to]"},
		"unreadable bundle": {writeCorpus(t, map[string]any{"unreadable": good}, "unreadable"), "case unreadable of made: the telemetry"},
		"malformed answer":  {writeCorpus(t, map[string]any{"a": "nonsense"}, "a"), "truth.json: json:"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := evaluate(tt.dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	mixed := writeCorpus(t, map[string]any{"a": good}, "a", "b.json")
	if err := os.WriteFile(filepath.Join(mixed, "b.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := evaluate(mixed); err == nil || !strings.Contains(err.Error(), "not of one kind") {
		t.Errorf("error %v for a corpus of bundles and documents", err)
	}
}

func TestCorpusNamesThatAreNoNamesOfPagesAreRefused(t *testing.T) {
	for _, name := range []string{"../../outside", "a/b", `a\b`, "..", ".hidden", "a\x1b[31m", "a\nb", "README", "misses", "Costs", strings.Repeat("a", 200)} {
		dir := writeCorpus(t, map[string]any{"a": map[string]any{"kind": "none"}}, "a")
		text, err := json.Marshal(map[string]any{"name": name, "cases": []string{"a"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "corpus.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "cannot be the name of a corpus") {
			t.Errorf("a corpus called %q: error %v", name, err)
		}
	}
}

func TestPipesInPlaceOfLabelsAreRefused(t *testing.T) {
	dir := writeCorpus(t, map[string]any{"a": nil}, "a")
	if err := syscall.Mkfifo(filepath.Join(dir, "a", "truth.json"), 0o600); err != nil {
		t.Skip("this system makes no pipes:", err)
	}
	if _, err := readLabel(filepath.Join(dir, "a", "truth.json")); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("truth.json that is a pipe: error %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "corpus.json")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "corpus.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("corpus.json that is a pipe: error %v", err)
	}
}

func TestSweepComparesVariants(t *testing.T) {
	dir := writeCorpus(t, map[string]any{"a": map[string]any{"kind": "code", "service": "x"}, "bb": map[string]any{"kind": "code", "service": "x"}}, "a", "bb")
	tool := madeTool(func(id string, o localize.Options) localize.Result {
		if len(o.Without) > 0 && id == "a" {
			return naming("y", "x")
		}
		return naming("x", "y")
	})
	signals := localize.Signals()[:1]
	a, err := tool.Ablate(context.Background(), []*Corpus{open(t, dir)}, signals)
	if err != nil {
		t.Fatal(err)
	}
	if was, now := a.Published.Sum()["service_top1"], a.Without[0].Sum()["service_top1"]; was != (Rate{2, 2}) || now != (Rate{1, 2}) {
		t.Errorf("service first: %v published, %v without; want 2 / 2 and 1 / 2", was, now)
	}
	// Each case has a healthy recording of its own, and two halves of it.
	if got := a.Published.Healthy; got != (Rate{4, 4}) {
		t.Errorf("named in %v healthy windows, want 4 / 4", got)
	}
	if got := changesFrom(&a.Published, &a.Without[0]); !strings.Contains(got, "service first 2 → 1") || strings.Contains(got, "among three") {
		t.Errorf("changes: %s", got)
	}
	if got := changesFrom(&a.Published, &a.Only[0]); got != "nothing" {
		t.Errorf("the only signal alone changes %s", got)
	}
	var table bytes.Buffer
	a.Table(&table, true)
	if !strings.Contains(table.String(), "| without "+signals[0].Name+" | 1 / 2 (-1) | 2 / 2 |") {
		t.Errorf("table\n%s", table.String())
	}
}

func TestSweepRefusesNamesThatNothingGoesBy(t *testing.T) {
	dir := writeCorpus(t, map[string]any{"a": map[string]any{"kind": "none"}}, "a")
	tool := madeTool(func(string, localize.Options) localize.Result { return naming("x") })
	_, err := tool.Sense(context.Background(), []*Corpus{open(t, dir)}, []localize.Constant{{Name: "no.such.constant", Value: 1}})
	if err == nil || !strings.Contains(err.Error(), "no.such.constant") {
		t.Errorf("error %v", err)
	}
}
