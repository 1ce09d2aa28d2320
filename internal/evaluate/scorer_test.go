package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// scorer is the program that comes with the public corpora and scores predictions independently.
const scorer = "../../../shared/corpora/score.py"

func needScorer(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3, so the metrics were not compared with the corpora's own scorer")
	}
	if _, err := os.Stat(scorer); err != nil {
		t.Skipf("SKIPPED: no %s, so the metrics were not compared with the corpora's own scorer", scorer)
	}
	return python
}

// scored is what the scorer prints.
type scored struct {
	Metrics map[string]Rate `json:"metrics"`
	PerCase []struct {
		Case    string `json:"case"`
		Service *int   `json:"service_rank"`
		File    *int   `json:"file_rank"`
		Commit  *bool  `json:"commit"`
		Decoy   *bool  `json:"decoy"`
	} `json:"per_case"`
}

// own are the metrics that the scorer does not know.
var own = map[string]bool{"region_top1": true, "region_top3": true, "acted_on_wrong": true, "named_top1[external]": true}

func compareWithScorer(t *testing.T, python, dir string, predictions []Prediction, m Metrics, rows []Row) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "predictions.jsonl")
	var b bytes.Buffer
	if err := WritePredictions(&b, predictions); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, scorer, file, dir, "--json", "--cases")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", scorer, err, stderr.String())
	}
	var theirs scored
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	if len(theirs.Metrics) == 0 {
		t.Fatal("the scorer printed no metrics")
	}
	for name, want := range theirs.Metrics {
		if m[name] != want {
			t.Errorf("%s: %v, the scorer says %v", name, m[name], want)
		}
	}
	for name := range m {
		if _, ok := theirs.Metrics[name]; !ok && !own[name] {
			t.Errorf("the scorer has no metric %s", name)
		}
	}
	for i, want := range theirs.PerCase {
		got := rows[i]
		rank := func(what string, got, want *int) {
			g, w := 0, 0
			if got != nil {
				g = *got
			}
			if want != nil {
				w = *want
			}
			if g != w {
				t.Errorf("case %s: %s rank %d, the scorer says %d", theirs.PerCase[i].Case, what, g, w)
			}
		}
		if got.Case != want.Case {
			t.Fatalf("row %d is of %s, the scorer's of %s", i, got.Case, want.Case)
		}
		rank("service", got.Service, want.Service)
		rank("file", got.File, want.File)
		if fmt.Sprint(deref(got.Commit), deref(got.Decoy)) != fmt.Sprint(deref(want.Commit), deref(want.Decoy)) {
			t.Errorf("case %s: commit and decoy %v %v, the scorer says %v %v", got.Case, deref(got.Commit), deref(got.Decoy), deref(want.Commit), deref(want.Decoy))
		}
	}
}

func deref(b *bool) string {
	if b == nil {
		return "none"
	}
	return fmt.Sprint(*b)
}

var (
	someNames  = rapid.SampledFrom([]string{"a", "b", "c", " a ", "d.e", "front end", ""})
	somePaths  = rapid.SampledFrom([]string{"x.go", "a/x.go", "b/a/x.go", "./a/x.go", `b\a\x.go`, "a/x.java", "p.q.x", "q.x", "x", "a/x", ".x", ".x.go", "a/x.GO", "a/x.go:12", "a/x.go#L3-L9", "", "p/q.x", "x.tar.gz", "a/.go", "..x"})
	someHashes = rapid.SampledFrom([]string{"", "none", "0123456789abcdef0123456789abcdef01234567", "0123456", "012345", "0123456789ABCDEF", "fedcba9876543210fedcba9876543210fedcba98", "fedcba9", "nothexa", " 0123456 "})
)

func entriesOf(name *rapid.Generator[string]) *rapid.Generator[[]Entry] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Entry {
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			return Entry{Names: []string{name.Draw(t, "name")}}
		case 1:
			return Entry{Names: rapid.SliceOfN(name, 2, 4).Draw(t, "tie")}
		}
		score := float64(rapid.IntRange(0, 2).Draw(t, "score")) / 2
		return Entry{Names: []string{name.Draw(t, "name")}, Score: &score}
	}), 0, 7)
}

// madeUp is a labelled case with an answer that may be wrong in any way.
type madeUp struct {
	truth      map[string]any
	prediction *Prediction
}

var madeUpCase = rapid.Custom(func(t *rapid.T) madeUp {
	truth := map[string]any{"kind": rapid.SampledFrom([]string{"code", "resource", "change", "external", "none"}).Draw(t, "kind")}
	maybe := func(key string, value func() any) {
		if rapid.Bool().Draw(t, key+"?") {
			truth[key] = value()
		}
	}
	maybe("service", func() any { return rapid.SampledFrom([]string{"a", "b", "", "front end"}).Draw(t, "service") })
	maybe("file", func() any { return somePaths.Draw(t, "file") })
	maybe("files", func() any { return rapid.SliceOfN(somePaths, 0, 3).Draw(t, "files") })
	maybe("lines", func() any { return []int{rapid.IntRange(0, 3).Draw(t, "from"), 9} })
	maybe("commit", func() any { return someHashes.Draw(t, "commit") })
	maybe("decoys", func() any { return rapid.SliceOfN(someHashes, 0, 3).Draw(t, "decoys") })
	if rapid.IntRange(0, 5).Draw(t, "scoped") == 0 {
		truth["scope_span"] = rapid.SampledFrom([]any{nil, "", "x"}).Draw(t, "span")
	}
	if rapid.IntRange(0, 9).Draw(t, "unanswered") == 0 {
		return madeUp{truth, nil}
	}
	return madeUp{truth, &Prediction{
		Services: entriesOf(someNames).Draw(t, "services"), Files: entriesOf(somePaths).Draw(t, "files"), Commit: someHashes.Draw(t, "blamed"),
		Decision: rapid.SampledFrom([]string{"act", "abstain", ""}).Draw(t, "decision"),
	}}
})

// Whatever is predicted and whatever is true, both scorers count the same.
func TestScoreAgreesWithTheCorporasScorer(t *testing.T) {
	python := needScorer(t)
	dir := t.TempDir()
	var ids []string
	truths := map[string]Truth{}
	predictions := map[string]Prediction{}
	var list []Prediction
	for i := range 1000 {
		made := madeUpCase.Example(i)
		id := fmt.Sprintf("case-%04d", i)
		ids = append(ids, id)
		data, err := json.Marshal(made.truth)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, id, "truth.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if truths[id], err = parseTruth(data, id); err != nil {
			t.Fatal(err)
		}
		if made.prediction != nil {
			made.prediction.Case = id
			predictions[id] = *made.prediction
			list = append(list, *made.prediction)
		}
	}
	corpus, err := json.Marshal(map[string]any{"name": "made up", "cases": ids})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "corpus.json"), corpus, 0o600); err != nil {
		t.Fatal(err)
	}
	m, rows := Score(truths, predictions)
	compareWithScorer(t, python, dir, list, m, rows)
}

// The three forms of an entry come back as they were written.
func TestEntriesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := entriesOf(somePaths).Draw(t, "entries")
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got []Entry
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if a, b := fmt.Sprint(groups(want)), fmt.Sprint(groups(got)); a != b {
			t.Errorf("%s became %s", a, b)
		}
	})
}
