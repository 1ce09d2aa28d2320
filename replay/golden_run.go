package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// Run is what one build did in a replay.
type Run struct {
	Sets     []string
	Observed []SetObserved // in order of the sets and of their cases
	Skipped  []Skipped
	// Output is the tail of the service's output.
	Output string
	Spans  int
	Calls  int // outgoing calls the stand-ins answered
	// Notes are remarks that fail nothing, such as calls that belong to no case.
	Notes   []string
	Elapsed time.Duration

	sets []*Set
}

// SetObserved is what was observed of one case of one set.
type SetObserved struct {
	Set string
	Observed
}

// Skipped is a case that was not replayed.
type Skipped struct{ Set, Case, Why string }

// maxDifferences is how many differences a Verdict carries.
const maxDifferences = 100

// Golden replays the golden sets against one build, each set on a freshly started service, and compares.
// The error is about the replay itself (bad input, a cancelled context); a build that does not start, crashes, hangs or
// cannot be observed is the outcome Broken.
func Golden(ctx context.Context, l Launcher, sets []*Set, opts Options) (Verdict, *Run, error) {
	opts = opts.withDefaults()
	run := &Run{}
	if len(sets) == 0 {
		return Verdict{}, run, errors.New("no golden set to replay (record one, or name one under `golden` of the service)")
	}
	began := opts.Now()
	v := Verdict{Outcome: Green}
	var differences []Difference
	for _, set := range sets {
		if err := set.Validate(); err != nil {
			return Verdict{}, run, fmt.Errorf("golden set %s: %w", set.ID, err)
		}
		run.Sets, run.sets = append(run.Sets, set.ID), append(run.sets, set)
		r := &setReplay{set: set, opts: opts, run: run}
		broken, err := r.replay(ctx, l)
		if err != nil {
			return Verdict{}, run, err
		}
		if broken != "" {
			v = Verdict{Outcome: Broken, Why: fmt.Sprintf("golden set %s: %s", set.ID, broken), Sets: run.Sets, Cases: len(run.Observed)}
			run.Elapsed = opts.Now().Sub(began)
			return v, run, nil
		}
		ds := compareSet(set, run.observedOf(set.ID))
		if len(sets) > 1 {
			for i := range ds {
				ds[i].Case = set.ID + "/" + ds[i].Case
			}
		}
		differences = append(differences, ds...)
	}
	run.Elapsed = opts.Now().Sub(began)
	v.conclude(run, differences)
	return v, run, nil
}

// conclude turns differences into the outcome and its sentence.
func (v *Verdict) conclude(run *Run, ds []Difference) {
	v.Sets, v.Cases = run.Sets, len(run.Observed)
	failed := map[string]bool{}
	for i := range ds {
		if ds[i].fails() {
			failed[ds[i].Case] = true
		}
	}
	v.Failed = len(failed)
	sortDifferences(ds)
	v.Differences = ds
	if len(ds) > maxDifferences {
		v.Differences, v.Dropped = ds[:maxDifferences], len(ds)-maxDifferences
	}
	if v.Failed > 0 {
		v.Outcome = Red
		first := ds[slices.IndexFunc(ds, func(d Difference) bool { return d.fails() })]
		v.Why = fmt.Sprintf("%d of %d golden cases differ from what was recorded; the first: %s", v.Failed, v.Cases, first)
	} else {
		v.Outcome = Green
		v.Why = fmt.Sprintf("all %d golden cases answer, call and trace as recorded", v.Cases)
	}
	if len(run.Skipped) > 0 {
		v.Why += fmt.Sprintf(" (%d skipped: %s)", len(run.Skipped), run.Skipped[0].Why)
	}
}

// String is the difference in one line.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "case %s: %s", d.Case, d.Target)
	if d.Pointer != "" {
		fmt.Fprintf(&b, " %s", d.Pointer)
	}
	fmt.Fprintf(&b, " %s", d.Kind)
	switch {
	case d.Recorded != "" && d.Replayed != "":
		fmt.Fprintf(&b, ": recorded %s, replayed %s", d.Recorded, d.Replayed)
	case d.Recorded != "":
		fmt.Fprintf(&b, ": recorded %s", d.Recorded)
	case d.Replayed != "":
		fmt.Fprintf(&b, ": %s", d.Replayed)
	}
	if d.Likely != "" {
		fmt.Fprintf(&b, " (%s)", d.Likely)
	}
	return b.String()
}

func (r *Run) observedOf(set string) []*Observed {
	var out []*Observed
	for i := range r.Observed {
		if r.Observed[i].Set == set {
			out = append(out, &r.Observed[i].Observed)
		}
	}
	return out
}

// compareSet compares the observations of one replay; a renaming seen in one case holds in the others.
func compareSet(set *Set, observed []*Observed) []Difference {
	byID := make(map[string]*Case, len(set.Cases))
	for i := range set.Cases {
		byID[set.Cases[i].ID] = &set.Cases[i]
	}
	names := newAliases()
	var out []Difference
	for _, o := range observed {
		if c := byID[o.Case]; c != nil {
			out = append(out, compareWith(c, o, names)...)
		}
	}
	return out
}

// setReplay is the replay of one set against one instance.
type setReplay struct {
	set  *Set
	opts Options
	run  *Run
	rig  *rig
	tape *cassettes

	mu       sync.Mutex
	vars     map[string]string
	observed map[string]*Observed
	contexts map[string]traceparent
	starts   map[string]time.Time
	silent   int // transport errors in a row
}

// errServiceGone ends a set: further requests would only repeat the finding.
var errServiceGone = errors.New("the service stopped answering")

// tooSilent is how many requests in a row may end without an answer before the service
// counts as gone: one may be a crash of the request, three are not.
const tooSilent = 3

func (r *setReplay) replay(ctx context.Context, l Launcher) (broken string, err error) {
	order, skipped := schedule(r.set)
	r.run.Skipped = append(r.run.Skipped, skipped...)
	if len(order) == 0 {
		return fmt.Sprintf("none of its %d cases can be replayed: %s", len(r.set.Cases), skipped[0].Why), nil
	}
	r.tape = newCassettes([]*Set{r.set})
	r.vars, r.observed, r.contexts, r.starts = map[string]string{}, map[string]*Observed{}, map[string]traceparent{}, map[string]time.Time{}
	r.rig, err = start(ctx, l, union(r.tape.library.peers(), r.opts.Dependencies), r.tape, r.opts)
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "the service did not become healthy: " + r.opts.Redactor.Text(clip(err.Error(), 2000)), nil
	}
	sent := r.sendAll(ctx, order)
	if sent == nil {
		r.awaitTraces(ctx)
	}
	output, stopErr := r.rig.stop(ctx)
	r.run.Output = r.opts.Redactor.Text(output)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	tail := ""
	if last := lastLines(r.run.Output, 5); last != "" {
		tail = "; its output ends: " + last
	}
	if sent != nil {
		return sent.Error() + tail, nil
	}
	if stopErr != nil {
		r.run.Notes = append(r.run.Notes, "stopping the service: "+r.opts.Redactor.Text(clip(stopErr.Error(), 500)))
	}
	spans, dropped, _, _ := r.rig.receiver.Received()
	r.run.Spans += spans
	if dropped > 0 {
		return fmt.Sprintf("the service sent more than %d spans in the replay of %d cases; %d were dropped, so its traces cannot be judged", r.opts.MaxSpans, len(order), dropped), nil
	}
	expectsSpans := slices.ContainsFunc(order, func(c *Case) bool { return len(c.Trace.Tree) > 0 })
	if spans == 0 && expectsSpans {
		return "no spans arrived from the service, so it cannot be observed (does it export OTLP to OTEL_EXPORTER_OTLP_ENDPOINT?)" + tail, nil
	}
	r.gather(order)
	return "", nil
}

// schedule orders the cases so that each comes after those it depends on, otherwise as
// recorded, and leaves out what may or can not be replayed.
func schedule(set *Set) (order []*Case, skipped []Skipped) {
	why := map[string]string{}
	index := map[string]int{}
	for i := range set.Cases {
		c := &set.Cases[i]
		index[c.ID] = i
		switch {
		case c.Effects == "forbidden":
			why[c.ID] = fmt.Sprintf("case %s has effects that must not be repeated", c.ID)
		case c.Kind != "http":
			why[c.ID] = fmt.Sprintf("case %s is of kind %s, which is not replayed yet", c.ID, c.Kind)
		}
	}
	done := map[string]bool{}
	var visit func(c *Case)
	visit = func(c *Case) {
		if done[c.ID] {
			return
		}
		done[c.ID] = true // the set was validated: there are no circles
		for _, d := range c.DependsOn {
			dep := &set.Cases[index[d]]
			visit(dep)
			if _, out := why[d]; out && why[c.ID] == "" {
				why[c.ID] = fmt.Sprintf("case %s needs case %s, which is skipped", c.ID, d)
			}
		}
		if why[c.ID] == "" {
			order = append(order, c)
		}
	}
	for i := range set.Cases {
		visit(&set.Cases[i])
	}
	for i := range set.Cases {
		if w := why[set.Cases[i].ID]; w != "" {
			skipped = append(skipped, Skipped{Set: set.ID, Case: set.Cases[i].ID, Why: w})
		}
	}
	return order, skipped
}

// sendAll sends the cases with as many in flight as when they were recorded. An error
// means that the service is gone.
func (r *setReplay) sendAll(ctx context.Context, order []*Case) error {
	finished := make(map[string]chan struct{}, len(order))
	for _, c := range order {
		finished[c.ID] = make(chan struct{})
	}
	slots := make(chan struct{}, max(1, r.set.Recorded.Concurrency))
	var wg sync.WaitGroup
	defer wg.Wait()
	for n, c := range order {
		for _, d := range c.DependsOn {
			select {
			case <-finished[d]:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.mu.Lock()
		gone := r.silent >= tooSilent
		r.mu.Unlock()
		if gone {
			return fmt.Errorf("%w before case %s: %d requests in a row got no answer", errServiceGone, c.ID, tooSilent)
		}
		wg.Go(func() {
			defer func() { <-slots; close(finished[c.ID]) }()
			r.send(ctx, c, n)
		})
	}
	wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	unanswered := 0
	for _, o := range r.observed {
		if o.Error == "refused" || o.Error == "reset" || o.Error == "timeout" {
			unanswered++
		}
	}
	if unanswered == len(order) {
		return fmt.Errorf("%w: none of %d requests got an answer (%s)", errServiceGone, len(order), r.observed[order[0].ID].Error)
	}
	return nil
}

func (r *setReplay) send(ctx context.Context, c *Case, n int) {
	tp := newTraceparent(r.opts.Seed+"\x00"+r.set.ID, n)
	o := &Observed{Case: c.ID, TraceID: tp.trace.String()}
	r.mu.Lock()
	r.observed[c.ID], r.contexts[c.ID] = o, tp
	req, err := inject(c.Request, c.Vars.Inject, r.vars)
	r.mu.Unlock()
	var m message
	if err == nil {
		m, err = newMessage(req)
	}
	if err != nil {
		o.Error = "not sent: " + err.Error()
		return
	}
	r.tape.insert(tp.trace, c)
	timeout := r.opts.CaseTimeout
	if timeout <= 0 {
		timeout = 10 * time.Second
		for _, l := range c.Latency {
			timeout = max(timeout, 20*time.Duration(l))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := r.opts.Now()
	got, err := r.rig.driver.send(ctx, &m, tp)
	o.Latency = r.opts.Now().Sub(began)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts[c.ID] = began
	if err != nil {
		o.Error = failure(err)
		r.silent++
		return
	}
	r.silent = 0
	extract(r.vars, c.Vars.Extract, keepBody(got.body, got.header.Get("Content-Type")))
	o.Response = Response{Status: got.status, Headers: keepHeaders(got.header, responseNoise, r.opts.Redactor), Body: r.opts.Redactor.keep(got.body, got.header.Get("Content-Type"))}
}

// awaitTraces polls until the trace of every answered case is complete or the time is up. The rest
// may still come when the service flushes at its end.
func (r *setReplay) awaitTraces(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.TraceTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := false
		for id, tp := range r.contexts {
			if r.observed[id].Error == "" && !r.rig.receiver.settled(tp.trace, tp.span, r.opts.Quiet) {
				waiting = true
				break
			}
		}
		if !waiting {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// gather gives each case the spans and outgoing calls that belong to it.
func (r *setReplay) gather(order []*Case) {
	traces := groupByTrace(r.rig.receiver.Spans())
	calls, dropped := r.rig.stage.log()
	r.run.Calls += len(calls) + dropped
	byTrace := map[telemetry.TraceID][]servedCall{}
	for _, c := range calls {
		byTrace[c.context.trace] = append(byTrace[c.context.trace], c)
	}
	claimed := 0
	for _, c := range order {
		o, tp := r.observed[c.ID], r.contexts[c.ID]
		own := traces[tp.trace].exchange("", tp.span)
		o.Traced = len(own) > 0
		o.Trace = treeOf(own, r.opts.Redactor)
		for _, call := range byTrace[tp.trace] {
			claimed++
			d := call.callOf(call.peer, call.route, r.opts.Redactor)
			d.Offset = Duration(max(0, call.start.Sub(r.starts[c.ID])))
			o.Downstream = append(o.Downstream, d)
		}
		slices.SortStableFunc(o.Downstream, func(a, b Downstream) int { return int(a.Offset - b.Offset) })
		r.run.Observed = append(r.run.Observed, SetObserved{Set: r.set.ID, Observed: *o})
	}
	if rest := len(calls) - claimed; rest > 0 {
		r.run.Notes = append(r.run.Notes, fmt.Sprintf("%d outgoing calls carried no trace context of a case and were answered but not compared", rest))
	}
	if dropped > 0 {
		r.run.Notes = append(r.run.Notes, fmt.Sprintf("%d outgoing calls beyond the first %d were not kept", dropped, maxStandInCalls))
	}
}

// lastLines returns the last non-empty lines of a text, joined for one sentence.
func lastLines(s string, n int) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, clip(line, 300))
		}
	}
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, " | ")
}
