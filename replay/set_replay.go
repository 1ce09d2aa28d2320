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
	// A case that was not sent, for want of what an earlier answer should have supplied, says nothing for the service.
	unanswered, answered, first := 0, 0, ""
	for _, c := range order {
		switch o := r.observed[c.ID]; o.Error {
		case "":
			answered++
		case "refused", "reset", "timeout":
			if unanswered++; first == "" {
				first = o.Error
			}
		}
	}
	if unanswered > 0 && answered == 0 {
		return fmt.Errorf("%w: none of %d requests got an answer (%s)", errServiceGone, unanswered, first)
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
