package evaluate

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// writeCorpus makes a corpus of bundles that hold nothing but their answers.
func writeCorpus(t *testing.T, truths map[string]any, order ...string) string {
	t.Helper()
	dir := t.TempDir()
	writeJSON(t, filepath.Join(dir, "corpus.json"), map[string]any{"name": "made", "cases": order})
	for id, truth := range truths {
		if err := os.MkdirAll(filepath.Join(dir, id, "incident"), 0o700); err != nil {
			t.Fatal(err)
		}
		if truth != nil {
			writeJSON(t, filepath.Join(dir, id, "truth.json"), truth)
		}
	}
	return dir
}

func writeJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Corpus {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// steps is a clock that moves on by a second whenever it is looked at.
func steps() func() time.Time {
	at := time.Unix(1_700_000_000, 0)
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

// evidenceOf is ten minutes of requests of one service, one per second, with a log record and a metric each.
func evidenceOf(service string, from int64) telemetry.Dataset {
	res := &telemetry.Resource{Service: service}
	var ds telemetry.Dataset
	series := telemetry.Series{Name: "cpu", Resource: res}
	for i := range int64(600) {
		at := from + i*int64(time.Second)
		id := telemetry.TraceID{1, byte(i), byte(i >> 8)}
		ds.Spans = append(ds.Spans, telemetry.Span{Trace: id, ID: telemetry.SpanID{1, byte(i), byte(i >> 8)}, Resource: res, Name: "GET /", Kind: telemetry.KindServer, Start: at, Duration: time.Second})
		ds.Logs = append(ds.Logs, telemetry.Log{Time: at, Resource: res, Body: "served", Trace: id})
		series.Points = append(series.Points, telemetry.Point{Time: at, Value: 1})
	}
	ds.Metrics = []telemetry.Series{series}
	return ds
}

// madeTool ranks what rank says, of evidence that does not matter.
func madeTool(rank func(dir string, o localize.Options) localize.Result) *Tool {
	dirs := map[string]string{} // service of the evidence to directory
	return &Tool{
		Now: steps(),
		Load: func(dir string) (incident.Incident, localize.Evidence, error) {
			name := filepath.Base(dir)
			if name == "unreadable" {
				return incident.Incident{}, localize.Evidence{}, errors.New("the telemetry is no telemetry")
			}
			dirs[name] = dir
			return incident.Incident{Service: name}, localize.Evidence{Incident: evidenceOf(name, 1e18), Baseline: evidenceOf(name, 9e17+int64(len(name)))}, nil
		},
		Rank: func(in incident.Incident, _ localize.Evidence, o localize.Options) localize.Result {
			return rank(in.Service, o)
		},
	}
}

func naming(services ...string) localize.Result {
	r := localize.Result{Decision: localize.Act}
	for i, s := range services {
		r.Suspects = append(r.Suspects, localize.Suspect{Service: s, Score: 1 / float64(i+1)})
	}
	return r
}
