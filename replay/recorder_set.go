package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// Set waits for the spans of what was recorded and makes a golden set of every exchange that was
// recorded at least twice. The notes say what was left out and why.
func (r *Recorder) Set(ctx context.Context) (*Set, []string, error) {
	r.mu.Lock()
	exchanges := append([]recorded(nil), r.exchanges...)
	calls := append([]recordedCall(nil), r.calls...)
	peak := r.peak
	r.mu.Unlock()
	if len(exchanges) == 0 {
		return nil, nil, errors.New("nothing was recorded: no request came through the recorder (point the clients at its inbound address)")
	}
	var notes []string
	if late := r.awaitTraces(ctx, exchanges); late > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d exchanges have no complete trace; does the service export to the recorder and keep the incoming trace context?", late, len(exchanges)))
	}
	traces := groupByTrace(r.receiver.Spans())
	b := &setBuilder{opts: &r.opts, traces: traces, calls: calls, exchanges: exchanges}
	b.attribute()
	set := &Set{
		Schema: Schema, ID: r.opts.ID, Service: r.opts.Service, Semconv: "1.37.0",
		Recorded:  Recorded{At: exchanges[0].start.UTC().Truncate(time.Second), Commit: r.opts.Commit, Env: r.opts.Env, ToolVersion: r.opts.ToolVersion, Concurrency: peak},
		Redaction: r.opts.Redactor.Redaction(),
	}
	for _, group := range b.groups() {
		c, why := b.build(group)
		if why != "" {
			notes = append(notes, why)
			continue
		}
		set.Cases = append(set.Cases, c)
	}
	notes = append(notes, b.notes...)
	if len(set.Cases) == 0 {
		return nil, notes, fmt.Errorf("no exchange was recorded twice with the same outcome: %s", strings.Join(notes, "; "))
	}
	var err error
	if set.Integrity, err = set.Digest(); err != nil {
		return nil, notes, err
	}
	return set, notes, set.Validate()
}

// awaitTraces polls until every exchange's trace is complete or the time is up, and returns how many are not.
func (r *Recorder) awaitTraces(ctx context.Context, exchanges []recorded) int {
	ctx, cancel := context.WithTimeout(ctx, r.opts.TraceTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		late := 0
		for i := range exchanges {
			if x := &exchanges[i]; !r.receiver.settled(x.context.trace, x.context.span, r.opts.Quiet) {
				late++
			}
		}
		if late == 0 {
			return 0
		}
		select {
		case <-ctx.Done():
			return late
		case <-tick.C:
		}
	}
}

// setBuilder folds recorded exchanges into cases.
type setBuilder struct {
	opts      *RecorderOptions
	traces    map[telemetry.TraceID]*traceSpans
	calls     []recordedCall
	exchanges []recorded
	own       [][]placed // spans of each exchange
	made      [][]int    // calls of each exchange
	notes     []string
}

// attribute finds out which exchange made which outgoing call: by the span that made it,
// else by the trace, else by time when only one exchange was under way.
func (b *setBuilder) attribute() {
	bySpan := map[telemetry.SpanID]int{}
	byTrace := map[telemetry.TraceID][]int{}
	b.own = make([][]placed, len(b.exchanges))
	b.made = make([][]int, len(b.exchanges))
	for i := range b.exchanges {
		x := &b.exchanges[i]
		b.own[i] = b.traces[x.context.trace].exchange(b.opts.SpanService, x.context.span)
		for _, p := range b.own[i] {
			bySpan[p.span.ID] = i
		}
		byTrace[x.context.trace] = append(byTrace[x.context.trace], i)
	}
	lost := 0
	for c := range b.calls {
		call := &b.calls[c]
		owner := -1
		if i, ok := bySpan[call.context.span]; ok && call.hasContext {
			owner = i
		} else if in := byTrace[call.context.trace]; call.hasContext && len(in) == 1 {
			owner = in[0]
		} else if !call.hasContext {
			owner = b.onlyOneAt(call.start)
		}
		if owner < 0 {
			lost++
			continue
		}
		b.made[owner] = append(b.made[owner], c)
	}
	if lost > 0 {
		b.notes = append(b.notes, fmt.Sprintf("%d outgoing calls belong to no recorded exchange (start-up and background calls, or calls without trace context while several requests ran)", lost))
	}
}

// onlyOneAt returns the exchange that was under way at the time, -1 if none or several were.
func (b *setBuilder) onlyOneAt(t time.Time) int {
	found := -1
	for i := range b.exchanges {
		x := &b.exchanges[i]
		if t.Before(x.start) || t.After(x.start.Add(x.latency)) {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// groups lists the exchanges that repeat one another, in order of first appearance.
func (b *setBuilder) groups() [][]int {
	var order []string
	byKey := map[string][]int{}
	for i := range b.exchanges {
		x := &b.exchanges[i]
		key := "id\x00" + x.id
		if x.id == "" {
			key = strings.Join([]string{"request", x.method, x.path, x.query, string(keepBody(x.body, x.header.Get("Content-Type")))}, "\x00")
		}
		if _, ok := byKey[key]; !ok {
			order = append(order, key)
		}
		byKey[key] = append(byKey[key], i)
	}
	out := make([][]int, len(order))
	for i, key := range order {
		out[i] = byKey[key]
	}
	return out
}

// build makes one case of the recordings of one exchange, or says why it cannot.
func (b *setBuilder) build(group []int) (Case, string) {
	first := &b.exchanges[group[0]]
	redact := b.opts.Redactor
	name := first.method + " " + redact.Text(telemetry.NormalRoute(first.path))
	if len(group) < 2 {
		return Case{}, fmt.Sprintf("%s: recorded once only, left out (send it twice, so that noise can be told from meaning)", name)
	}
	c := Case{ID: first.id, Kind: "http"}
	if c.ID == "" {
		c.ID = b.caseID(first)
	}
	docs := make([]any, 0, len(group))
	headers := make([]any, 0, len(group))
	trees := make([]Trace, 0, len(group))
	var downstream [][]Downstream
	for _, i := range group {
		x := &b.exchanges[i]
		switch {
		case x.truncated:
			return c, fmt.Sprintf("%s: a body is larger than is kept, left out", name)
		case x.err != "":
			return c, fmt.Sprintf("%s: the service gave no answer (%s), left out", name, x.err)
		case x.status != first.status:
			return c, fmt.Sprintf("%s: answered %d, then %d; left out (a golden case has one outcome; bring the system into the same state before each round)", name, first.status, x.status)
		}
		resp := x.response(redact)
		if i == group[0] {
			c.Request = x.request(b.route(i), redact)
			c.Response = resp
			// A set-cookie that was redacted says only that a cookie is set.
			c.Effects = b.opts.Effects(c.Request)
		}
		docs = append(docs, bodyValue(resp.Body))
		headers = append(headers, headerValue(resp.Headers))
		trees = append(trees, treeOf(b.own[i], redact))
		downstream = append(downstream, b.downstream(i))
		c.Latency = append(c.Latency, Duration(x.latency))
	}
	find := newNoiseFinder()
	find.compare("response.body", nil, docs)
	find.compare("response.header", nil, headers)
	compareCalls(find, downstream)
	c.Noise = find.found()
	c.Trace = mergeTrees(trees)
	c.Noise = append(c.Noise, varyingLinks(trees)...)
	c.Downstream = downstream[0]
	return c, ""
}

// caseID is readable and stable: method and route, numbered where they repeat.
func (b *setBuilder) caseID(x *recorded) string {
	id := strings.ToLower(x.method) + " " + b.opts.Redactor.Text(telemetry.NormalRoute(x.path))
	n := 1
	seen := map[string]bool{}
	for i := range b.exchanges {
		o := &b.exchanges[i]
		if o.seq >= x.seq {
			break
		}
		if o.method == x.method && telemetry.NormalRoute(o.path) == telemetry.NormalRoute(x.path) {
			key := o.path + "?" + o.query + "\x00" + string(o.body)
			if !seen[key] {
				seen[key] = true
				n++
			}
		}
	}
	if n > 1 {
		id = fmt.Sprintf("%s #%d", id, n)
	}
	return id
}

// route is what the service itself calls the route of an exchange.
func (b *setBuilder) route(i int) string {
	for _, p := range b.own[i] {
		if p.depth == 0 {
			if route := p.span.Attrs.Get(telemetry.AttrHTTPRoute); route != "" {
				return route
			}
		}
	}
	return ""
}
