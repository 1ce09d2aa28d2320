package localize

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// base is when every scenario's incident begins; its healthy window lies an hour before.
var base = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

// world makes telemetry for tests: traces as trees of calls, logs and metrics.
type world struct {
	ds        telemetry.Dataset
	start     time.Time
	rng       *rand.Rand
	resources map[string]*telemetry.Resource
	series    map[string]int
	ids       uint64
}

func newWorld(start time.Time, seed uint64) *world {
	return &world{start: start, rng: rand.New(rand.NewPCG(seed, 1)), resources: map[string]*telemetry.Resource{}, series: map[string]int{}, ids: seed << 40}
}

func (w *world) resource(service string) *telemetry.Resource {
	r := w.resources[service]
	if r == nil {
		r = &telemetry.Resource{Service: service, Instance: service + "-0"}
		w.resources[service] = r
	}
	return r
}

func (w *world) id() uint64 { w.ids++; return w.ids }

// node is one span of a trace to be made, with what it calls.
type node struct {
	service, name string
	kind          telemetry.Kind
	self          time.Duration // before its calls
	after         time.Duration // after its calls
	gap           time.Duration // pause before it is called
	fail          bool
	message       string
	attrs         []string // key, value, ...
	events        []telemetry.Event
	logs          []string // "LEVEL message", written when it ends
	calls         []node
	parallel      bool
}

func server(service, name string, self time.Duration, calls ...node) node {
	return node{service: service, name: name, kind: telemetry.KindServer, self: self, calls: calls}
}

func client(service, name, peer string, self time.Duration, calls ...node) node {
	return node{service: service, name: name, kind: telemetry.KindClient, self: self, calls: calls, attrs: []string{telemetry.AttrPeerService, peer}}
}

func attrs(kv ...string) telemetry.Attrs {
	var a telemetry.Attrs
	for i := 0; i+1 < len(kv); i += 2 {
		a = append(a, telemetry.Attr{Key: kv[i], Value: kv[i+1]})
	}
	slices.SortFunc(a, func(x, y telemetry.Attr) int { return compareStrings(x.Key, y.Key) })
	return a
}

// trace writes one trace that starts at the offset and returns its id.
func (w *world) trace(at time.Duration, root node) telemetry.TraceID {
	var id telemetry.TraceID
	binary.BigEndian.PutUint64(id[8:], w.id())
	w.write(id, telemetry.SpanID{}, w.start.Add(at).UnixNano(), root)
	return id
}

// jitter varies a duration by up to a tenth.
func (w *world) jitter(d time.Duration) int64 {
	return int64(float64(d) * (0.9 + 0.2*w.rng.Float64()))
}

func (w *world) write(trace telemetry.TraceID, parent telemetry.SpanID, at int64, n node) int64 {
	var id telemetry.SpanID
	binary.BigEndian.PutUint64(id[:], w.id())
	i := len(w.ds.Spans)
	w.ds.Spans = append(w.ds.Spans, telemetry.Span{})
	end := at + w.jitter(n.self)
	latest := end
	for _, c := range n.calls {
		begin := end + int64(c.gap)
		e := w.write(trace, id, begin, c)
		latest = max(latest, e)
		if !n.parallel {
			end = e
		}
	}
	end = latest + w.jitter(n.after)
	s := telemetry.Span{Trace: trace, ID: id, Parent: parent, Resource: w.resource(n.service), Name: n.name, Kind: n.kind,
		Start: at, Duration: time.Duration(end - at), Message: n.message, Attrs: attrs(n.attrs...), Events: n.events}
	if n.fail {
		s.Status = telemetry.StatusError
	}
	w.ds.Spans[i] = s
	for _, l := range n.logs {
		w.logIn(trace, id, n.service, end, l)
	}
	return end
}

var levels = map[string]int{"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17}

func (w *world) logIn(trace telemetry.TraceID, span telemetry.SpanID, service string, at int64, line string) {
	var level, body string
	for i := range line {
		if line[i] == ' ' {
			level, body = line[:i], line[i+1:]
			break
		}
	}
	w.ds.Logs = append(w.ds.Logs, telemetry.Log{Time: at, Resource: w.resource(service), Severity: levels[level], Body: body, Trace: trace, Span: span})
}

func (w *world) log(at time.Duration, service, line string) {
	w.logIn(telemetry.TraceID{}, telemetry.SpanID{}, service, w.start.Add(at).UnixNano(), line)
}

// metric adds a point to a gauge.
func (w *world) metric(at time.Duration, service, name string, v float64) {
	key := service + "\x00" + name
	i, ok := w.series[key]
	if !ok {
		i = len(w.ds.Metrics)
		w.series[key] = i
		w.ds.Metrics = append(w.ds.Metrics, telemetry.Series{Name: name, Resource: w.resource(service)})
	}
	w.ds.Metrics[i].Points = append(w.ds.Metrics[i].Points, telemetry.Point{Time: w.start.Add(at).UnixNano(), Value: v})
}

func (w *world) dataset() telemetry.Dataset {
	slices.SortStableFunc(w.ds.Spans, func(a, b telemetry.Span) int { return compare(a.Start, b.Start) })
	slices.SortStableFunc(w.ds.Logs, func(a, b telemetry.Log) int { return compare(a.Time, b.Time) })
	return w.ds
}

// run makes n requests, one per period, from a function of the request's number.
func (w *world) run(n int, period time.Duration, request func(i int) node) {
	for i := range n {
		w.trace(time.Duration(i)*period, request(i))
	}
}

// windows makes a healthy window and an incident of n requests each.
func windows(n int, healthy, broken func(w *world, i int) node) (cur, old telemetry.Dataset) {
	b := newWorld(base.Add(-time.Hour), 1)
	b.run(n, 100*time.Millisecond, func(i int) node { return healthy(b, i) })
	c := newWorld(base, 2)
	c.run(n, 100*time.Millisecond, func(i int) node { return broken(c, i) })
	return c.dataset(), b.dataset()
}

func evidence(cur, old telemetry.Dataset) Evidence { return Evidence{Incident: cur, Baseline: old} }

// says lists the result for a failing test.
func says(r Result) string {
	out := fmt.Sprintf("%s %s %.2f %v\nsymptom %+v\n", r.Decision, r.Cause, r.Confidence, r.Why, r.Symptom)
	for _, s := range r.Suspects {
		out += fmt.Sprintf("- %s %q peer %q score %.3f confidence %.3f\n", s.Service, s.Operation, s.Peer, s.Score, s.Confidence)
		for _, x := range s.Reasons {
			out += fmt.Sprintf("    %+.2f %s: %s\n", x.Weight, x.Signal, x.Text)
		}
		for _, p := range s.Patterns {
			out += fmt.Sprintf("    <%s> %s %v\n", p.Kind, p.Text, p.Values)
		}
	}
	for _, c := range r.Changes {
		out += fmt.Sprintf("* %s %.2f %s\n", c.SHA, c.Score, c.Title)
	}
	return out
}

func pattern(s Suspect, kind PatternKind) (Pattern, bool) {
	for _, p := range s.Patterns {
		if p.Kind == kind {
			return p, true
		}
	}
	return Pattern{}, false
}
