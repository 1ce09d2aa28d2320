package sources

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// search makes the queries and, while fewer traces than wanted are known, those for the halves of parts that hold more. It
// returns the traces that were not known before, so ordered that every beginning of the list is from everywhere,
// and how many parts hold more than was asked for.
func (s *tempoSession) search(ctx context.Context, queries []traceQuery, want int) (found []tempoTrace, full int) {
	var lists [][]tempoTrace
	n := 0
	for len(queries) > 0 {
		var halves []traceQuery
		for len(queries) > 0 {
			var batch []traceQuery
			for len(queries) > 0 && len(batch) < atOnce && s.failures < mostFailures && ctx.Err() == nil && s.mayAsk() {
				batch, queries = append(batch, queries[0]), queries[1:]
			}
			if len(batch) == 0 {
				return interleave(lists), full + len(halves)/2
			}
			answers := make([]tempoAnswer, len(batch))
			var wg sync.WaitGroup
			for i, q := range batch {
				wg.Go(func() { answers[i] = s.ask(ctx, q.String(), s.traceQL(q.service, q.failing, 0), q.from, q.to, q.limit) })
			}
			wg.Wait()
			for i, q := range batch {
				list, more := s.use(answers[i], q.String())
				lists = append(lists, list)
				n += len(list)
				if !more {
					continue
				}
				if a, b, ok := q.halves(); ok && n < want {
					halves = append(halves, a, b)
				} else {
					full++
				}
			}
		}
		if queries = halves; n >= want {
			full += len(halves) / 2
			break
		}
	}
	return interleave(lists), full
}

// interleave takes the first of each list, then the second of each.
func interleave(lists [][]tempoTrace) []tempoTrace {
	var out []tempoTrace
	for i := 0; ; i++ {
		before := len(out)
		for _, l := range lists {
			if i < len(l) {
				out = append(out, l[i])
			}
		}
		if len(out) == before {
			return out
		}
	}
}

// slow searches, by service, for traces slower than nineteen of twenty of those that are known.
func (s *tempoSession) slow(ctx context.Context, services []string, all []tempoTrace) []tempoTrace {
	if len(all) < 20 || len(services) == 0 {
		return nil // a quantile of fewer is no quantile
	}
	durations := make([]time.Duration, 0, len(all))
	for _, t := range all {
		durations = append(durations, t.duration)
	}
	slices.Sort(durations)
	bound := durations[len(durations)*19/20]
	limit := max(1, s.limits.Traces/2/slowShare/len(services))
	var lists [][]tempoTrace
	for _, service := range services {
		if s.failures >= mostFailures || ctx.Err() != nil || !s.mayAsk() {
			break
		}
		what := "slow traces of " + service
		list, _ := s.use(s.ask(ctx, what, s.traceQL(service, false, bound), s.window.From, s.window.To, limit), what)
		lists = append(lists, list)
	}
	lists = append(lists, slices.DeleteFunc(slices.Clone(all), func(t tempoTrace) bool { return t.duration <= bound }))
	out := interleave(lists)
	return out[:min(len(out), s.limits.Traces/2/slowShare)]
}

// traceQL is the query for traces with a span of the service.
func (s *tempoSession) traceQL(service string, failing bool, slower time.Duration) string {
	conditions := "resource.service.name = " + strconv.Quote(service)
	if failing {
		conditions += " && status = error"
	}
	if slower > 0 {
		conditions += " && traceDuration > " + strconv.FormatInt(slower.Milliseconds(), 10) + "ms"
	}
	q := "{ " + conditions + " }"
	if s.query != "" {
		q = "(" + q + ") && (" + s.query + ")"
	}
	return q
}

// tempoSearch is the answer to a search.
type tempoSearch struct {
	Traces []struct {
		TraceID           string
		StartTimeUnixNano json.Number
		DurationMs        json.Number
	}
	Metrics struct {
		InspectedTraces json.Number
		CompletedJobs   json.Number
		TotalJobs       json.Number
	}
}

// tempoAnswer is the answer to a search, or why there is none.
type tempoAnswer struct {
	found  tempoSearch
	limit  int
	capped bool // by the server's own limit
	err    error
}

var maxLimit = regexp.MustCompile(`exceeds (?:the )?max(?:imum)?(?: result)? limit:? (?:of )?([0-9]{1,9})`)

// ask makes one search. A server that takes only a smaller limit is asked again with that.
func (s *tempoSession) ask(ctx context.Context, what, query string, from, to time.Time, limit int) tempoAnswer {
	a := tempoAnswer{limit: limit}
	if s.most > 0 {
		a.limit = min(limit, s.most)
	}
	for range 2 {
		v := s.seconds(from, to)
		v.Set("q", query)
		v.Set("limit", strconv.Itoa(a.limit))
		v.Set("spss", "1")
		a.err = s.GetJSON(ctx, "/api/search", v, &a.found)
		var status *StatusError
		if !errors.As(a.err, &status) || status.Status != http.StatusBadRequest {
			return a
		}
		m := maxLimit.FindStringSubmatch(status.Body)
		if m == nil {
			return a
		}
		if a.limit, _ = strconv.Atoi(m[1]); a.limit <= 0 {
			return a
		}
		a.capped = true
	}
	return a
}

// use notes what an answer brings: traces that are not known yet and touch the window.
func (s *tempoSession) use(a tempoAnswer, what string) (list []tempoTrace, more bool) {
	if a.err != nil {
		s.failed(a.err, what)
		return nil, false
	}
	s.failures = 0
	if a.capped {
		s.most = a.limit
	}
	for _, f := range a.found.Traces {
		id, ok := readTraceID(f.TraceID)
		if !ok {
			s.missing("%s: %q is no trace id", what, clip(f.TraceID, 40))
			continue
		}
		t := tempoTrace{id: id}
		if ns, err := f.StartTimeUnixNano.Int64(); err == nil {
			t.start = time.Unix(0, ns)
		}
		if ms, err := f.DurationMs.Int64(); err == nil && ms >= 0 && ms < int64(24*time.Hour/time.Millisecond) {
			t.duration = time.Duration(ms) * time.Millisecond
		}
		if s.known[id] || !t.start.IsZero() && (!t.start.Before(s.window.To) || t.start.Add(t.duration+time.Millisecond).Before(s.window.From)) {
			continue
		}
		s.known[id] = true
		list = append(list, t)
	}
	more = len(a.found.Traces) >= a.limit
	done, err1 := a.found.Metrics.CompletedJobs.Int64()
	total, err2 := a.found.Metrics.TotalJobs.Int64()
	if !more && err1 == nil && err2 == nil && done < total {
		s.missing("%s: the server looked at %d of %d parts of its storage", what, done, total)
	}
	return list, more
}
