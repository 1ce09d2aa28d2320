package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// publicCorpora is the directory of public data sets beside the repository.
const publicCorpora = "../../../shared/corpora"

// evaluated runs eval and returns its metrics per corpus.
func evaluated(t *testing.T, args ...string) map[string]map[string]map[string]int {
	t.Helper()
	var out, errs bytes.Buffer
	if code := execute(context.Background(), append([]string{"eval", "--format", "json"}, args...), stdio{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	var sections []struct {
		Data struct {
			Corpus  string                    `json:"corpus"`
			Metrics map[string]map[string]int `json:"metrics"`
		} `json:"data"`
	}
	if err := json.Unmarshal(out.Bytes(), &sections); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	metrics := map[string]map[string]map[string]int{}
	for _, s := range sections {
		metrics[s.Data.Corpus] = s.Data.Metrics
	}
	return metrics
}

// compareScores holds eval's metrics of a corpus against those of the scorer that comes with it, on the predictions that
// eval wrote.
func compareScores(t *testing.T, corpus string) {
	t.Helper()
	dir := filepath.Join(publicCorpora, corpus)
	scorer := filepath.Join(publicCorpora, "score.py")
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3, so eval was not compared with the corpora's own scorer")
	}
	if _, err := os.Stat(scorer); err != nil {
		t.Skipf("SKIPPED: no %s, so eval was not compared with the corpora's own scorer", scorer)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: no corpus %s beside the repository", dir)
	}
	file := filepath.Join(t.TempDir(), "predictions.jsonl")
	ours := evaluated(t, "--corpus", dir, "--predictions", file)[corpus]
	out, err := exec.Command(python, scorer, file, dir, "--json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var theirs struct {
		Cases    int      `json:"cases"`
		Answered int      `json:"answered"`
		Unknown  []string `json:"unknown_predictions"`
		Metrics  map[string]struct{ Hits, Of int }
	}
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	if theirs.Answered != theirs.Cases || len(theirs.Unknown) > 0 || len(theirs.Metrics) == 0 {
		t.Errorf("%d of %d cases answered, %d unknown ones", theirs.Answered, theirs.Cases, len(theirs.Unknown))
	}
	for name, want := range theirs.Metrics {
		if got := ours[name]; got["hits"] != want.Hits || got["of"] != want.Of {
			t.Errorf("%s of %s: %v, the scorer says %d of %d", name, corpus, got, want.Hits, want.Of)
		}
	}
}

func TestEvalAgreesWithTheScorer(t *testing.T) {
	for _, corpus := range []string{"rootcausebench", "jaeger-skills"} {
		t.Run(corpus, func(t *testing.T) { compareScores(t, corpus) })
	}
}

// The largest corpus takes half a minute under the race detector.
func TestEvalAgreesWithTheScorerLive(t *testing.T) {
	if os.Getenv("REMEDIATOR_LIVE") == "" {
		t.Skip("SKIPPED: the largest corpus is compared with its scorer by make test-live only")
	}
	compareScores(t, "nezha")
}

// Answers do not depend on the run, nor on the other corpora beside.
func TestEvalIsDeterministic(t *testing.T) {
	dir := filepath.Join(publicCorpora, "jaeger-skills")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: no corpus %s beside the repository", dir)
	}
	var written []string
	for range 2 {
		file := filepath.Join(t.TempDir(), "predictions.jsonl")
		evaluated(t, "--corpus", dir, "--predictions", file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, string(data))
	}
	if written[0] != written[1] || strings.Count(written[0], "\n") != 3 {
		t.Errorf("two runs differ, or have not three answers:\n%s\n%s", written[0], written[1])
	}
}

func TestEvalSimulates(t *testing.T) {
	m := evaluated(t, "--simulate", "2", "--seed", "7")["simulated"]
	if m["service_top1"]["of"]+m["abstained_on_none"]["of"] == 0 {
		t.Errorf("two made-up incidents gave no metric: %v", m)
	}
}

func TestEvalErrors(t *testing.T) {
	empty := t.TempDir()
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing to do":  {nil, exitUsage, "--corpus is required"},
		"unknown format": {[]string{"--corpus", empty, "--format", "xml"}, exitUsage, "choose one of table, json, markdown"},
		"no corpus":      {[]string{"--corpus", empty}, exitInput, "has no corpus.json"},
		"no bundles":     {[]string{"--bundles", empty}, exitInput, "holds no incident bundle with a truth.json"},
		"arguments":      {[]string{"x"}, exitUsage, "takes no arguments"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := execute(context.Background(), append([]string{"eval"}, tt.args...), stdio{strings.NewReader(""), &out, &errs})
			if code != tt.code || !strings.Contains(errs.String(), tt.want) {
				t.Errorf("exit code %d, %q; want %d with %q", code, errs.String(), tt.code, tt.want)
			}
		})
	}
}
