package sources

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// TraceLimits bound what is taken of one window. The zero value of each field means its default.
type TraceLimits struct {
	Traces   int   // Default 600.
	Spans    int   // Default 200,000.
	Bytes    int64 // of the server's answers. Default 512 MiB.
	Requests int   // Default 400.
	Services int   // Default 200.
}

func (l TraceLimits) withDefaults() TraceLimits {
	l.Traces = positive(l.Traces, 600)
	l.Spans = positive(l.Spans, 200_000)
	l.Bytes = positive(l.Bytes, 512<<20)
	l.Requests = positive(l.Requests, 400)
	l.Services = positive(l.Services, 200)
	return l
}

const (
	// mostSlices is into how many parts a window is cut at most, so that a server that answers with the newest few traces
	// of each part gives a picture of the whole window.
	mostSlices = 12
	// fewest is for how many traces an answer is worth a request.
	fewest = 4
	// mostPerQuery bounds the traces of one answer, which servers put together in memory.
	mostPerQuery = 100
	// shortestSlice is where a part that holds more traces than were asked for is cut no further.
	shortestSlice = time.Second
	// atOnce is how many requests are under way.
	atOnce = 4
	// sinkSpans is how many spans a Sink is handed at once, so that no line of a bundle grows without bound.
	sinkSpans = 2000
)

// traceQuery asks for traces with a span of one service in one part of the window; the end is not included.
type traceQuery struct {
	service  string
	from, to time.Time
	limit    int
	failing  bool
}

func (q traceQuery) String() string {
	s := fmt.Sprintf("%s from %s to %s", q.service, q.from.UTC().Format(time.TimeOnly), q.to.UTC().Format(time.TimeOnly))
	if q.failing {
		return "failing traces of " + s
	}
	return "traces of " + s
}

// halves cuts the part in two; ok is false where it is too short for that. Each half is asked for twice as many, since what
// the whole answered comes again.
func (q traceQuery) halves() (a, b traceQuery, ok bool) {
	half := q.to.Sub(q.from) / 2
	if half < shortestSlice {
		return q, q, false
	}
	q.limit = min(2*q.limit, mostPerQuery)
	a, b = q, q
	a.to = q.from.Add(half)
	b.from = a.to
	return a, b, true
}

// planTraceQueries cuts the window in parts and asks for every service in each, such that the limit on traces is used up
// if every answer is full. Whoever stops early has seen parts from all over the window: they come in the order of van
// der Corput's sequence, preferred services first within each.
func planTraceQueries(services []string, w Window, l TraceLimits, failing bool) []traceQuery {
	length := w.To.Sub(w.From)
	if len(services) == 0 || length <= 0 {
		return nil
	}
	// Half the requests are kept for the other kind of traces and for parts that turn out to hold more.
	parts := min(mostSlices, max(1, l.Requests/4/len(services)), max(1, l.Traces/2/fewest/len(services)), max(1, int(length/shortestSlice)))
	limit := min(mostPerQuery, max(1, l.Traces/2/(parts*len(services))))
	var out []traceQuery
	for _, i := range spread(parts) {
		from := w.From.Add(length / time.Duration(parts) * time.Duration(i))
		to := w.From.Add(length / time.Duration(parts) * time.Duration(i+1))
		if i == parts-1 {
			to = w.To
		}
		for _, s := range services {
			out = append(out, traceQuery{service: s, from: from, to: to, limit: limit, failing: failing})
		}
	}
	return out
}

// spread orders 0..n-1 so that every beginning of the order covers the range evenly: by the bits in reverse (van der
// Corput, "Verteilungsfunktionen", 1935).
func spread(n int) []int {
	size := 1
	for size < n {
		size *= 2
	}
	var out []int
	for i := range size {
		r := 0
		for bit, rest := size/2, i; bit > 0; bit, rest = bit/2, rest/2 {
			if rest&1 == 1 {
				r += bit
			}
		}
		if r < n {
			out = append(out, r)
		}
	}
	return out
}

// chooseServices puts the preferred ones first, which are asked for even where the server does not list them, then the
// others by name, as many as the limit allows. The second result is how many were left out.
func chooseServices(preferred, known []string, limit int) ([]string, int) {
	var out []string
	seen := map[string]bool{"": true}
	add := func(list []string) {
		for _, s := range list {
			if !seen[s] && len(s) <= 1024 {
				seen[s] = true
				out = append(out, s)
			}
		}
	}
	add(preferred)
	add(slices.Sorted(slices.Values(known)))
	if len(out) > limit {
		return out[:limit], len(out) - limit
	}
	return out, 0
}

// gathering collects the traces of one window: each once, no more than the limits allow, failing and passing ones by
// shares, and keeps count of what it left out.
type gathering struct {
	limits TraceLimits
	window string
	to     Sink
	report *Report

	seen             map[pcommon.TraceID]bool
	failing, passing int
	bytes            int64
	requests         int
	shared           bool // whether one kind of traces may use what the other left
	pending          ptrace.Traces
	left             map[string]int // reason -> traces left out
	partial          map[string]bool
}

func newGathering(l TraceLimits, window string, to Sink, report *Report) *gathering {
	return &gathering{
		limits: l.withDefaults(), window: window, to: to, report: report,
		seen: map[pcommon.TraceID]bool{}, pending: ptrace.NewTraces(), left: map[string]int{}, partial: map[string]bool{},
	}
}

// The reasons why traces are left out.
const (
	leftTraces = "the limit on traces is reached"
	leftSpans  = "the limit on spans is reached"
)

// room says whether another trace of the kind would be taken.
func (g *gathering) room(failing bool) bool {
	if g.report.Spans >= g.limits.Spans {
		return false
	}
	if g.shared {
		return g.failing+g.passing < g.limits.Traces
	}
	if failing {
		return g.failing < (g.limits.Traces+1)/2
	}
	return g.passing < g.limits.Traces/2
}

// mayAsk says whether another request is allowed, and counts it.
func (g *gathering) mayAsk() bool {
	if g.requests >= g.limits.Requests || g.bytes >= g.limits.Bytes {
		return false
	}
	g.requests++
	return true
}

// take hands over what is new of an answer, trace by trace. It returns how many traces the answer holds, and how many
// of them failed.
func (g *gathering) take(td ptrace.Traces) (found, failing int, err error) {
	for _, t := range splitTraces(td) {
		found++
		bad := traceFails(t.data)
		if bad {
			failing++
		}
		if g.seen[t.id] {
			continue
		}
		n := t.data.SpanCount()
		switch {
		case g.report.Spans+n > g.limits.Spans:
			g.left[leftSpans]++
			continue
		case !g.room(bad):
			g.left[leftTraces]++
			continue
		}
		g.seen[t.id] = true
		if bad {
			g.failing++
		} else {
			g.passing++
		}
		g.report.Spans += n
		if err := g.hand(t.data); err != nil {
			return found, failing, err
		}
	}
	return found, failing, nil
}

// hand gathers spans up to what a Sink is given at once.
func (g *gathering) hand(td ptrace.Traces) error {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			spans := ss.Spans()
			for from := 0; from < spans.Len(); from += sinkSpans {
				to := g.pending.ResourceSpans().AppendEmpty()
				rs.Resource().CopyTo(to.Resource())
				to.SetSchemaUrl(rs.SchemaUrl())
				scope := to.ScopeSpans().AppendEmpty()
				ss.Scope().CopyTo(scope.Scope())
				scope.SetSchemaUrl(ss.SchemaUrl())
				for i := from; i < min(from+sinkSpans, spans.Len()); i++ {
					spans.At(i).MoveTo(scope.Spans().AppendEmpty())
				}
				if g.pending.SpanCount() >= sinkSpans {
					if err := g.flush(); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// flush hands over what is pending.
func (g *gathering) flush() error {
	if g.pending.ResourceSpans().Len() == 0 {
		return nil
	}
	td := g.pending
	g.pending = ptrace.NewTraces()
	return g.to.Traces(g.window, td)
}

// missing adds a remark about what is not there, once.
func (g *gathering) missing(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !g.partial[text] && len(g.report.Partial) < maxRemarks {
		g.partial[text] = true
		g.report.Partial = append(g.report.Partial, text)
	}
}

// maxRemarks bounds what one report says: more of it would not be read.
const maxRemarks = 50

// finish hands over the rest and says what was left out.
func (g *gathering) finish() error {
	for _, why := range slices.Sorted(maps.Keys(g.left)) {
		g.missing("%d traces that were found are left out: %s; raise it, or shorten the window", g.left[why], why)
	}
	if g.requests >= g.limits.Requests {
		g.missing("no more than %d requests are made for one window: raise the limit, shorten the window, or name services", g.limits.Requests)
	}
	if g.bytes >= g.limits.Bytes {
		g.missing("no more than %d MiB are read for one window: raise the limit, or shorten the window", g.limits.Bytes>>20)
	}
	return g.flush()
}

// oneTrace is what an answer holds of one trace.
type oneTrace struct {
	id   pcommon.TraceID
	data ptrace.Traces
}

// splitTraces tells the traces of an answer apart, in the order in which they begin in it. It takes td apart.
func splitTraces(td ptrace.Traces) []oneTrace {
	var out []oneTrace
	at := map[pcommon.TraceID]int{}
	of := func(id pcommon.TraceID) ptrace.Traces {
		i, ok := at[id]
		if !ok {
			i = len(out)
			at[id] = i
			out = append(out, oneTrace{id, ptrace.NewTraces()})
		}
		return out[i].data
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			to := map[pcommon.TraceID]ptrace.SpanSlice{}
			spans := ss.Spans()
			for i := range spans.Len() {
				s := spans.At(i)
				list, ok := to[s.TraceID()]
				if !ok {
					into := of(s.TraceID()).ResourceSpans().AppendEmpty()
					rs.Resource().CopyTo(into.Resource())
					into.SetSchemaUrl(rs.SchemaUrl())
					scope := into.ScopeSpans().AppendEmpty()
					ss.Scope().CopyTo(scope.Scope())
					scope.SetSchemaUrl(ss.SchemaUrl())
					list = scope.Spans()
					to[s.TraceID()] = list
				}
				s.MoveTo(list.AppendEmpty())
			}
		}
	}
	return out
}

// traceFails says whether a span of the trace has failed, by its status or by the attribute that came before there
// was one.
func traceFails(td ptrace.Traces) bool {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				if s.Status().Code() == ptrace.StatusCodeError {
					return true
				}
				if v, ok := s.Attributes().Get("error"); ok && (v.Type() == pcommon.ValueTypeBool && v.Bool() || v.Type() == pcommon.ValueTypeStr && strings.EqualFold(v.Str(), "true")) {
					return true
				}
			}
		}
	}
	return false
}

// readTraceID reads a trace id as servers write it: hexadecimal, with leading zeros left out or not.
func readTraceID(text string) (pcommon.TraceID, bool) {
	var id pcommon.TraceID
	if text == "" || len(text) > 32 {
		return id, false
	}
	text = strings.Repeat("0", 32-len(text)) + text
	for i := range id {
		hi, lo := hexDigit(text[2*i]), hexDigit(text[2*i+1])
		if hi < 0 || lo < 0 {
			return id, false
		}
		id[i] = byte(hi<<4 | lo)
	}
	return id, !id.IsEmpty()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
