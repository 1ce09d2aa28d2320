package benchmark

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry"
)

// began is when every generated incident begins; its healthy window lies an hour before.
var began = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

// failing is the share of the incident's requests that fail, of those that ask for a fare: one in so many.
// Half of all do, so that one in a hundred of all fails.
const failing = 50

// call is one step of a request: a service, what it does there, and what it calls from it.
type call struct {
	service string
	kind    ptrace.SpanKind
	name    string
	self    time.Duration
	attrs   []string // key, value, ...
	calls   []call
	faulty  bool // where one request in a hundred fails
}

// System is a made-up railway's booking system of twenty services. It writes the telemetry of
// one window as SDKs and collectors do: batches of many resources, attributes by old and new
// conventions, exceptions as events, log records with and without trace ids.
type System struct {
	broken   bool
	start    time.Time
	rng      *rand.Rand
	requests []call
	next     uint64
	made     int // requests
}

// NewSystem returns a system in its healthy or its broken window.
func NewSystem(broken bool) *System {
	s := &System{broken: broken, start: began.Add(-time.Hour), rng: rand.New(rand.NewPCG(7, 7)), requests: requests()}
	if broken {
		s.start, s.rng, s.next = began, rand.New(rand.NewPCG(8, 8)), 1<<40
	}
	return s
}

const ms = time.Millisecond

func handle(service, route string, self time.Duration, calls ...call) call {
	return call{service: service, kind: ptrace.SpanKindServer, name: route, self: self, calls: calls,
		attrs: []string{"http.request.method", "GET", "http.route", route, "url.scheme", "http", "network.protocol.version", "1.1",
			"user_agent.original", "booking-client/4.2", "http.response.status_code", "200", "server.address", service}}
}

// oldHandle is a service whose SDK still writes the conventions of 2021.
func oldHandle(service, route string, self time.Duration, calls ...call) call {
	return call{service: service, kind: ptrace.SpanKindServer, name: route, self: self, calls: calls,
		attrs: []string{"http.method", "GET", "http.route", route, "http.scheme", "http", "http.flavor", "1.1", "http.target", route,
			"http.user_agent", "booking-client/4.2", "http.status_code", "200", "net.host.name", service}}
}

func fetch(service, peer string, to call) call {
	return call{service: service, kind: ptrace.SpanKindClient, name: "GET", self: ms / 4, calls: []call{to},
		attrs: []string{"http.request.method", "GET", "url.full", "http://" + peer + ":8080" + to.name, "server.address", peer, "server.port", "8080",
			"http.response.status_code", "200", "network.protocol.version", "1.1"}}
}

func query(service, statement, table string, self time.Duration) call {
	return call{service: service, kind: ptrace.SpanKindClient, name: "SELECT " + table, self: self,
		attrs: []string{"db.system.name", "postgresql", "db.namespace", service, "db.query.text", statement, "db.collection.name", table,
			"db.operation.name", "SELECT", "server.address", service + "-db", "server.port", "5432"}}
}

func work(service, name string, self time.Duration, calls ...call) call {
	return call{service: service, kind: ptrace.SpanKindInternal, name: name, self: self, calls: calls,
		attrs: []string{"code.function.name", name, "code.file.path", "src/" + service + "/" + name + ".go", "thread.id", "1"}}
}

// requests are the four kinds of requests, of fourteen to seventeen spans each.
func requests() []call {
	fare := func() call {
		c := handle("fares", "/fares/{route}", 2*ms,
			work("fares", "applyDiscounts", ms, query("fares", "SELECT price FROM tariffs WHERE route = $1 AND class = $2", "tariffs", 2*ms)))
		c.calls[0].faulty = true
		return c
	}
	return []call{
		handle("gateway", "/journeys", ms,
			fetch("gateway", "sessions", oldHandle("sessions", "/sessions/check", ms, query("sessions", "SELECT id, expires FROM sessions WHERE token = $1", "sessions", ms))),
			fetch("gateway", "timetable", handle("timetable", "/connections", 3*ms,
				work("timetable", "expand", 2*ms),
				query("timetable", "SELECT * FROM stops WHERE line = $1 ORDER BY seq", "stops", 3*ms),
				fetch("timetable", "platforms", oldHandle("platforms", "/platforms/{station}", 2*ms)))),
			fetch("gateway", "fares", fare())),
		handle("gateway", "/bookings/{id}", ms,
			fetch("gateway", "tickets", handle("tickets", "/tickets/{id}", 2*ms,
				query("tickets", "SELECT * FROM tickets WHERE id = $1", "tickets", 2*ms),
				fetch("tickets", "seating", handle("seating", "/seats", 2*ms, query("seating", "SELECT coach, seat FROM seats WHERE train = $1", "seats", 2*ms))),
				fetch("tickets", "fares", fare()),
				work("tickets", "render", 4*ms))),
			fetch("gateway", "loyalty", oldHandle("loyalty", "/points", ms, query("loyalty", "SELECT sum(points) FROM points WHERE member = $1", "points", ms)))),
		handle("gateway", "/departures", ms,
			fetch("gateway", "boards", handle("boards", "/boards/{station}", 2*ms,
				fetch("boards", "tracking", handle("tracking", "/positions", 2*ms, query("tracking", "SELECT lat, lon FROM positions WHERE train = $1", "positions", ms))),
				fetch("boards", "weather", oldHandle("weather", "/forecast", 5*ms)),
				fetch("boards", "crew", handle("crew", "/rosters/{day}", 2*ms, query("crew", "SELECT * FROM rosters WHERE day = $1", "rosters", ms))),
				work("boards", "merge", ms))),
			fetch("gateway", "notices", handle("notices", "/notices", ms, query("notices", "SELECT text FROM notices WHERE line = $1", "notices", ms)))),
		handle("gateway", "/luggage", ms,
			fetch("gateway", "luggage", handle("luggage", "/luggage/{tag}", 2*ms,
				query("luggage", "SELECT * FROM bags WHERE tag = $1", "bags", ms),
				fetch("luggage", "couriers", handle("couriers", "/couriers", 2*ms,
					fetch("couriers", "maps", oldHandle("maps", "/distance", 3*ms)),
					fetch("couriers", "depots", handle("depots", "/depots", ms, query("depots", "SELECT * FROM depots WHERE zone = $1", "depots", ms))))),
				fetch("luggage", "audit", handle("audit", "/events", ms, work("audit", "append", ms))))),
			fetch("gateway", "claims", handle("claims", "/claims/{tag}", ms,
				fetch("claims", "letters", oldHandle("letters", "/letters", 2*ms))))),
	}
}

// batch is the telemetry of some requests, by resource, as a collector passes it on.
type batch struct {
	traces    ptrace.Traces
	logs      plog.Logs
	resources map[string]ptrace.SpanSlice
	records   map[string]plog.LogRecordSlice
	spans     int
}

// Batch makes telemetry of whole requests until it has the number of spans.
func (s *System) Batch(spans int) (ptrace.Traces, plog.Logs) {
	b := &batch{traces: ptrace.NewTraces(), logs: plog.NewLogs(), resources: map[string]ptrace.SpanSlice{}, records: map[string]plog.LogRecordSlice{}}
	for b.spans < spans {
		s.request(b)
	}
	return b.traces, b.logs
}

// pace is the time between two requests.
const pace = 2 * time.Millisecond

func (s *System) request(b *batch) {
	var trace pcommon.TraceID
	binary.BigEndian.PutUint64(trace[:8], s.rng.Uint64())
	binary.BigEndian.PutUint64(trace[8:], s.rng.Uint64()|1)
	at := s.start.Add(time.Duration(s.made) * pace).UnixNano()
	root := &s.requests[s.made%len(s.requests)]
	fails := s.broken && s.rng.IntN(failing) == 0
	s.write(b, trace, pcommon.SpanID{}, at, root, fails)
	s.made++
}

// write writes one call and what it calls, and returns when it ended and whether it failed.
func (s *System) write(b *batch, trace pcommon.TraceID, parent pcommon.SpanID, at int64, c *call, fails bool) (int64, bool) {
	var id pcommon.SpanID
	s.next++
	binary.BigEndian.PutUint64(id[:], s.next*0x9E3779B97F4A7C15|1)
	end := at + s.jitter(c.self)
	bad := fails && c.faulty
	for i := range c.calls {
		if bad {
			break // it failed before it called anything
		}
		var below bool
		end, below = s.write(b, trace, id, end, &c.calls[i], fails)
		if below {
			bad = true
			break
		}
	}
	out := b.span(c.service)
	b.spans++
	out.SetTraceID(trace)
	out.SetSpanID(id)
	out.SetParentSpanID(parent)
	out.SetName(c.name)
	out.SetKind(c.kind)
	out.SetStartTimestamp(pcommon.Timestamp(at)) // after 1970
	out.SetEndTimestamp(pcommon.Timestamp(end))
	for i := 0; i+1 < len(c.attrs); i += 2 {
		key, value := c.attrs[i], c.attrs[i+1]
		if bad && value == "200" {
			value = "500"
		}
		out.Attributes().PutStr(key, value)
	}
	if c.kind == ptrace.SpanKindServer {
		out.Attributes().PutStr("url.path", fmt.Sprintf("%s/%d", c.name, s.rng.IntN(100000)))
		out.Attributes().PutStr("client.address", fmt.Sprintf("10.0.%d.%d", s.rng.IntN(4), s.rng.IntN(250)))
		s.record(b, trace, id, end, c.service, 9, fmt.Sprintf("handled %s in %d ms for member-%d", c.name, (end-at)/1e6, s.rng.IntN(5000)))
	}
	if bad {
		out.Status().SetCode(ptrace.StatusCodeError)
		if c.faulty {
			e := out.Events().AppendEmpty()
			e.SetName("exception")
			e.SetTimestamp(pcommon.Timestamp(end))
			e.Attributes().PutStr("exception.type", "DiscountMissing")
			e.Attributes().PutStr("exception.message", fmt.Sprintf("no discount for class %d", s.rng.IntN(4)))
			e.Attributes().PutStr("exception.stacktrace", "goroutine 12 [running]:\nrail/fares.applyDiscounts(0x1)\n\t/src/fares/applyDiscounts.go:42 +0x1d\nrail/fares.quote(0x1)\n\t/src/fares/quote.go:17 +0x2a")
			s.record(b, trace, id, end, c.service, 17, fmt.Sprintf("no discount for class %d of journey %d", s.rng.IntN(4), s.rng.IntN(1e6)))
		}
	}
	return end, bad
}

func (s *System) record(b *batch, trace pcommon.TraceID, span pcommon.SpanID, at int64, service string, severity int, body string) {
	r := b.record(service)
	r.SetTimestamp(pcommon.Timestamp(at))
	r.SetSeverityNumber(plog.SeverityNumber(severity))
	r.Body().SetStr(body)
	r.Attributes().PutStr("logger.name", service+".access")
	if s.rng.IntN(5) > 0 { // one in five loggers knows nothing of traces
		r.SetTraceID(trace)
		r.SetSpanID(span)
	}
}

// jitter varies a duration by up to a tenth.
func (s *System) jitter(d time.Duration) int64 {
	return int64(float64(d) * (0.9 + 0.2*s.rng.Float64()))
}

func (b *batch) span(service string) ptrace.Span {
	spans, ok := b.resources[service]
	if !ok {
		rs := b.traces.ResourceSpans().AppendEmpty()
		describe(rs.Resource(), service)
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("rail/" + service)
		spans = ss.Spans()
		b.resources[service] = spans
	}
	return spans.AppendEmpty()
}

func (b *batch) record(service string) plog.LogRecord {
	records, ok := b.records[service]
	if !ok {
		rl := b.logs.ResourceLogs().AppendEmpty()
		describe(rl.Resource(), service)
		records = rl.ScopeLogs().AppendEmpty().LogRecords()
		b.records[service] = records
	}
	return records.AppendEmpty()
}

func describe(r pcommon.Resource, service string) {
	for _, kv := range [][2]string{{"service.name", service}, {"service.version", "1.4.2"}, {"service.instance.id", service + "-6d5f"},
		{"k8s.pod.name", service + "-6d5f"}, {"k8s.namespace.name", "rail"}, {"telemetry.sdk.language", "go"}, {"telemetry.sdk.name", "opentelemetry"}} {
		r.Attributes().PutStr(kv[0], kv[1])
	}
}

// Metrics are gauges of every service over the window, one point every ten seconds.
func (s *System) Metrics(length time.Duration) pmetric.Metrics {
	md := pmetric.NewMetrics()
	seen := map[string]bool{}
	var visit func(c *call)
	visit = func(c *call) {
		if !seen[c.service] {
			seen[c.service] = true
			rm := md.ResourceMetrics().AppendEmpty()
			describe(rm.Resource(), c.service)
			metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
			for _, name := range []string{"process.cpu.utilization", "process.memory.usage", "http.server.active_requests"} {
				m := metrics.AppendEmpty()
				m.SetName(name)
				points := m.SetEmptyGauge().DataPoints()
				for at := time.Duration(0); at < length; at += 10 * time.Second {
					p := points.AppendEmpty()
					p.SetTimestamp(pcommon.Timestamp(s.start.Add(at).UnixNano()))
					p.SetDoubleValue(0.2 + 0.05*s.rng.Float64())
				}
			}
		}
		for i := range c.calls {
			visit(&c.calls[i])
		}
	}
	for i := range s.requests {
		visit(&s.requests[i])
	}
	return md
}

// batchSpans is how many spans one export holds (the default of the collector's batch processor).
const batchSpans = 8192

// Dataset ingests the number of spans and their logs and metrics.
func (s *System) Dataset(spans int) telemetry.Dataset {
	r := telemetry.NewReader(telemetry.Options{})
	for left := spans; left > 0; left -= batchSpans {
		td, ld := s.Batch(min(left, batchSpans))
		r.AddTraces(td)
		r.AddLogs(ld)
	}
	r.AddMetrics(s.Metrics(min(max(time.Duration(s.made)*pace, time.Minute), time.Hour)))
	return r.Dataset()
}
