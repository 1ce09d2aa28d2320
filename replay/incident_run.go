package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Incident replays an incident against one build: requests arrive when they arrived, whether or not earlier ones
// were answered (an open loop; a closed one would slow down with the service and hide what it does to its
// users: Tene's "coordinated omission"), their content comes from golden cases of the same method and route, and the
// dependencies behave as they did. The outcome is Red when the symptom shows.
func Incident(ctx context.Context, l Launcher, plan IncidentPlan, sets []*Set, opts Options) (Verdict, *Run, error) {
	opts = opts.withDefaults()
	run := &Run{}
	if err := plan.validate(); err != nil {
		return Verdict{}, run, err
	}
	for _, s := range sets {
		if err := s.Validate(); err != nil {
			return Verdict{}, run, fmt.Errorf("golden set %s: %w", s.ID, err)
		}
		run.Sets = append(run.Sets, s.ID)
	}
	began := opts.Now()
	r := &incidentReplay{plan: &plan, sets: sets, opts: opts, run: run, warm: map[string]map[string]string{}}
	v, err := r.replay(ctx, l)
	run.Elapsed = opts.Now().Sub(began)
	v.Sets = run.Sets
	return v, run, err
}

func (p *IncidentPlan) validate() error {
	switch {
	case len(p.Arrivals) == 0:
		return errors.New("the incident plan has no arrivals, so there is nothing to replay")
	case p.Symptom.Kind != "errors" && p.Symptom.Kind != "latency":
		return fmt.Errorf("the incident plan's symptom is of kind %q (errors and latency can be measured)", clip(p.Symptom.Kind, 20))
	case math.IsNaN(p.Symptom.Value) || p.Symptom.Value <= 0:
		return fmt.Errorf("the incident plan's threshold is %v, which separates nothing", p.Symptom.Value)
	}
	return nil
}

type incidentReplay struct {
	plan *IncidentPlan
	sets []*Set
	opts Options
	run  *Run
	rig  *rig
	warm map[string]map[string]string // values extracted while warming up, by set
}

// shot is one request of the incident and how it went.
type shot struct {
	arrival Arrival
	message message
	context traceparent
	started time.Duration // actual, from the start of the plan
	took    time.Duration // from the intended start
	status  int
	err     error
}

func (s *shot) failed() bool { return s.err != nil || s.status >= 500 }

func (r *incidentReplay) replay(ctx context.Context, l Launcher) (Verdict, error) {
	content, why := r.content()
	if why != "" {
		return Verdict{Outcome: Broken, Why: why}, nil
	}
	sim := newSimulation(r.plan, r.sets, r.opts.Now)
	var err error
	r.rig, err = start(ctx, l, union(sim.library.peers(), sortedKeys(r.plan.Behaviour), r.opts.Dependencies), sim, r.opts)
	if err != nil {
		if ctx.Err() != nil {
			return Verdict{}, ctx.Err()
		}
		return Verdict{Outcome: Broken, Why: "the service did not become healthy: " + r.opts.Redactor.Text(clip(err.Error(), 2000))}, nil
	}
	shots, why := r.prepare(ctx, content)
	warmed, _ := r.rig.stage.log()
	if why == "" {
		r.fire(ctx, sim, shots)
		r.awaitSpans(ctx, shots)
	}
	output, stopErr := r.rig.stop(ctx)
	r.run.Output = r.opts.Redactor.Text(output)
	if ctx.Err() != nil {
		return Verdict{}, ctx.Err()
	}
	if stopErr != nil {
		r.run.Notes = append(r.run.Notes, "stopping the service: "+r.opts.Redactor.Text(clip(stopErr.Error(), 500)))
	}
	if why != "" {
		return Verdict{Outcome: Broken, Why: why}, nil
	}
	return r.judge(shots, len(warmed)), nil
}

// source is a golden case that supplies the content of requests.
type source struct {
	set  *Set
	c    *Case
	deps []*Case // to be sent first, in order
}

// content finds golden cases for the routes of the arrivals.
func (r *incidentReplay) content() (map[string][]source, string) {
	wanted := map[string]int{}
	for _, a := range r.plan.Arrivals {
		wanted[a.Route]++
	}
	out := map[string][]source{}
	for _, set := range r.sets {
		order, _ := schedule(set)
		byID := map[string]*Case{}
		for _, c := range order {
			byID[c.ID] = c
		}
		for _, c := range order {
			for route := range wanted {
				if suits(c, route) {
					out[route] = append(out[route], source{set: set, c: c, deps: prerequisites(c, byID)})
				}
			}
		}
	}
	missing := []string{}
	for _, route := range sortedKeys(wanted) {
		// Requests that were refused when all was well do not exercise what broke.
		if good := slices.DeleteFunc(slices.Clone(out[route]), func(s source) bool { return s.c.Response.Status >= 400 }); len(good) > 0 {
			out[route] = good
		}
		if len(out[route]) == 0 {
			missing = append(missing, fmt.Sprintf("%s (%d requests)", route, wanted[route]))
			continue
		}
	}
	// Without the failing operation there is nothing to measure.
	if len(out) == 0 || wanted[r.plan.Operation] > 0 && len(out[r.plan.Operation]) == 0 {
		return nil, fmt.Sprintf("no golden case supplies the content of the incident's requests: %s; record one", strings.Join(missing, ", "))
	}
	if len(missing) > 0 {
		r.run.Notes = append(r.run.Notes, "left out for want of a golden case: "+strings.Join(missing, ", "))
	}
	return out, ""
}

func suits(c *Case, route string) bool {
	method, path, ok := strings.Cut(route, " ")
	return ok && c.Request.Method == method && (c.Request.Route == path || matchesRoute(path, c.Request.Path) || matchesRoute(c.Request.Route, path))
}

func prerequisites(c *Case, byID map[string]*Case) []*Case {
	var out []*Case
	seen := map[string]bool{}
	var visit func(c *Case)
	visit = func(c *Case) {
		for _, d := range c.DependsOn {
			if dep := byID[d]; dep != nil && !seen[d] {
				seen[d] = true
				visit(dep)
				out = append(out, dep)
			}
		}
	}
	visit(c)
	return out
}

// prepare warms the service up (each prerequisite and one request per route, while the dependencies are well) and
// makes the messages.
func (r *incidentReplay) prepare(ctx context.Context, content map[string][]source) ([]*shot, string) {
	sent := map[string]bool{}
	n := 0
	for _, route := range sortedKeys(content) {
		for _, s := range content[route] {
			for _, c := range append(slices.Clone(s.deps), s.c) {
				key := s.set.ID + "\x00" + c.ID
				if sent[key] {
					continue
				}
				sent[key] = true
				n++
				if why := r.warmUp(ctx, s.set, c, n); why != "" {
					return nil, why
				}
			}
		}
	}
	var shots []*shot
	next := map[string]int{}
	for i, a := range r.plan.Arrivals {
		sources := content[a.Route]
		if len(sources) == 0 {
			continue
		}
		s := sources[next[a.Route]%len(sources)]
		next[a.Route]++
		req, err := inject(s.c.Request, s.c.Vars.Inject, r.warm[s.set.ID])
		if err != nil {
			return nil, fmt.Sprintf("golden case %s cannot be sent: %s", s.c.ID, err)
		}
		tp := newTraceparent(r.opts.Seed+"\x00incident", i)
		m, err := newMessage(freshened(req, tp))
		if err != nil {
			return nil, fmt.Sprintf("golden case %s cannot be sent: %s", s.c.ID, err)
		}
		shots = append(shots, &shot{arrival: a, message: m, context: tp})
	}
	return shots, ""
}

func (r *incidentReplay) warmUp(ctx context.Context, set *Set, c *Case, n int) string {
	vars := r.warm[set.ID]
	if vars == nil {
		vars = map[string]string{}
		r.warm[set.ID] = vars
	}
	tp := newTraceparent(r.opts.Seed+"\x00warm", n)
	req, err := inject(c.Request, c.Vars.Inject, vars)
	var m message
	if err == nil {
		m, err = newMessage(freshened(req, tp))
	}
	if err != nil {
		return fmt.Sprintf("golden case %s cannot be sent: %s", c.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.RequestTimeout)
	defer cancel()
	got, err := r.rig.driver.send(ctx, &m, tp)
	if err != nil {
		return fmt.Sprintf("the service gave no answer to golden case %s before the incident began (%s)", c.ID, failure(err))
	}
	if got.status >= 500 && c.Response.Status < 500 {
		return fmt.Sprintf("the service answered %d to golden case %s before the incident began, %d was recorded", got.status, c.ID, c.Response.Status)
	}
	extract(vars, c.Vars.Extract, keepBody(got.body, got.header.Get("Content-Type")))
	return ""
}

// repeatKey names what tells a service that a request is a repetition of an earlier one, which it would answer
// from memory instead of doing the work again.
var repeatKey = regexp.MustCompile(`(?i)^(x[-_])?(idempotency[-_]?key|idempotence[-_]?key|request[-_]?id|correlation[-_]?id)$`)

// freshened gives the request its own identity.
func freshened(r Request, tp traceparent) Request {
	sum := sha256.Sum256(append(tp.trace[:], tp.span[:]...))
	h := hex.EncodeToString(sum[:16])
	id := h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
	headers := make(map[string]string, len(r.Headers))
	for k, v := range r.Headers {
		if repeatKey.MatchString(k) {
			v = id
		}
		headers[k] = v
	}
	r.Headers = headers
	if object, ok := bodyValue(r.Body).(map[string]any); ok {
		changed := false
		for k, v := range object {
			if _, text := v.(string); text && repeatKey.MatchString(k) {
				object[k], changed = id, true
			}
		}
		if changed {
			if raw, err := canonicalJSON(object); err == nil {
				r.Body = raw
			}
		}
	}
	return r
}

// fire sends each request at its time.
func (r *incidentReplay) fire(ctx context.Context, sim *simulation, shots []*shot) {
	sort.SliceStable(shots, func(i, j int) bool { return shots[i].arrival.Offset < shots[j].arrival.Offset })
	zero := r.opts.Now()
	sim.begin(zero)
	var wg sync.WaitGroup
	timer := time.NewTimer(0)
	defer timer.Stop()
	for _, s := range shots {
		if wait := s.arrival.Offset - r.opts.Now().Sub(zero); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				wg.Wait()
				return
			}
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, r.opts.RequestTimeout)
			defer cancel()
			s.started = r.opts.Now().Sub(zero)
			got, err := r.rig.driver.send(ctx, &s.message, s.context)
			s.status, s.err = got.status, err
			// From when it should have been sent: waiting for the driver is waiting too.
			s.took = r.opts.Now().Sub(zero) - s.arrival.Offset
		})
	}
	wg.Wait()
}

// awaitSpans waits for the trace of the request that will be the picture.
func (r *incidentReplay) awaitSpans(ctx context.Context, shots []*shot) {
	if len(shots) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(r.opts.TraceTimeout, 3*time.Second))
	defer cancel()
	s := exemplarShot(r.measured(shots))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !r.rig.receiver.settled(s.context.trace, s.context.span, r.opts.Quiet) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// measured are the shots on which the symptom is measured: those of the failing operation.
func (r *incidentReplay) measured(shots []*shot) []*shot {
	own := slices.DeleteFunc(slices.Clone(shots), func(s *shot) bool { return s.arrival.Route != r.plan.Operation })
	if len(own) == 0 {
		return shots
	}
	return own
}

// exemplarShot is the request that shows the incident best: the slowest failure, else the slowest.
func exemplarShot(shots []*shot) *shot {
	best := shots[0]
	for _, s := range shots[1:] {
		if s.failed() != best.failed() && s.failed() || s.failed() == best.failed() && s.took > best.took {
			best = s
		}
	}
	return best
}

// judge measures and decides.
func (r *incidentReplay) judge(shots []*shot, warmCalls int) Verdict {
	calls, dropped := r.rig.stage.log()
	calls = calls[min(warmCalls, len(calls)):]
	spans, lost, _, _ := r.rig.receiver.Received()
	shots = r.measured(shots)
	r.run.Spans, r.run.Calls = spans, len(calls)+dropped
	m := &IncidentRun{Requests: len(shots), Downstream: len(calls) + dropped, Threshold: r.plan.Symptom.Value, PeakPerSec: peakPerSecond(calls)}
	took := make([]time.Duration, 0, len(shots))
	refused := 0
	for _, s := range shots {
		took = append(took, s.took)
		if s.failed() {
			m.Failed++
		}
		if s.err != nil && (failure(s.err) == "refused") {
			refused++
		}
	}
	m.ErrorRatio = float64(m.Failed) / float64(len(shots))
	m.P95 = quantile(took, 0.95)
	m.Exemplar = r.exemplar(exemplarShot(shots))
	v := Verdict{Incident: m, Cases: len(shots), Failed: m.Failed}
	unknown := 0
	for _, c := range calls {
		if c.unknown {
			unknown++
		}
	}
	tail := ""
	if last := lastLines(r.run.Output, 5); last != "" {
		tail = "; its output ends: " + last
	}
	switch {
	case lost > 0:
		v.Outcome, v.Why = Broken, fmt.Sprintf("the service sent more than %d spans during the incident; %d were dropped", r.opts.MaxSpans, lost)
		return v
	case refused > len(shots)/2:
		v.Outcome, v.Why = Broken, fmt.Sprintf("the service stopped accepting connections: %d of %d requests were refused%s", refused, len(shots), tail)
		return v
	case unknown > 0:
		first := calls[slices.IndexFunc(calls, func(c servedCall) bool { return c.unknown })]
		v.Outcome = Broken
		v.Why = fmt.Sprintf("the stand-ins had no recorded answer to %d of %d outgoing calls (first: %s %s to %s), so the incident cannot be judged; record golden cases that make them",
			unknown, len(calls), first.method, clip(first.path, 80), first.peer)
		v.Differences = []Difference{{Case: "incident", Target: "downstream", Pointer: pointer{first.peer, first.method + " " + first.path}.String(), Kind: "unexpected", Replayed: fmt.Sprintf("%d×", unknown)}}
		return v
	}
	v.Outcome, v.Why = symptom(r.plan, m)
	if late := quantile(lateness(shots), 0.95); late > tooLate {
		v.Why += fmt.Sprintf("; this machine was too busy to be exact: requests left up to %s late", late.Round(time.Millisecond))
	}
	return v
}

// tooLate is when the driver itself disturbs what it measures: moments of failure are often not much
// longer.
const tooLate = 100 * time.Millisecond

func lateness(shots []*shot) []time.Duration {
	out := make([]time.Duration, len(shots))
	for i, s := range shots {
		out[i] = s.started - s.arrival.Offset
	}
	return out
}

// symptom decides whether the incident shows, and says so with the numbers.
func symptom(plan *IncidentPlan, m *IncidentRun) (Outcome, string) {
	shown, unit := m.ErrorRatio > plan.Symptom.Value, fmt.Sprintf("%.1f %% of %d requests failed", 100*m.ErrorRatio, m.Requests)
	limit := fmt.Sprintf("%.1f %%", 100*plan.Symptom.Value)
	context := fmt.Sprintf("%.1f %% in the incident, %.1f %% in health", 100*plan.Symptom.Recorded, 100*plan.Symptom.Healthy)
	if plan.Symptom.Kind == "latency" {
		seconds := func(s float64) string {
			return time.Duration(s * float64(time.Second)).Round(100 * time.Microsecond).String()
		}
		shown, unit = m.P95.Seconds() > plan.Symptom.Value, fmt.Sprintf("the 95th percentile of %d requests took %s", m.Requests, m.P95.Round(100*time.Microsecond))
		limit = seconds(plan.Symptom.Value)
		context = fmt.Sprintf("%s in the incident, %s in health", seconds(plan.Symptom.Recorded), seconds(plan.Symptom.Healthy))
	}
	calls := fmt.Sprintf("%d outgoing calls, at most %.0f in a second", m.Downstream, m.PeakPerSec)
	if shown {
		return Red, fmt.Sprintf("the incident shows: %s, above the limit of %s (%s); %s", unit, limit, context, calls)
	}
	return Green, fmt.Sprintf("the incident does not show: %s, within the limit of %s (%s); %s", unit, limit, context, calls)
}

// peakPerSecond is the highest number of calls that started within one second.
func peakPerSecond(calls []servedCall) float64 {
	starts := make([]time.Time, len(calls))
	for i := range calls {
		starts[i] = calls[i].start
	}
	slices.SortFunc(starts, time.Time.Compare)
	peak, first := 0, 0
	for i, t := range starts {
		for t.Sub(starts[first]) >= time.Second {
			first++
		}
		peak = max(peak, i-first+1)
	}
	return float64(peak)
}

// quantile is the nearest-rank quantile: the smallest value at least q of all are not above.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(q*float64(len(sorted))))-1))]
}

// maxExemplarSpans keeps the picture readable.
const maxExemplarSpans = 200

func (r *incidentReplay) exemplar(s *shot) *Exemplar {
	own := groupByTrace(r.rig.receiver.Spans())[s.context.trace].exchange("", s.context.span)
	if len(own) == 0 {
		return nil
	}
	e := &Exemplar{Trace: s.context.trace.String()}
	zero := own[0].span.Start
	for _, p := range own {
		zero = min(zero, p.span.Start)
	}
	for _, p := range depthFirst(own) {
		if len(e.Spans) == maxExemplarSpans {
			break
		}
		e.Spans = append(e.Spans, ExemplarSpan{Name: r.opts.Redactor.Text(p.span.Name), Service: p.span.Resource.Service, Depth: p.depth, Offset: time.Duration(p.span.Start - zero),
			Duration: p.span.Duration, Error: statusText(p.span.Status) == "error" || p.span.HTTPStatus() >= http.StatusInternalServerError})
	}
	return e
}

// depthFirst orders the spans of an exchange as a picture draws them.
func depthFirst(own []placed) []placed {
	children := map[[8]byte][]int{}
	known := map[[8]byte]bool{}
	for i := range own {
		known[own[i].span.ID] = true
	}
	var roots []int
	for i := range own {
		if p := own[i].span.Parent; known[p] && own[i].depth > 0 {
			children[p] = append(children[p], i)
		} else {
			roots = append(roots, i)
		}
	}
	byStart := func(list []int) {
		sort.SliceStable(list, func(a, b int) bool { return own[list[a]].span.Start < own[list[b]].span.Start })
	}
	byStart(roots)
	out := make([]placed, 0, len(own))
	stack := slices.Clone(roots)
	slices.Reverse(stack)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		out = append(out, own[i])
		kids := children[own[i].span.ID]
		byStart(kids)
		for j := len(kids) - 1; j >= 0; j-- {
			stack = append(stack, kids[j])
		}
	}
	return out
}
