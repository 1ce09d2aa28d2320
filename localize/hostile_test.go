package localize

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// attack is evidence made to cost more than it should: n is its size.
type attack struct {
	name  string
	n     int // in the ordinary suite; BenchmarkHostile takes full
	full  int
	build func(n int) Evidence
	check func(t *testing.T, r Result) // nil where any answer will do
}

func hostileSpan(trace, id, parent uint64, at int64, d time.Duration) telemetry.Span {
	s := telemetry.Span{Name: "work", Kind: telemetry.KindInternal, Resource: hostileResource("a"), Start: base.UnixNano() + at, Duration: d}
	binary.BigEndian.PutUint64(s.Trace[8:], trace)
	binary.BigEndian.PutUint64(s.ID[:], id)
	binary.BigEndian.PutUint64(s.Parent[:], parent)
	return s
}

func hostileResource(service string) *telemetry.Resource {
	return &telemetry.Resource{Service: service, Instance: service}
}

// bothWindows puts the spans into both windows, so that whatever compares them has work.
func bothWindows(spans []telemetry.Span) Evidence {
	return Evidence{Incident: telemetry.Dataset{Spans: spans}, Baseline: telemetry.Dataset{Spans: spans}}
}

var attacks = []attack{
	{name: "nothing at all", n: 1, full: 1, build: func(int) Evidence { return Evidence{} }, check: func(t *testing.T, r Result) {
		if r.Decision != Abstain || r.Symptom.Kind != SymptomUnknown || len(r.Gaps) == 0 {
			t.Errorf("%s %s with %d gaps for no evidence at all", r.Decision, r.Symptom.Kind, len(r.Gaps))
		}
	}},
	{name: "one trace of a million spans", n: 8_000, full: 1_000_000, build: func(n int) Evidence {
		spans := make([]telemetry.Span, n)
		var logs []telemetry.Log
		for i := range spans {
			parent := uint64(0)
			if i > 0 {
				parent = uint64(i/7) + 1
			}
			spans[i] = hostileSpan(1, uint64(i)+1, parent, int64(i), time.Second)
			spans[i].Status = telemetry.StatusError
			if i%3 == 0 {
				spans[i].Kind, spans[i].Attrs = telemetry.KindClient, attrs(telemetry.AttrPeerService, "b")
			}
			if i%5 == 0 { // tied by the trace alone
				logs = append(logs, telemetry.Log{Time: spans[i].Start, Resource: spans[i].Resource, Severity: 17, Body: "lost the thread", Trace: spans[i].Trace})
			}
		}
		ev := bothWindows(spans)
		ev.Incident.Logs, ev.Baseline.Logs = logs, logs
		return ev
	}},
	{name: "a cycle of spans", n: 8_000, full: 1_000_000, build: func(n int) Evidence {
		spans := make([]telemetry.Span, n)
		for i := range spans {
			spans[i] = hostileSpan(1, uint64(i)+1, uint64((i+1)%n)+1, int64(i), time.Second)
			spans[i].Status = telemetry.StatusError
		}
		return bothWindows(spans)
	}},
	{name: "a hundred thousand failed children", n: 20_000, full: 100_000, build: func(n int) Evidence {
		spans := []telemetry.Span{hostileSpan(1, 1, 0, 0, time.Hour)}
		spans[0].Status = telemetry.StatusError
		for i := range n {
			s := hostileSpan(1, uint64(i)+2, 1, int64(i)*1000, 900)
			s.Kind, s.Status, s.Attrs = telemetry.KindClient, telemetry.StatusError, attrs(telemetry.AttrPeerService, "b", telemetry.AttrDBSystem, "postgresql")
			spans = append(spans, s)
		}
		return bothWindows(spans)
	}},
	{name: "a chain of a hundred thousand spans", n: 20_000, full: 100_000, build: func(n int) Evidence {
		var spans []telemetry.Span
		for i := range n {
			s := hostileSpan(1, uint64(i)+1, uint64(i), int64(i), time.Hour-time.Duration(2*i))
			if i == 0 || i == n-1 {
				s.Status = telemetry.StatusError // the steps between are silent
			}
			if i == 0 {
				s.Attrs = attrs(telemetry.AttrHTTPStatus, "504")
			}
			spans = append(spans, s)
		}
		return bothWindows(spans)
	}},
	{name: "one huge trace before many small ones", n: 8_000, full: 500_000, build: func(n int) Evidence {
		var spans []telemetry.Span
		for i := range n {
			s := hostileSpan(1, uint64(i)+1, min(uint64(i), 1), int64(i), time.Hour)
			s.Kind, s.Name, s.Attrs = telemetry.KindClient, fmt.Sprintf("to-%c", 'a'+i%20), attrs(telemetry.AttrPeerService, fmt.Sprint("p", i))
			spans = append(spans, s)
		}
		for i := range n {
			s := hostileSpan(uint64(i)+2, uint64(i)+1, 0, int64(n+i), time.Second)
			s.Kind = telemetry.KindClient
			if i%2 == 0 {
				s.Status = telemetry.StatusError
			}
			spans = append(spans, s)
		}
		return bothWindows(spans)
	}},
	{name: "times at both ends of the clock", n: 1000, full: 100_000, build: func(n int) Evidence {
		var spans []telemetry.Span
		var logs []telemetry.Log
		for i := range n {
			s := hostileSpan(uint64(i/4)+1, uint64(i)+1, uint64(i%4)*uint64(i), 0, time.Duration(math.MaxInt64))
			s.Start = []int64{math.MinInt64, -1, 0, math.MaxInt64}[i%4]
			if i%3 == 0 {
				s.Status = telemetry.StatusError
			}
			spans = append(spans, s)
			logs = append(logs, telemetry.Log{Time: s.Start, Resource: s.Resource, Severity: 21, Body: "late"})
		}
		ev := bothWindows(spans)
		ev.Incident.Logs = logs
		ev.Changes = []Change{{SHA: "0123456789", Time: time.Unix(1<<62, 0)}, {SHA: "1123456789", Time: time.Time{}}}
		ev.Deploys = []Deploy{{SHA: "0123456789", Time: time.Unix(-1<<62, 0), Service: "a"}}
		ev.Flags = []FlagChange{{Flag: "f", Time: time.Unix(1<<62, 0)}}
		return ev
	}},
	{name: "one id for all", n: 8_000, full: 1_000_000, build: func(n int) Evidence {
		var spans []telemetry.Span
		for i := range n {
			s := hostileSpan(1, 1, uint64(i%2), int64(i), time.Second)
			s.Status = telemetry.StatusError
			spans = append(spans, s)
		}
		return bothWindows(spans)
	}},
	{name: "values of 64 KB", n: 15, full: 5000, build: func(n int) Evidence {
		var spans []telemetry.Span
		var logs []telemetry.Log
		for i := range n {
			long := strings.Repeat(fmt.Sprintf("value%d/", i), 16<<10)[:64<<10]
			s := hostileSpan(uint64(i)+1, uint64(i)+1, 0, int64(i), time.Second)
			s.Kind, s.Status, s.Message, s.Name = telemetry.KindClient, telemetry.StatusError, long, long
			s.Attrs = attrs(telemetry.AttrDBQuery, long, telemetry.AttrDBSystem, long, telemetry.AttrHTTPRoute, long, telemetry.AttrPeerService, long, telemetry.AttrURLFull, long)
			s.Events = []telemetry.Event{{Name: telemetry.EventException, Attrs: attrs(telemetry.AttrExceptionType, long, telemetry.AttrExceptionMsg, long, telemetry.AttrExceptionStack, long)}}
			spans = append(spans, s)
			logs = append(logs, telemetry.Log{Time: s.Start, Resource: s.Resource, Severity: 17, Body: long, Trace: s.Trace})
		}
		ev := bothWindows(spans)
		ev.Incident.Logs = logs
		return ev
	}},
	{name: "every span an operation of its own", n: 10_000, full: 1_000_000, build: func(n int) Evidence {
		var spans []telemetry.Span
		for i := range n {
			s := hostileSpan(uint64(i/2)+1, uint64(i)+1, uint64(i%2)*uint64(i), int64(i), time.Second)
			s.Kind, s.Name, s.Status = telemetry.KindClient, "op-"+letters(i), telemetry.StatusError
			s.Attrs = attrs(telemetry.AttrPeerService, "peer-"+letters(i))
			spans = append(spans, s)
		}
		return Evidence{Incident: telemetry.Dataset{Spans: spans}, Baseline: telemetry.Dataset{Spans: spans[:n/2]}}
	}},
	{name: "many slow operations, each known from the healthy window", n: 25_000, full: 1_000_000, build: func(n int) Evidence {
		make1 := func(d time.Duration) (spans []telemetry.Span) {
			for i := range n {
				s := hostileSpan(uint64(i/2)+1, uint64(i)+1, uint64(i%2)*uint64(i), int64(i), d)
				s.Kind, s.Name = telemetry.KindClient, "op-"+letters(i%max(n/25, 1))
				if i%2 == 1 {
					s.Kind, s.Resource = telemetry.KindServer, hostileResource("b")
				}
				spans = append(spans, s)
			}
			return spans
		}
		return Evidence{Incident: telemetry.Dataset{Spans: make1(10 * time.Second)}, Baseline: telemetry.Dataset{Spans: make1(time.Millisecond)}}
	}},
	{name: "every record from a service of its own", n: 6_000, full: 1_000_000, build: func(n int) Evidence {
		var ev Evidence
		for i := range n {
			r := hostileResource("service-" + letters(i))
			s := hostileSpan(uint64(i/2)+1, uint64(i)+1, uint64(i%2)*uint64(i), int64(i), time.Second)
			s.Resource, s.Status, s.Kind = r, telemetry.StatusError, telemetry.KindClient
			ev.Incident.Spans = append(ev.Incident.Spans, s)
			for k := range 3 {
				ev.Incident.Logs = append(ev.Incident.Logs, telemetry.Log{Time: s.Start + int64(k), Resource: r, Severity: 17, Body: "service-" + letters(i+1) + " does not answer", Trace: s.Trace, Span: s.ID})
			}
			ev.Incident.Metrics = append(ev.Incident.Metrics, telemetry.Series{Name: "db.client.connections.usage", Resource: r,
				Points: []telemetry.Point{{Time: s.Start, Value: 1}}}, telemetry.Series{Name: "db.client.connections.pending_requests", Resource: r,
				Points: []telemetry.Point{{Time: s.Start, Value: 9}}})
		}
		ev.Baseline.Spans = ev.Incident.Spans[:n/2]
		for i := range min(n, 20_000) {
			ev.Changes = append(ev.Changes, Change{SHA: fmt.Sprintf("%040x", i), Time: base, Message: "mend it", Files: []ChangedFile{{Path: "service-" + letters(i) + "/main.go"}}})
		}
		return ev
	}, check: func(t *testing.T, r Result) {
		if !hasGap(r, "graph_cut") || !hasGap(r, "context_cut") {
			t.Errorf("gaps %v do not say that the graph and the changes were cut", r.Gaps)
		}
	}},
	{name: "every log record a template of its own", n: 25_000, full: 1_000_000, build: func(n int) Evidence {
		var ev Evidence
		for i := range n {
			ev.Incident.Logs = append(ev.Incident.Logs, telemetry.Log{Time: base.UnixNano() + int64(i), Resource: hostileResource("a"), Severity: 17,
				Body: letters(i) + " " + letters(i+7) + " went " + letters(i*3) + " wrong"})
		}
		return ev
	}, check: func(t *testing.T, r Result) {
		if !hasGap(r, "log_templates_cut") {
			t.Errorf("gaps %v do not say that templates were cut", r.Gaps)
		}
	}},
	{name: "every exception its own", n: 7_000, full: 200_000, build: func(n int) Evidence {
		var spans []telemetry.Span
		for i := range n {
			s := hostileSpan(uint64(i)+1, uint64(i)+1, 0, int64(i), time.Second)
			s.Status = telemetry.StatusError
			s.Events = []telemetry.Event{{Name: telemetry.EventException, Attrs: attrs(telemetry.AttrExceptionType, "E"+letters(i), telemetry.AttrExceptionMsg, "no "+letters(i))}}
			spans = append(spans, s)
		}
		return Evidence{Incident: telemetry.Dataset{Spans: spans}}
	}},
	{name: "a million series", n: 8_000, full: 1_000_000, build: func(n int) Evidence {
		var ev Evidence
		for i := range n {
			for w, ds := range []*telemetry.Dataset{&ev.Baseline, &ev.Incident} {
				s := telemetry.Series{Name: "pool.connections.usage", Resource: hostileResource("a"), Attrs: attrs("pool", letters(i))}
				for p := range 5 {
					s.Points = append(s.Points, telemetry.Point{Time: base.UnixNano() + int64(p)*1e9, Value: float64(w*100*(i%2) + p)})
				}
				ds.Metrics = append(ds.Metrics, s)
			}
		}
		return ev
	}},
	{name: "values that are no numbers", n: 1, full: 1, build: func(int) Evidence {
		var ev Evidence
		for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64} {
			for _, name := range []string{"process.cpu.utilization", "http.errors", "db.client.connections.pending_requests", "db.client.connections.wait_time", "db.client.connections.max"} {
				for w, ds := range []*telemetry.Dataset{&ev.Baseline, &ev.Incident} {
					for _, kind := range []telemetry.MetricKind{telemetry.Gauge, telemetry.Sum, telemetry.Histogram} {
						s := telemetry.Series{Name: name, Kind: kind, Resource: hostileResource("a"), Attrs: attrs("i", fmt.Sprint(i, kind))}
						for p := range 12 {
							value := float64(p % 3)
							if w == 1 || p%2 == 0 {
								value = v
							}
							s.Points = append(s.Points, telemetry.Point{Time: base.UnixNano() + int64(p)*1e9, Value: value, Count: uint64(p), Cumulative: p%2 == 0,
								Bounds: []float64{v, math.NaN()}, Buckets: []uint64{1, math.MaxUint64, 3}})
						}
						ds.Metrics = append(ds.Metrics, s)
					}
				}
			}
		}
		return ev
	}},
	{name: "changes, deployments and flags without number", n: 6_000, full: 100_000, build: func(n int) Evidence {
		ev := failingEvidence()
		for i := range n {
			sha, service := fmt.Sprintf("%07x%033x", i%3, i), fmt.Sprint("service", i%1000)
			ev.Changes = append(ev.Changes, Change{SHA: sha, Time: base, Service: service, Message: "change " + letters(i), Files: []ChangedFile{{Path: "src/x.go", Patch: "@@\n-a := 1\n+a := 2\n"}}})
			ev.Deploys = append(ev.Deploys, Deploy{Time: base, Service: service, SHA: sha})
			ev.Flags = append(ev.Flags, FlagChange{Time: base, Flag: fmt.Sprint("flag-", letters(i)), Change: "on"})
		}
		return ev
	}, check: func(t *testing.T, r Result) {
		if !hasGap(r, "context_cut") {
			t.Errorf("gaps %v do not say that changes were left out", r.Gaps)
		}
	}},
	{name: "patches of a megabyte", n: 3, full: 100, build: func(n int) Evidence {
		ev := failingEvidence()
		for i := range n {
			var b strings.Builder
			for k := 0; b.Len() < 1<<20; k++ {
				fmt.Fprintf(&b, "@@ -%d +%d @@ func f%d(\n-call%d(a%d, %d)\n+call%d(b%d, %d)\n", k, k, k, k, k, k, k, k, k+1)
			}
			ev.Changes = append(ev.Changes, Change{SHA: fmt.Sprintf("%040x", i), Time: base, Files: []ChangedFile{{Path: "a.go", Patch: b.String()},
				{Path: "b.go", Patch: "@@\n-" + strings.Repeat("(", 1<<20) + "\n+" + strings.Repeat("x(1) ", 1<<17)}}})
		}
		return ev
	}},
}

// letters writes a number in letters, so that nothing takes it for an id.
func letters(n int) string {
	var b []byte
	for n += 26; n > 0; n /= 26 {
		b = append(b, byte('a'+n%26))
	}
	return string(b)
}

func failingEvidence() Evidence {
	cur, old := windows(200, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		l.fail = i > 100
		return chain(l)
	})
	return evidence(cur, old)
}

func hasGap(r Result, code string) bool {
	for _, g := range r.Gaps {
		if g.Code == code {
			return true
		}
	}
	return false
}

// mostBytes bounds the result of any attack, as JSON.
const mostBytes = 8 << 20

// Every attack, small; BenchmarkHostile has the full sizes. The result is JSON and has no more bytes
// than a person or a file should be given.
func TestHostileSizes(t *testing.T) {
	for _, at := range attacks {
		t.Run(at.name, func(t *testing.T) {
			n := at.n
			if testing.Short() {
				n = min(n, 1000)
			}
			ev := at.build(n)
			begin := time.Now()
			r := Rank(incident.Incident{}, ev, Options{})
			t.Logf("%d: %v", n, time.Since(begin).Round(time.Millisecond))
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) > mostBytes {
				t.Errorf("the result has %d bytes: %d nodes, %d edges, %d suspects, %d gaps", len(raw), len(r.Graph.Nodes), len(r.Graph.Edges), len(r.Suspects), len(r.Gaps))
			}
			if at.check != nil && n == at.n {
				at.check(t, r)
			}
		})
	}
}

func BenchmarkHostile(b *testing.B) {
	for _, at := range attacks {
		b.Run(strings.ReplaceAll(at.name, " ", "-"), func(b *testing.B) {
			ev := at.build(at.full)
			b.ReportAllocs()
			for b.Loop() {
				Rank(incident.Incident{}, ev, Options{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(at.full), "ns/item")
		})
	}
}
