package localize

import (
	"maps"
	"slices"

	"github.com/remediator/remediator/telemetry"
)

// call is one edge of the graph while it is built: the calls of one window.
type call struct {
	key       edgeKey
	n         float64
	durations []float64 // seconds, as the caller saw them
	errors    float64
	requests  float64   // parents that made at least one call
	retries   float64   // calls beyond the first failed one of the same operation under a parent
	gap       []float64 // seconds between caller's and callee's view of one call
	queued    []float64 // seconds between sending and receiving
	path      float64   // seconds of the traces' critical paths behind the edge
	async     bool
	cover     cover
}

type edgeKey struct{ from, to string }

// member is a node while it is built: the work of one window.
type member struct {
	place
	durations []float64 // of requests into a service
	n, errors float64
	entries   float64 // requests from outside the telemetry
}

// traffic is the graph of one window.
type traffic struct {
	calls   map[edgeKey]*call
	members map[string]*member
	kinds   map[string]string // of nodes, and of the names that their callers' operations have for them
	path    float64           // seconds of all critical paths
	work    map[int32]*effort // by the operation that a service was entered by
}

func (g *traffic) call(from, to string) *call {
	k := edgeKey{from, to}
	c := g.calls[k]
	if c == nil {
		c = &call{key: k}
		g.calls[k] = c
	}
	return c
}

func (g *traffic) member(at place) *member {
	m := g.members[at.name]
	if m == nil {
		m = &member{place: at}
		g.members[at.name] = m
		g.kinds[at.name] = at.kind
	}
	return m
}

// observer builds the graph of one window in one pass over its spans.
type observer struct {
	*traffic
	ops    *operations
	places *places
	sent   map[spanKey]sending // producers that consumers in other traces link to

	tr       *telemetry.Trace
	recs     []spanRec
	at       int                      // index of the trace
	entered  []*call                  // per span: the edge over which its service was entered
	waiting  []*call                  // per span: the edge whose call it stands for, if it stands for one
	home     []int                    // per span: the span by which its service was entered
	attempts handful[attemptKey, int] // index into tries
	tries    []try
	parents  handful[parentKey, bool]
	units    handful[parentKey, unit] // by the entry span and the edge
	tripped  map[int]bool             // entry spans of work that a breaker kept from calling
	services map[string]*member
	lately   recent[edgeKey, *call] // in front of the calls
}

// call is that of traffic, remembered.
func (o *observer) call(from, to string) *call {
	k, at := edgeKey{from, to}, 3*texture(from)+5*texture(to)
	c, ok := o.lately.get(at, k)
	if !ok {
		c = o.traffic.call(from, to)
		o.lately.put(at, k, c)
	}
	return c
}

type spanKey struct {
	trace telemetry.TraceID
	span  telemetry.SpanID
}

type sending struct {
	service string
	end     int64
	at      place
}

// attemptKey is the calls of one operation under one parent; their order shows retries.
type attemptKey struct {
	parent int
	op     int32
}

type parentKey struct {
	parent int
	c      *call
}

// observe builds the graph of one window. Its cost is linear in the spans.
func observe(w *window, ops *operations, p *places) *traffic {
	g := &traffic{calls: map[edgeKey]*call{}, members: map[string]*member{}, kinds: map[string]string{}, work: map[int32]*effort{}}
	o := observer{traffic: g, ops: ops, places: p, tripped: map[int]bool{}, services: map[string]*member{}}
	o.findSenders(w)
	for t := range w.traces {
		o.at = t
		o.trace(&w.traces[t], w.recs[t])
	}
	for _, c := range g.calls {
		slices.Sort(c.durations)
		slices.Sort(c.queued)
		slices.Sort(c.gap)
	}
	for _, m := range g.members {
		slices.Sort(m.durations)
	}
	return g
}

// observeBoth observes both windows.
func (a *analysis) observeBoth() (cur, base *traffic) {
	return besidePlaces(a, func(w *window, at *places) *traffic { return observe(w, a.ops, at) })
}

// besidePlaces looks at both windows at the same time and at the places that their spans call. Which places there are does not
// depend on the order of the windows until there are too many of them; then they are looked at one after the other.
func besidePlaces[T any](a *analysis, look func(w *window, at *places) T) (cur, base T) {
	of := map[*window]*places{a.base: a.places.clone(), a.cur: a.places.clone()}
	cur, base = both(a, func(w *window) T { return look(w, of[w]) })
	all := maps.Clone(of[a.base].outside)
	maps.Copy(all, of[a.cur].outside)
	if len(all) >= maxOutside {
		base = look(a.base, a.places)
		cur = look(a.cur, a.places)
		return cur, base
	}
	a.places.outside = all
	for _, w := range []*window{a.base, a.cur} {
		for k, at := range of[w].known {
			if _, ok := a.places.known[k]; !ok && len(a.places.known) < maxKnown {
				a.places.known[k] = at
			}
		}
	}
	return cur, base
}

// findSenders notes the spans that consumers link to. Batches and most instrumentations of messaging
// begin a trace of their own when a message is received and link it to the one that sent it.
func (o *observer) findSenders(w *window) {
	if !w.linked {
		return
	}
	wanted := map[spanKey]bool{}
	for i := range w.ds.Spans {
		s := &w.ds.Spans[i]
		if len(s.Links) == 0 || !receives(s) {
			continue
		}
		for _, l := range s.Links[:min(len(s.Links), maxLinks)] {
			wanted[spanKey{l.Trace, l.Span}] = true
		}
	}
	if len(wanted) == 0 {
		return
	}
	o.sent = make(map[spanKey]sending, len(wanted))
	for i := range w.ds.Spans {
		s := &w.ds.Spans[i]
		if k := (spanKey{s.Trace, s.ID}); wanted[k] {
			x := sending{service: s.Resource.Service, end: s.End()}
			if s.Kind == telemetry.KindProducer || s.Attrs.Get(telemetry.AttrMsgDestination) != "" {
				x.at = o.places.queue(s, "")
			}
			o.sent[k] = x
		}
	}
}

// maxLinks bounds the links of one span that are followed: a batch of messages has one for each.
const maxLinks = 128

// receives says that a span is the receipt or the processing of messages.
func receives(s *telemetry.Span) bool {
	return receivesBy(s.Kind, s.Attrs.Get(telemetry.AttrMsgOperation))
}

// receivesBy is receives for an operation that was looked up.
func receivesBy(kind telemetry.Kind, operation string) bool {
	if kind == telemetry.KindConsumer {
		return true
	}
	switch operation {
	case "receive", "process", "deliver":
		return kind != telemetry.KindProducer
	}
	return false
}

func (o *observer) trace(tr *telemetry.Trace, recs []spanRec) {
	o.tr, o.recs = tr, recs
	o.attempts.empty()
	o.parents.empty()
	o.units.empty()
	o.tries = o.tries[:0]
	o.entered = slices.Grow(o.entered[:0], len(recs))[:len(recs)]
	o.waiting = slices.Grow(o.waiting[:0], len(recs))[:len(recs)]
	o.home = slices.Grow(o.home[:0], len(recs))[:len(recs)]
	clear(o.entered)
	clear(o.waiting)
	for _, i := range tr.Order() {
		p, f := tr.Parent(i), recs[i].facts
		kind, crossing := f.kind(), f.is(crossing)
		o.home[i] = i
		if p >= 0 && !crossing {
			o.entered[i], o.home[i] = o.entered[p], o.home[p]
		}
		// A service that calls itself is entered anew.
		again := p >= 0 && !crossing && recs[p].facts.kind().Outgoing() && kind.Incoming()
		if again {
			o.home[i] = i
		}
		if crossing || again || p < 0 {
			o.enter(i, p)
		}
		switch {
		case f.is(receipt):
			o.received(i, p, crossing)
		case crossing || again:
			o.answered(i, p, crossing)
		case kind.Outgoing() && !isAnswered(tr, recs, i):
			o.unanswered(i, p)
		}
	}
	o.cover()
	for i := range recs {
		if recs[i].path == 0 {
			continue
		}
		at := float64(recs[i].path) / 1e9
		o.path += at
		if c := o.waiting[i]; c != nil {
			c.path += at
		} else if c := o.entered[i]; c != nil {
			c.path += at
		}
	}
}

// enter counts the work that a service was given with span i, if it was.
func (o *observer) enter(i, p int) {
	s := o.tr.Spans[i]
	m := o.services[s.Resource.Service]
	if m == nil {
		m = o.member(place{name: s.Resource.Service, kind: nodeService})
		m.kind = nodeService
		o.kinds[m.name] = nodeService
		o.services[m.name] = m
	}
	if p < 0 && !s.Parent.IsZero() && !s.Kind.Incoming() && s.Kind != telemetry.KindUnspecified {
		return
	}
	m.n++
	m.durations = append(m.durations, s.Duration.Seconds())
	if o.recs[i].outcome == failed {
		m.errors++
	}
	if p < 0 && s.Parent.IsZero() && !o.recs[i].facts.is(receipt) {
		m.entries++
	}
}

// emptied clears a map for the next trace; one that a huge trace made huge is given up, since
// clearing costs as much as the largest it ever was.
func emptied[K comparable, V any](m map[K]V) map[K]V {
	if len(m) > 1024 {
		return map[K]V{}
	}
	clear(m)
	return m
}

// answered records a call whose callee's span i is there.
func (o *observer) answered(i, p int, crossing bool) {
	tr, s := o.tr, o.tr.Spans[i]
	c := o.call(tr.Spans[p].Resource.Service, s.Resource.Service)
	o.entered[i] = c
	view := i // the span that shows the caller's view of the call
	if tr.Spans[p].Kind.Outgoing() {
		view = p
		o.waiting[p] = c
		if crossing {
			c.gap = append(c.gap, tr.Spans[p].Duration.Seconds()-s.Duration.Seconds())
		}
	}
	o.count(c, view, o.recs[view].outcome == failed || o.recs[i].outcome == failed)
	if view != i {
		c.cover.abandon(tr.Spans[view], s, o.recs[view].outcome, o.recs[i].outcome)
	}
}

// unanswered records a call that no span of a callee answers.
func (o *observer) unanswered(i, p int) {
	tr, s := o.tr, o.tr.Spans[i]
	if p >= 0 && tr.Spans[p].Kind.Outgoing() && tellsMore(tr.Spans[p], s) {
		return // the transport of the call above
	}
	for _, k := range tr.Children(i) {
		if child := tr.Spans[k]; child.Kind.Outgoing() && !tellsMore(s, child) {
			return // the call is the one below
		}
	}
	at := o.places.called(s)
	if at.name == "" {
		return
	}
	m := o.member(at)
	if peer := o.ops.list[o.recs[i].op].peer; peer != "" && o.kinds[peer] == "" {
		o.kinds[peer] = m.kind
	}
	c := o.call(s.Resource.Service, m.name)
	c.async = c.async || s.Kind == telemetry.KindProducer
	o.waiting[i] = c
	o.count(c, i, o.recs[i].outcome == failed)
}

// tellsMore says that the outer of two nested outgoing spans names a database or a queue and the
// inner one, its transport, does not.
func tellsMore(outer, inner *telemetry.Span) bool {
	return (outer.Attrs.First(telemetry.AttrDBSystem, telemetry.AttrMsgDestination) != "" || outer.Kind == telemetry.KindProducer) &&
		inner.Attrs.First(telemetry.AttrDBSystem, telemetry.AttrMsgDestination) == ""
}

// isAnswered says that a child of span i is the callee's.
func isAnswered(tr *telemetry.Trace, recs []spanRec, i int) bool {
	for _, c := range tr.Children(i) {
		if f := recs[c].facts; f.is(crossing) {
			// What a consumer does with a message is no answer to whoever sent it.
			if !f.is(receipt) || recs[i].facts.kind() != telemetry.KindProducer {
				return true
			}
		} else if f.kind() == telemetry.KindServer {
			return true
		}
	}
	return false
}

// received records a message that was received: from the queue it was in, or straight from its
// sender where nobody names the queue.
func (o *observer) received(i, p int, crossing bool) {
	tr, s := o.tr, o.tr.Spans[i]
	at := o.places.queue(s, "")
	if p >= 0 && !crossing && receives(tr.Spans[p]) {
		return // processing what the parent received
	}
	var from sending
	switch {
	case crossing:
		from = sending{service: tr.Spans[p].Resource.Service, end: tr.Spans[p].End()}
		if sender := tr.Spans[p]; sender.Kind == telemetry.KindProducer {
			from.at = o.places.called(sender)
		} else {
			from.end = 0 // it ends when its own work is done, not when the message is sent
		}
	case len(s.Links) > 0:
		for _, l := range s.Links[:min(len(s.Links), maxLinks)] {
			if x, ok := o.sent[spanKey{l.Trace, l.Span}]; ok && (from.service == "" || x.end < from.end) {
				from = x // the one that waited longest
			}
		}
	}
	if from.at.kind == nodeQueue && (at.name == "" || at.name == at.system) {
		at = from.at
	}
	var c *call
	switch {
	case at.name != "":
		m := o.member(at)
		c = o.call(m.name, s.Resource.Service)
		if crossing && tr.Spans[p].Kind != telemetry.KindProducer {
			// Sent without a span of its own.
			sent := o.call(from.service, m.name)
			sent.n++
			sent.requests++
			sent.async = true
		}
	case from.service != "":
		c = o.call(from.service, s.Resource.Service)
	default:
		return
	}
	c.async = true
	o.entered[i] = c
	if from.end > 0 {
		c.queued = append(c.queued, max(float64(s.Start-from.end)/1e9, 0))
	}
	c.n++
	c.requests++
	c.durations = append(c.durations, s.Duration.Seconds())
	if o.recs[i].outcome == failed {
		c.errors++
	}
}

// count records one call seen at span view.
func (o *observer) count(c *call, view int, bad bool) {
	s := o.tr.Spans[view]
	c.n++
	c.durations = append(c.durations, s.Duration.Seconds())
	if bad {
		c.errors++
	}
	caller := o.tr.Parent(view)
	if k := (parentKey{caller, c}); o.parents.get(k) == nil {
		o.parents.add(k, true)
		c.requests++
	}
	k := attemptKey{caller, o.recs[view].op}
	at, seen := len(o.tries), false
	if old := o.attempts.get(k); old != nil {
		at, seen = *old, true
	} else {
		o.attempts.add(k, at)
		o.tries = append(o.tries, try{edge: c, home: o.home[view], last: view})
	}
	x := &o.tries[at]
	if seen && x.failed || !seen && resent(s) {
		c.retries++
	}
	x.failed, x.last = bad, view
	x.failures += b2i(bad)
}

// resent says that a span is the repetition of a request, by its client's own count.
func resent(s *telemetry.Span) bool {
	n, ok := s.Attrs.Int(telemetry.AttrHTTPResend)
	return ok && n > 0
}

func (c *call) count() float64 {
	if c == nil {
		return 0
	}
	return c.n
}

func (c *call) ratio(of float64) float64 {
	if c == nil || c.n == 0 {
		return 0
	}
	return of / c.n
}
