package simulate

// recorder keeps what the instrumentation of the system would have seen, before each service writes it down in its own
// way.
type recorder struct {
	spans   []*span
	logs    []logLine
	retired []*pod
	points  []*series
	byKey   map[seriesKey]*series
}

type spanKind uint8

const (
	kindInternal spanKind = 1 + iota
	kindServer
	kindClient
	kindProducer
	kindConsumer
)

// span is one operation of a request, with what is known of it inside the simulation.
type span struct {
	id      uint64
	parent  *span
	rq      *request
	pod     *pod
	kind    spanKind
	op      *operation // of a server the handler, of a client the handler it asks
	step    *step      // of a client
	start   int64
	end     int64
	status  int
	f       *failure
	attempt int
}

type logKind uint8

const (
	logAccess     logKind = iota // a request was handled
	logFailed                    // a handler failed
	logCallFailed                // a call failed
	logFallback                  // a call failed and something else is used instead
	logChronic                   // what the service always warns about
	logStarted
	logStep // progress of the handler
)

type logLine struct {
	at   int64
	kind logKind
	pod  *pod
	span *span
	rq   *request
	op   *operation
	step *step
	f    *failure
	o    int // status
	took int64
}

// begin opens a span of a handler.
func (x *run) begin(f *frame, parent *span, kind spanKind) *span {
	return &span{id: x.ids.Uint64() | 1, parent: parent, rq: f.rq, pod: f.pod, kind: kind, start: x.now, attempt: f.attempt}
}

// close ends a span; what was never closed is lost, as with a real exporter.
func (x *run) close(s *span, o outcome) {
	s.end, s.status, s.f = x.now, o.status, o.f
	if s.rq.kept {
		x.rec.spans = append(x.rec.spans, s)
	}
}

// end closes the span of a handler and writes what a service writes about a request.
func (x *run) end(f *frame, o outcome) {
	x.close(f.span, o)
	svc := f.op.svc
	took := x.now - f.span.start
	f.pod.stat.note(f.op, o.status, took)
	x.tally.note(f.op, f.span.start, o.status, float64(took)/1e9)
	if svc.quiet {
		return
	}
	line := logLine{at: x.now, pod: f.pod, span: f.span, rq: f.rq, op: f.op, f: o.f, o: o.status, took: took}
	switch {
	case o.status >= 500 || o.status == 400 && o.f != nil && o.f.kind == failException:
		line.kind = logFailed
		x.rec.logs = append(x.rec.logs, line)
	case svc.accesses && (f.rq.kept || x.random.chance(0.02)):
		line.kind = logAccess
		x.rec.logs = append(x.rec.logs, line)
	case !svc.accesses && f.rq.kept && svc.index%3 == 0:
		line.kind = logStep
		x.rec.logs = append(x.rec.logs, line)
	}
	if svc.habits.chronic > 0 && x.random.chance(0.004*float64(svc.habits.chronic)) {
		x.rec.logs = append(x.rec.logs, logLine{at: x.now, kind: logChronic, pod: f.pod, span: f.span, rq: f.rq, op: f.op})
	}
}

func (x *run) log(f *frame, kind logKind, st *step, fl *failure) {
	if f.op.svc.quiet {
		return
	}
	x.rec.logs = append(x.rec.logs, logLine{at: x.now, kind: kind, pod: f.pod, span: f.span, rq: f.rq, op: f.op, step: st, f: fl})
}

func (x *run) logStart(p *pod) {
	if !p.svc.quiet && len(p.svc.ops) > 0 {
		x.rec.logs = append(x.rec.logs, logLine{at: x.now, kind: logStarted, pod: p, op: p.svc.ops[0]})
	}
}
