package shop

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/testdata/incidents"
)

const (
	maxFile = 300 << 10 // bytes of one recorded file
	maxAll  = 5 << 20   // bytes of everything recorded
)

// recording is one window of a bundle.
type recording struct {
	spans   []span
	logs    []plog.LogRecord
	metrics []pmetric.Metrics
}

type span struct {
	ptrace.Span
	service, revision string
}

func (s span) attr(name string) string {
	v, ok := s.Attributes().Get(name)
	if !ok {
		return ""
	}
	return v.AsString()
}

func (s span) duration() time.Duration {
	return s.EndTimestamp().AsTime().Sub(s.StartTimestamp().AsTime())
}

func unpack(t *testing.T, name string) [][]byte {
	t.Helper()
	packed, err := incidents.Files.ReadFile(name)
	if err != nil {
		return nil // a healthy window may have no logs
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	text, err := d.DecodeAll(packed, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

func load(t *testing.T, dir string) recording {
	t.Helper()
	var r recording
	for _, line := range unpack(t, dir+"/traces.jsonl.zst") {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
		if err != nil {
			t.Fatalf("%s: traces: %v", dir, err)
		}
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					r.spans = append(r.spans, span{s, resource(rs.Resource(), "service.name"), resource(rs.Resource(), "vcs.ref.head.revision")})
				}
			}
		}
	}
	for _, line := range unpack(t, dir+"/logs.jsonl.zst") {
		ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
		if err != nil {
			t.Fatalf("%s: logs: %v", dir, err)
		}
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, l := range sl.LogRecords().All() {
					r.logs = append(r.logs, l)
				}
			}
		}
	}
	for _, line := range unpack(t, dir+"/metrics.jsonl.zst") {
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
		if err != nil {
			t.Fatalf("%s: metrics: %v", dir, err)
		}
		r.metrics = append(r.metrics, md)
	}
	return r
}

func resource(r pcommon.Resource, name string) string {
	v, ok := r.Attributes().Get(name)
	if !ok {
		return ""
	}
	return v.AsString()
}

// place is the gateway's server span of an order, which is what the objectives are about.
func (r recording) requests(route string) (all []span) {
	for _, s := range r.spans {
		if s.service == "gateway" && s.Kind() == ptrace.SpanKindServer && s.Name() == route {
			all = append(all, s)
		}
	}
	return all
}

func (r recording) failing(route string) float64 {
	all, failed := r.requests(route), 0
	for _, s := range all {
		if strings.HasPrefix(s.attr("http.response.status_code"), "5") {
			failed++
		}
	}
	return float64(failed) / float64(max(1, len(all)))
}

func (r recording) p95(route string) time.Duration {
	all := r.requests(route)
	if len(all) == 0 {
		return 0
	}
	sort.Slice(all, func(i, j int) bool { return all[i].duration() < all[j].duration() })
	return all[len(all)*95/100].duration()
}

// children are the spans below others, by their parents.
func (r recording) children() map[pcommon.SpanID][]span {
	below := make(map[pcommon.SpanID][]span)
	for _, s := range r.spans {
		below[s.ParentSpanID()] = append(below[s.ParentSpanID()], s)
	}
	for _, list := range below {
		sort.Slice(list, func(i, j int) bool { return list[i].StartTimestamp() < list[j].StartTimestamp() })
	}
	return below
}

// thisMachine finds what must not be in a recording: directories and the name of the machine it was made on.
var thisMachine = regexp.MustCompile(`/(tmp|root|home|work|Users|private)/|host\.name|process\.|"os\.`)

func TestBundles(t *testing.T) {
	if raceDetector {
		t.Skip("SKIPPED: the recordings are looked at without the race detector")
	}
	total := 0
	err := fs.WalkDir(incidents.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += int(info.Size())
		if info.Size() > maxFile {
			t.Errorf("%s has %d bytes, at most %d are allowed; record a shorter window", name, info.Size(), maxFile)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > maxAll {
		t.Errorf("%d bytes are recorded, at most %d are allowed", total, maxAll)
	}
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) { checkBundle(t, s) })
	}
}

func checkBundle(t *testing.T, s Scenario) {
	_, h := build(t, s.Name)
	known := make(map[string]bool)
	for _, c := range h.Commits {
		known[c.SHA] = true
	}
	before := h.Head()
	if s.Baseline != "" {
		c, ok := h.Commit(s.Baseline)
		if !ok {
			t.Fatalf("no commit %q", s.Baseline)
		}
		before = c.SHA
	}

	for _, window := range []string{"baseline", "incident"} {
		r := load(t, s.Name+"/"+window)
		services, revisions := make(map[string]int), make(map[string]bool)
		for _, sp := range r.spans {
			services[sp.service]++
			revisions[sp.revision] = true
		}
		for _, name := range []string{"gateway", "orders", "payments", "inventory", "pricing"} {
			if services[name] == 0 {
				t.Errorf("%s: no spans of %s", window, name)
			}
		}
		if len(r.metrics) == 0 || len(r.requests("POST /orders")) < 30 {
			t.Errorf("%s: %d exports of metrics, %d orders", window, len(r.metrics), len(r.requests("POST /orders")))
		}
		if window == "baseline" && (len(revisions) != 1 || !revisions[before]) {
			t.Errorf("the baseline was recorded from %v, want %s", revisions, before)
		}
		if window == "incident" && !revisions[h.Head()] {
			t.Errorf("the incident was recorded from %v, want %s", revisions, h.Head())
		}
		for _, name := range []string{"traces", "logs", "metrics"} {
			for _, line := range unpack(t, s.Name+"/"+window+"/"+name+".jsonl.zst") {
				if found := thisMachine.Find(line); found != nil {
					t.Fatalf("%s/%s tells of the machine it was recorded on: %s", window, name, found)
				}
				if host, err := os.Hostname(); err == nil && len(host) > 4 && bytes.Contains(line, []byte(host)) {
					t.Fatalf("%s/%s names this machine", window, name)
				}
			}
		}
	}
	checkContext(t, s, h)
	checkAlert(t, s)
}

func decode(t *testing.T, name string, into any) {
	t.Helper()
	text, err := incidents.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func checkContext(t *testing.T, s Scenario, h History) {
	var changes []struct {
		SHA, Message string
		Time         time.Time
		Files        []struct{ Path, Patch string }
	}
	decode(t, s.Name+"/context/changes.json", &changes)
	if len(changes) != len(h.Commits)-1 {
		t.Fatalf("%d changes for %d commits", len(changes), len(h.Commits))
	}
	for i, c := range changes {
		made := h.Commits[i+1]
		if c.SHA != made.SHA || c.Message != made.Message || !c.Time.Equal(made.Time) || len(c.Files) != len(made.Files) {
			t.Errorf("change %d is %s, the history has %s", i, c.SHA, made.SHA)
		}
		for _, f := range c.Files {
			if f.Patch != "" && !strings.HasPrefix(f.Patch, "@@ -") {
				t.Errorf("%s: the patch of %s does not begin with a hunk", c.SHA[:7], f.Path)
			}
		}
	}

	var deploys []struct {
		SHA, Service string
		Time         time.Time
	}
	decode(t, s.Name+"/context/deploys.json", &deploys)
	if s.Culprit != "" && len(deploys) != 5 {
		t.Errorf("%d deployments, want one of each service", len(deploys))
	}
	for _, d := range deploys {
		if d.SHA != h.Head() {
			t.Errorf("%s was deployed to %s, the head is %s", d.SHA, d.Service, h.Head())
		}
	}

	var truth struct{ Kind, Commit, Service string }
	decode(t, s.Name+"/truth.json", &truth)
	want := "none"
	if s.Culprit != "" {
		c, _ := h.Commit(s.Culprit)
		want = c.SHA
	}
	if truth.Commit != want || s.Healthy != (truth.Kind == "none") {
		t.Errorf("truth = %+v, the culprit is %s", truth, want)
	}
}

func checkAlert(t *testing.T, s Scenario) {
	var alert struct {
		Version, Status, Receiver, GroupKey string
		CommonLabels                        map[string]string
		Alerts                              []struct {
			Fingerprint string
			StartsAt    time.Time
		}
	}
	decode(t, s.Name+"/alert.json", &alert)
	if alert.Version != "4" || alert.Status != "firing" || len(alert.Alerts) != 1 || alert.Alerts[0].Fingerprint == "" {
		t.Errorf("alert = %+v", alert)
	}
	if alert.CommonLabels["service"] != "gateway" || alert.CommonLabels["slo"] == "" || alert.CommonLabels["severity"] == "" {
		t.Errorf("labels = %v; they name the objective and nothing else", alert.CommonLabels)
	}
	at := alert.Alerts[0].StartsAt
	for _, sp := range load(t, s.Name+"/incident").spans {
		if sp.StartTimestamp().AsTime().Before(at) {
			return
		}
	}
	t.Errorf("everything recorded is younger than the alert of %s", at)
}
