package sources

import (
	"context"
	"errors"
	"strings"
	"sync"
)

// Jaeger fetches traces from Jaeger's query service: by API v3, which answers with OTLP, and by the API of its user
// interface where a server has no other or where only that can search for failures.
//
// A search of Jaeger answers with as many traces as were asked for and does not say whether there are more, nor is there a
// next page. So the window is asked for in parts, by service, and parts whose answers are full are cut in two
// until the limits are used up.
type Jaeger struct {
	c      *Client
	limits TraceLimits
}

// NewJaeger makes a source of a server's traces.
func NewJaeger(c *Client, limits TraceLimits) *Jaeger {
	return &Jaeger{c: c, limits: limits.withDefaults()}
}

// Name implements Source.
func (j *Jaeger) Name() string { return j.c.Name() }

const (
	mostTraceIDs = 50 // of Query.TraceIDs
	// mostFailures is after how many failed requests in a row a server is asked no more.
	mostFailures = 3
)

// Fetch implements Source.
func (j *Jaeger) Fetch(ctx context.Context, q Query, to Sink) (Report, error) {
	began := j.c.Now()
	report := Report{Source: j.Name(), Window: q.Name}
	s := &jaegerSession{Client: j.c, gathering: newGathering(j.limits, q.Name, to, &report)}
	err := s.fetch(ctx, q)
	report.Elapsed = j.c.Now().Sub(began)
	return report, err
}

// jaegerSession is one Fetch.
type jaegerSession struct {
	*Client
	*gathering
	old      bool       // whether the server's API v3 cannot be used
	filter   failFilter // how failures are searched for
	filtered int        // traces that searches for failures found
	failures int        // requests in a row that failed
	lastErr  error
}

// failFilter is a way to search for failing traces.
type failFilter int

const (
	byAttributes failFilter = iota // API v3; servers before 2.14 ignore the parameter
	byTags                         // the user interface's API; the storage in memory of some versions finds nothing by it
	byHand                         // failing traces are picked out of all
)

func (s *jaegerSession) fetch(ctx context.Context, q Query) error {
	known, err := s.services(ctx)
	if err != nil {
		return err
	}
	services, dropped := chooseServices(q.Services, known, s.limits.Services)
	if dropped > 0 {
		s.missing("%d services are left out: the limit is %d; raise it, or name the services that matter", dropped, s.limits.Services)
	}
	if len(services) == 0 {
		s.missing("the server knows no service: check the tenant, and that spans arrive")
		return s.finish()
	}
	if err := s.byID(ctx, q.TraceIDs); err != nil {
		return err
	}
	if s.old {
		s.filter = byTags
	}
	failing, err := s.failing(ctx, planTraceQueries(services, q.Window, s.limits, true))
	if err != nil {
		return err
	}
	full, err := s.round(ctx, planTraceQueries(services, q.Window, s.limits, false))
	if err != nil {
		return err
	}
	if s.filtered == 0 && s.gathering.failing > 0 {
		s.filter = byHand // the search found none though there are some
	}
	// What is left of the limits goes to the parts that hold more than was asked for: first to each kind of traces its
	// share, then to whichever there are more of.
	for _, shared := range []bool{false, true} {
		s.shared = shared
		if failing, err = s.refine(ctx, failing); err != nil {
			return err
		}
		if full, err = s.refine(ctx, full); err != nil {
			return err
		}
	}
	if n := len(failing) + len(full); n > 0 {
		s.missing("%d searches found more traces than were asked for: what is here of those parts of the window is a sample", n)
	}
	if s.filter == byHand && len(full) > 0 {
		s.missing("the server cannot search for failing traces: those that are here were picked out of all, and there may be more")
	}
	if s.report.Spans == 0 && s.lastErr != nil {
		return s.lastErr
	}
	return s.finish()
}

// failing searches for failing traces, by the first way that works.
func (s *jaegerSession) failing(ctx context.Context, plan []traceQuery) (full []traceQuery, err error) {
	for s.filter != byHand {
		was := s.filter
		full, err = s.round(ctx, plan)
		if err != nil || s.filter == was {
			return full, err
		}
	}
	return nil, nil
}

// refine cuts queries whose answers were full in two, until nothing is full or the limits are used up, and returns
// those that still are.
func (s *jaegerSession) refine(ctx context.Context, full []traceQuery) (rest []traceQuery, err error) {
	for len(full) > 0 {
		var next []traceQuery
		for _, q := range full {
			if q.failing && s.filter == byHand {
				continue
			}
			a, b, ok := q.halves()
			if !ok || !s.wants(q) {
				rest = append(rest, q)
				continue
			}
			next = append(next, a, b)
		}
		if full, err = s.round(ctx, next); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// wants says whether an answer to the query could bring something that would be taken.
func (s *jaegerSession) wants(q traceQuery) bool {
	if s.requests >= s.limits.Requests || s.bytes >= s.limits.Bytes || s.failures >= mostFailures {
		return false
	}
	return s.room(q.failing) || s.filter == byHand && s.room(true)
}

// round makes the queries, some at once, and takes what they bring in their order. It returns those whose
// answers were full or too large.
func (s *jaegerSession) round(ctx context.Context, queries []traceQuery) (full []traceQuery, err error) {
	for len(queries) > 0 {
		var batch []traceQuery
		for len(queries) > 0 && len(batch) < atOnce {
			q := queries[0]
			if !s.wants(q) || !s.mayAsk() {
				full = append(full, queries...)
				queries = nil
				break
			}
			batch, queries = append(batch, q), queries[1:]
		}
		answers := make([]jaegerAnswer, len(batch))
		var wg sync.WaitGroup
		for i, q := range batch {
			wg.Go(func() { answers[i] = s.search(ctx, q) })
		}
		wg.Wait()
		for i, q := range batch {
			more, err := s.use(q, answers[i])
			if err != nil {
				return nil, err
			}
			if more {
				full = append(full, q)
			}
			if q.failing && answers[i].ignored {
				s.nextFilter()
				return nil, nil // the plan is begun again in another way
			}
		}
		if err := ctx.Err(); err != nil {
			s.stopped(err)
			return append(full, queries...), nil
		}
	}
	return full, nil
}

// stopped notes that no more is asked for.
func (s *jaegerSession) stopped(err error) {
	s.failures = mostFailures
	s.lastErr = err
	s.missing("stopped before all was asked for (%v): allow more time, or shorten the window", err)
}

// nextFilter gives up a way to search for failures that turned out not to be one.
func (s *jaegerSession) nextFilter() {
	s.filtered = 0
	if s.filter == byAttributes {
		s.filter = byTags
	} else {
		s.filter = byHand
	}
}

// use takes what an answer brings and says whether there is more where it came from.
func (s *jaegerSession) use(q traceQuery, a jaegerAnswer) (more bool, err error) {
	s.bytes += a.bytes
	if a.err != nil {
		var status *StatusError
		switch {
		case errors.Is(a.err, ErrTooLarge):
			if _, _, ok := q.halves(); !ok {
				s.missing("%s: %v", q, a.err)
				return false, nil
			}
			return true, nil
		case errors.As(a.err, &status) && strings.Contains(status.Body, "search depth"):
			s.missing("%s: the server refuses to search for %d traces (%s): raise max_traces of its storage", q, q.limit, status.Body)
			return false, nil
		}
		if s.failures++; s.failures == mostFailures {
			s.missing("stopped after %d requests in a row failed", mostFailures)
		}
		s.lastErr = a.err
		s.missing("%s: %v", q, a.err)
		return false, nil
	}
	s.failures = 0
	for _, text := range a.said {
		s.missing("%s: %s", q, text)
	}
	if a.ignored && s.filter == byTags {
		return false, nil // other traces than were asked for; they come by the better API
	}
	found, failing, err := s.take(a.traces)
	if err != nil {
		return false, err
	}
	if q.failing {
		if failing < found {
			return false, nil
		}
		s.filtered += found
	}
	return found >= q.limit, nil
}

// byID fetches traces that are known by their ids.
func (s *jaegerSession) byID(ctx context.Context, ids []string) error {
	if len(ids) > mostTraceIDs {
		s.missing("%d trace ids were given; the first %d are fetched", len(ids), mostTraceIDs)
		ids = ids[:mostTraceIDs]
	}
	gone := 0
	for _, text := range ids {
		id, ok := readTraceID(text)
		if !ok {
			s.missing("%q is no trace id", clip(text, 40))
			continue
		}
		if s.seen[id] || s.failures >= mostFailures || !s.mayAsk() {
			continue
		}
		a := s.get(ctx, id.String())
		s.bytes += a.bytes
		switch {
		case a.err != nil:
			s.lastErr = a.err
			s.failures++
			s.missing("trace %s: %v", id, a.err)
			continue
		case a.traces.SpanCount() == 0:
			gone++
			continue
		}
		s.failures = 0
		if _, _, err := s.take(a.traces); err != nil {
			return err
		}
	}
	if gone > 0 {
		s.missing("%d traces that exemplars or log records name are not stored (any more)", gone)
	}
	return nil
}
