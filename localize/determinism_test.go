package localize

import (
	"bytes"
	"encoding/json"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// The windows are looked at on all processors, and the result is the same bytes with one of them.
func TestAnyNumberOfProcessorsGivesTheSameBytes(t *testing.T) {
	cur, old := windows(1200, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		if i > 600 {
			l.self, l.fail = 50*ms, i%3 == 0
			l.logs = []string{"ERROR boom"}
		}
		n := chain(l)
		n.logs = []string{"INFO checkout done"}
		return n
	})
	for i := range cur.Logs {
		if i%4 == 0 {
			cur.Logs[i].Trace, cur.Logs[i].Span = telemetry.TraceID{}, telemetry.SpanID{}
		}
	}
	var want []byte
	for _, n := range []int{1, 2, 7} {
		before := runtime.GOMAXPROCS(n)
		got, err := json.Marshal(Rank(incident.Incident{}, evidence(cur, old), Options{}))
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d processors give another result than one", n)
		}
	}
}

// evidenceOf draws structured evidence: few names and times, so that much of it coincides.
func evidenceOf(t *rapid.T) Evidence {
	names := rapid.SampledFrom([]string{"", "a", "b", "GET", "/x/{id}", "timeout", "a.b", "\xff", "line\nbreak"})
	number := rapid.OneOf(rapid.Int64Range(-3, 12), rapid.SampledFrom([]int64{-1 << 63, 1<<63 - 1, base.UnixNano(), base.UnixNano() + 1e9}))
	value := rapid.OneOf(rapid.Float64Range(-2, 9), rapid.SampledFrom([]float64{0, 1e308, -1e308}))
	resources := []*telemetry.Resource{{Service: "a"}, {Service: "b", Commit: "0123456789"}, {Service: ""}, {Service: "queue.worker"}}
	resource := rapid.SampledFrom(resources)
	keys := rapid.SampledFrom([]string{telemetry.AttrHTTPStatus, telemetry.AttrPeerService, telemetry.AttrDBSystem, telemetry.AttrDBQuery, telemetry.AttrHTTPRoute,
		telemetry.AttrURLFull, telemetry.AttrExceptionStack, telemetry.AttrExceptionType, telemetry.AttrMsgDestination, telemetry.AttrCodeLine, telemetry.AttrFlagKey, "state", "pool"})
	values := rapid.SampledFrom([]string{"", "200", "500", "504", "a", "b", "postgresql", "SELECT x FROM y", "http://b:80/x/1", "at f (a.js:3:4)", "f", "used"})
	set := func() telemetry.Attrs {
		var kv []string
		for range rapid.IntRange(0, 4).Draw(t, "attributes") {
			kv = append(kv, keys.Draw(t, "key"), values.Draw(t, "value"))
		}
		return attrs(kv...)
	}
	id := func() (out [8]byte) { out[7] = byte(rapid.IntRange(0, 9).Draw(t, "id")); return out }
	trace := func() (out telemetry.TraceID) { out[15] = byte(rapid.IntRange(0, 6).Draw(t, "trace")); return out }
	dataset := func() (ds telemetry.Dataset) {
		for range rapid.IntRange(0, 16).Draw(t, "spans") {
			s := telemetry.Span{Trace: trace(), ID: id(), Parent: id(), Resource: resource.Draw(t, "resource"), Name: names.Draw(t, "name"),
				Kind: telemetry.Kind(rapid.IntRange(0, 5).Draw(t, "kind")), Status: telemetry.StatusCode(rapid.IntRange(0, 2).Draw(t, "status")),
				Start: number.Draw(t, "start"), Message: names.Draw(t, "message"), Attrs: set()}
			s.Duration = time.Duration(max(0, number.Draw(t, "duration")))
			if rapid.Bool().Draw(t, "exception") {
				s.Events = []telemetry.Event{{Name: telemetry.EventException, Attrs: set()}}
			}
			if rapid.Bool().Draw(t, "link") {
				s.Links = []telemetry.Link{{Trace: trace(), Span: id()}}
			}
			ds.Spans = append(ds.Spans, s)
		}
		for range rapid.IntRange(0, 10).Draw(t, "logs") {
			ds.Logs = append(ds.Logs, telemetry.Log{Time: number.Draw(t, "time"), Resource: resource.Draw(t, "resource"), Severity: rapid.IntRange(-1, 25).Draw(t, "severity"),
				Body: names.Draw(t, "body"), Trace: trace(), Span: id(), Attrs: set()})
		}
		for range rapid.IntRange(0, 6).Draw(t, "series") {
			s := telemetry.Series{Name: rapid.SampledFrom([]string{"cpu", "pool.connections.usage", "errors", "requests", "db.client.connection.wait_time"}).Draw(t, "metric"),
				Kind: telemetry.MetricKind(rapid.IntRange(0, 2).Draw(t, "metric kind")), Resource: resource.Draw(t, "resource"), Attrs: set()}
			for range rapid.IntRange(0, 12).Draw(t, "points") {
				s.Points = append(s.Points, telemetry.Point{Start: number.Draw(t, "from"), Time: number.Draw(t, "at"), Value: value.Draw(t, "value"),
					Count: rapid.Uint64().Draw(t, "count"), Cumulative: rapid.Bool().Draw(t, "cumulative"), Bounds: []float64{1, 2}, Buckets: []uint64{1, 0, 2}})
			}
			ds.Metrics = append(ds.Metrics, s)
		}
		return ds
	}
	ev := Evidence{Incident: dataset(), Baseline: dataset()}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		ev.Changes = append(ev.Changes, Change{SHA: rapid.SampledFrom([]string{"", "0123456789", "abcdef0123"}).Draw(t, "sha"), Time: base, Service: names.Draw(t, "of"),
			Message: names.Draw(t, "message"), Files: []ChangedFile{{Path: names.Draw(t, "path"), Patch: rapid.SampledFrom([]string{"", "@@\n-a(1)\n+a(2)\n", "-\n+\n@@"}).Draw(t, "patch")}}})
		ev.Deploys = append(ev.Deploys, Deploy{Time: base, Service: names.Draw(t, "deployed"), SHA: "0123456789"})
		ev.Flags = append(ev.Flags, FlagChange{Time: base, Flag: names.Draw(t, "flag"), Service: names.Draw(t, "of")})
	}
	return ev
}

// Whatever the evidence, there is an answer: no panic, valid JSON, confidence within its bounds, and the same
// the second time.
func rankAnything(t *rapid.T) {
	ev := evidenceOf(t)
	r := Rank(incident.Incident{Service: "a"}, ev, Options{})
	first, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Confidence < 0 || r.Confidence > 1 {
		t.Errorf("confidence %v", r.Confidence)
	}
	second, err := json.Marshal(Rank(incident.Incident{Service: "a"}, ev, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("two answers:\n%s\n%s", first, second)
	}
}

func TestRankAnything(t *testing.T) { rapid.Check(t, rankAnything) }

func FuzzRank(f *testing.F) {
	f.Add([]byte("spans"))
	f.Fuzz(rapid.MakeFuzz(rankAnything))
}
