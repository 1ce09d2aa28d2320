package simulate

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/localize"
)

// small keeps the tests short: few services, little traffic.
func small(faults ...string) Options {
	return Options{Services: 5, Traffic: 0.2, Faults: faults}
}

// sunk is a Sink in memory: every file of a bundle as the bytes that would be written.
type sunk struct {
	files  map[string][]byte
	closed bool
}

func newSunk() *sunk { return &sunk{files: map[string][]byte{}} }

func (s *sunk) put(name string, data []byte, err error) error {
	if err == nil {
		s.files[name] = data
	}
	return err
}

func (s *sunk) Alert(body []byte) error { return s.put("alert.json", body, nil) }

func (s *sunk) Context(c []localize.Change, d []localize.Deploy, f []localize.FlagChange) error {
	data, err := json.Marshal([]any{c, d, f})
	return s.put("context", data, err)
}

func (s *sunk) Traces(window string, td ptrace.Traces) error {
	data, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	return s.put(window+"/traces", data, err)
}

func (s *sunk) Logs(window string, ld plog.Logs) error {
	data, err := (&plog.JSONMarshaler{}).MarshalLogs(ld)
	return s.put(window+"/logs", data, err)
}

func (s *sunk) Metrics(window string, md pmetric.Metrics) error {
	data, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	return s.put(window+"/metrics", data, err)
}

func (s *sunk) Close() error { s.closed = true; return nil }

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	for _, seed := range []int64{3} {
		first, second := newSunk(), newSunk()
		a, b := Case(seed, small("nil_after_refactor", "party_down")), Case(seed, small("nil_after_refactor", "party_down"))
		for _, err := range []error{a.Write(first), b.Write(second)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(first.files) < 4 || !first.closed {
			t.Fatalf("seed %d: only %d files were written (closed: %v)", seed, len(first.files), first.closed)
		}
		for name, data := range first.files {
			if !bytes.Equal(data, second.files[name]) {
				t.Errorf("seed %d: %s differs between two runs", seed, name)
			}
		}
		if x, y := asJSON(t, a.Truth), asJSON(t, b.Truth); x != y {
			t.Errorf("seed %d: truth %s, then %s", seed, x, y)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEveryFaultFindsAPlace prepares each fault, without living through it.
func TestEveryFaultFindsAPlace(t *testing.T) {
	all := faults()
	if len(all) < 40 {
		t.Fatalf("only %d faults", len(all))
	}
	for _, f := range all {
		placed := 0
		for seed := range int64(6) {
			s := newScene(seed, 0, f, Options{Services: 14})
			if !f.apply(s) {
				continue
			}
			placed++
			checkPlan(t, s)
		}
		if placed == 0 {
			t.Errorf("%s found no place in 6 systems", f.name)
		}
	}
}

func checkPlan(t *testing.T, s *scene) {
	t.Helper()
	tr := s.plan.truth
	if !slices.Contains([]string{"code", "change", "resource", "external", "none"}, tr.Kind) {
		t.Errorf("%s: kind %q", tr.Fault, tr.Kind)
	}
	if c := s.plan.culprit; c != nil {
		if tr.Commit != c.SHA || c.Service == "" || strings.ContainsAny(c.Message, "{}") {
			t.Errorf("%s: culprit %q by %s says %q", tr.Fault, c.SHA, c.Service, c.Message)
		}
		if h := c.Files[0].Patch; !strings.HasPrefix(h, "@@ -") || !strings.Contains(h, "\n+") && !strings.Contains(h, "\n-") {
			t.Errorf("%s: patch %q", tr.Fault, h)
		}
		if s.plan.deploy == nil || !s.plan.deploy.Time.Before(s.onset) {
			t.Errorf("%s: the culprit is not rolled out before it is felt", tr.Fault)
		}
	}
}

// TestIncidents lives through one fault of several classes and checks what is always true of an incident.
func TestIncidents(t *testing.T) {
	for _, name := range []string{"cpu_contention", "wrong_url", "party_down", "service_gone", "restart"} {
		b := Case(3, small(name))
		if b.Truth.Fault != name {
			t.Errorf("%s was not noticed in any system of the seed", name)
			continue
		}
		checkCase(t, &b)
	}
}

func checkCase(t *testing.T, b *Bundle) {
	t.Helper()
	tr := b.Truth
	inc, err := incident.Parse(b.Alert)
	if err != nil {
		t.Fatalf("alert: %v", err)
	}
	alert := inc.StartsAt
	if !tr.InjectTime.Before(alert) || tr.InjectTime.Before(b.Incident.From) || !alert.Before(b.Incident.To) {
		t.Errorf("window %s to %s, fault at %s, alert at %s", b.Incident.From, b.Incident.To, tr.InjectTime, alert)
	}
	if !b.Baseline.To.Before(b.Incident.From) {
		t.Errorf("the healthy window ends at %s, the incident begins at %s", b.Baseline.To, b.Incident.From)
	}
	if (tr.Kind == "none") != (tr.Effect == "") {
		t.Errorf("kind %s, but what was noticed is %q", tr.Kind, tr.Effect)
	}
	shas := map[string]localize.Change{}
	for _, c := range b.Changes {
		shas[c.SHA] = c
		if c.Time.After(alert) {
			t.Errorf("commit %s is of %s, after the alert", c.SHA, c.Time)
		}
	}
	for _, d := range b.Deploys {
		if d.Time.After(alert) {
			t.Errorf("roll-out of %s at %s, after the alert", d.Service, d.Time)
		}
	}
	for _, d := range tr.Decoys {
		if _, ok := shas[d]; !ok || d == tr.Commit {
			t.Errorf("decoy %s is no innocent commit of the history", d)
		}
	}
	if tr.Kind == "change" && tr.Commit != "none" {
		checkCulprit(t, b, shas[tr.Commit])
	}
	checkTraces(t, b.Incident.Traces)
	checkTraces(t, b.Baseline.Traces)
}

// checkCulprit: the culprit is in the history, touches the file at fault, and was rolled out before the fault was felt.
func checkCulprit(t *testing.T, b *Bundle, c localize.Change) {
	t.Helper()
	tr := b.Truth
	if c.SHA == "" || len(c.Files) == 0 || c.Files[0].Path != tr.File || c.Files[0].Patch == "" {
		t.Errorf("culprit %q touches %v, the fault is in %s", c.SHA, c.Files, tr.File)
	}
	if strings.ContainsAny(c.Message+c.Files[0].Patch, "\x00") || strings.Contains(c.Message, "{Name}") || strings.Contains(c.Message, "{fn}") {
		t.Errorf("message %q was not filled in", c.Message)
	}
	deployed := false
	for _, d := range b.Deploys {
		if d.SHA == c.SHA {
			deployed = true
			if d.Time.After(tr.InjectTime) || d.Time.Before(c.Time) {
				t.Errorf("committed %s, rolled out %s, felt %s", c.Time, d.Time, tr.InjectTime)
			}
		}
	}
	if !deployed {
		t.Error("the culprit was never rolled out")
	}
}

// checkTraces: what OTLP demands of spans.
func checkTraces(t *testing.T, td ptrace.Traces) {
	t.Helper()
	type key struct {
		trace pcommon.TraceID
		span  pcommon.SpanID
	}
	seen := map[key]bool{}
	roots := 0
	for _, rs := range td.ResourceSpans().All() {
		if _, ok := rs.Resource().Attributes().Get("service.name"); !ok {
			t.Fatal("a resource without service.name")
		}
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				k := key{s.TraceID(), s.SpanID()}
				if s.TraceID().IsEmpty() || s.SpanID().IsEmpty() || seen[k] || s.EndTimestamp() < s.StartTimestamp() || s.Name() == "" {
					t.Fatalf("span %q: trace %s, id %s, repeated %v, %d to %d", s.Name(), s.TraceID(), s.SpanID(), seen[k], s.StartTimestamp(), s.EndTimestamp())
				}
				seen[k] = true
				if s.ParentSpanID().IsEmpty() {
					roots++
				}
			}
		}
	}
	if roots == 0 && td.SpanCount() > 0 {
		t.Error("no trace has a root")
	}
}

// TestTheFaultShowsWhereItIs: an exception that a commit brought fails requests of that service after the roll-out, and never
// in the healthy window.
func TestTheFaultShowsWhereItIs(t *testing.T) {
	b := Case(3, small("nil_after_refactor"))
	if b.Truth.Fault != "nil_after_refactor" {
		t.Fatalf("the seed gave %s", b.Truth.Fault)
	}
	failed := func(w *Window, from time.Time) (n int) {
		for _, l := range w.dataset().Spans {
			if l.Resource.Service == b.Truth.Service && l.Start >= from.UnixNano() && (l.Attrs.Get("http.response.status_code") == "500" || l.Attrs.Get("rpc.response.status_code") == "INTERNAL" || l.Status == 2) {
				n++
			}
		}
		return n
	}
	if n := failed(&b.Incident, b.Truth.InjectTime); n < 3 {
		t.Errorf("%d failing spans of %s after the fault", n, b.Truth.Service)
	}
	if n := failed(&b.Baseline, b.Baseline.From); n > 2 {
		t.Errorf("%d failing spans of %s when healthy", n, b.Truth.Service)
	}
}

func TestTheReaderHasNothingToMend(t *testing.T) {
	b := Case(3, small("exception_on_input"))
	ev := b.Evidence()
	if len(ev.Incident.Spans) == 0 || len(ev.Baseline.Spans) == 0 {
		t.Fatalf("%d and %d spans", len(ev.Incident.Spans), len(ev.Baseline.Spans))
	}
	for _, n := range slices.Concat(ev.Incident.Notes, ev.Baseline.Notes) {
		switch n.Code {
		case "malformed_line", "duplicate_span", "time_out_of_range", "negative_duration", "no_id":
			t.Errorf("%s: %s (%d)", n.Code, n.Text, n.Count)
		}
	}
}

func TestACorpusCanBeReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made-up")
	open := func(dir string) (Sink, error) { return bundle.Create(dir) }
	if err := WriteCorpus(dir, 3, 1, small("nil_after_refactor"), open); err != nil {
		t.Fatal(err)
	}
	var index struct{ Cases []string }
	readJSON(t, filepath.Join(dir, "corpus.json"), &index)
	if len(index.Cases) != 1 {
		t.Fatalf("corpus.json names %v", index.Cases)
	}
	made := Case(3, small("nil_after_refactor"))
	var tr Truth
	readJSON(t, filepath.Join(dir, index.Cases[0], "truth.json"), &tr)
	if asJSON(t, tr) != asJSON(t, made.Truth) {
		t.Errorf("truth.json says %s, the case %s", asJSON(t, tr), asJSON(t, made.Truth))
	}
	read, err := bundle.Load(filepath.Join(dir, index.Cases[0]), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := made.Evidence()
	for name, n := range map[string][2]int{
		"spans": {len(read.Evidence.Incident.Spans), len(want.Incident.Spans)}, "logs": {len(read.Evidence.Incident.Logs), len(want.Incident.Logs)},
		"series": {len(read.Evidence.Baseline.Metrics), len(want.Baseline.Metrics)}, "changes": {len(read.Evidence.Changes), len(want.Changes)},
	} {
		if n[0] != n[1] || n[0] == 0 {
			t.Errorf("%d %s were read back, %d were made", n[0], name, n[1])
		}
	}
	if err := WriteCorpus(dir, 3, 1, small(), open); err == nil {
		t.Error("a corpus was written over another")
	}
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
