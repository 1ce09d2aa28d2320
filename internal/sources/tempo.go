package sources

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Tempo fetches traces from Grafana Tempo: it searches by TraceQL and then fetches each trace by its id, as protobuf.
//
// A search stops at the first so many traces that it comes across, which are no fair sample, and has no next page. So the
// window is searched in parts, by service: for traces with a failed span, for any, and for those slower than most of them.
type Tempo struct {
	c      *Client
	limits TraceLimits
	query  string
}

// NewTempo makes a source of a server's traces. The query is TraceQL that traces have to match besides, or "". Of the
// limits, the one on requests is for searches; each trace is one request more.
func NewTempo(c *Client, limits TraceLimits, query string) *Tempo {
	return &Tempo{c: c, limits: limits.withDefaults(), query: strings.TrimSpace(query)}
}

// Name implements Source.
func (t *Tempo) Name() string { return t.c.Name() }

const (
	// blockSlack is how much earlier and later than the trace itself Tempo looks for blocks that hold parts of it: blocks
	// are dated by when their spans arrived.
	blockSlack = time.Hour
	// slowShare is which part of the traces that did not fail are slow ones.
	slowShare = 6
)

// Fetch implements Source.
func (t *Tempo) Fetch(ctx context.Context, q Query, to Sink) (Report, error) {
	began := t.c.Now()
	report := Report{Source: t.Name(), Window: q.Name}
	s := &tempoSession{Client: t.c, gathering: newGathering(t.limits, q.Name, to, &report), query: t.query, window: q.Window, known: map[pcommon.TraceID]bool{}}
	err := s.fetch(ctx, q)
	report.Elapsed = t.c.Now().Sub(began)
	return report, err
}

// tempoSession is one Fetch.
type tempoSession struct {
	*Client
	*gathering
	query  string
	window Window

	known    map[pcommon.TraceID]bool // chosen already
	most     int                      // the server's own limit on what a search may ask for, 0 where none is known
	v2, v1   bool                     // which API has brought a trace
	failures int                      // requests in a row that failed
	lastErr  error
	gone     int
}

// tempoTrace is a trace that a search found.
type tempoTrace struct {
	id       pcommon.TraceID
	start    time.Time
	duration time.Duration
}

func (s *tempoSession) fetch(ctx context.Context, q Query) error {
	known, err := s.services(ctx)
	if err != nil {
		return err
	}
	services, dropped := chooseServices(q.Services, known, s.limits.Services)
	if dropped > 0 {
		s.missing("%d services are left out: the limit is %d; raise it, or name the services that matter", dropped, s.limits.Services)
	}
	if len(services) == 0 {
		s.missing("the server knows no service in the window: check the tenant, and that spans arrive")
	}
	if err := s.byID(ctx, q.TraceIDs); err != nil {
		return err
	}
	failing, fullFailing := s.search(ctx, planTraceQueries(services, q.Window, s.limits, true), s.limits.Traces/2)
	all, full := s.search(ctx, planTraceQueries(services, q.Window, s.limits, false), s.limits.Traces)
	slow := s.slow(ctx, services, all)
	if full += fullFailing; full > 0 {
		s.missing("%d searches found more traces than were asked for: what is here of those parts of the window is a sample", full)
	}
	// First each kind its share, then whichever are left.
	passing := slices.Concat(slow, slices.DeleteFunc(all, func(t tempoTrace) bool { return slices.Contains(slow, t) }))
	for _, shared := range []bool{false, true} {
		s.shared = shared
		if failing, err = s.bring(ctx, failing, true); err != nil {
			return err
		}
		if passing, err = s.bring(ctx, passing, false); err != nil {
			return err
		}
	}
	if n := len(failing) + len(passing); n > 0 && s.failures < mostFailures && ctx.Err() == nil {
		s.missing("%d traces that were found are left out: the limits are reached; raise them, or shorten the window", n)
	}
	if s.gone > 0 {
		s.missing("%d traces are not stored (any more)", s.gone)
	}
	if ctx.Err() != nil {
		s.missing("stopped before all was asked for (%v): allow more time, or shorten the window", ctx.Err())
		s.lastErr = ctx.Err()
	}
	if s.report.Spans == 0 && s.lastErr != nil {
		return s.lastErr
	}
	return s.finish()
}

// services asks which services have spans in the window.
func (s *tempoSession) services(ctx context.Context) ([]string, error) {
	v := s.seconds(s.window.From, s.window.To)
	var v2 struct {
		TagValues []struct{ Type, Value string }
	}
	err := s.GetJSON(ctx, "/api/v2/search/tag/resource.service.name/values", v, &v2)
	if err == nil {
		var out []string
		for _, tag := range v2.TagValues {
			out = append(out, tag.Value)
		}
		return out, nil
	}
	var status *StatusError
	if !errors.As(err, &status) || status.Status != http.StatusNotFound {
		return nil, err
	}
	var v1 struct{ TagValues []string }
	if oldErr := s.GetJSON(ctx, "/api/search/tag/service.name/values", v, &v1); oldErr != nil {
		return nil, err
	}
	return v1.TagValues, nil
}

// seconds are start and end as Tempo takes them, rounded outwards.
func (s *tempoSession) seconds(from, to time.Time) url.Values {
	end := to.Unix()
	if to.Nanosecond() > 0 {
		end++
	}
	return url.Values{"start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(max(end, from.Unix()+1), 10)}}
}

func (s *tempoSession) failed(err error, what string) {
	if s.failures++; s.failures == mostFailures {
		s.missing("stopped after %d requests in a row failed", mostFailures)
	}
	s.lastErr = err
	s.missing("%s: %v", what, err)
}

// byID fetches the traces that are known by their ids from elsewhere.
func (s *tempoSession) byID(ctx context.Context, ids []string) error {
	if len(ids) > mostTraceIDs {
		s.missing("%d trace ids were given; the first %d are fetched", len(ids), mostTraceIDs)
		ids = ids[:mostTraceIDs]
	}
	var list []tempoTrace
	for _, text := range ids {
		id, ok := readTraceID(text)
		if !ok {
			s.missing("%q is no trace id", clip(text, 40))
			continue
		}
		if !s.known[id] {
			s.known[id] = true
			list = append(list, tempoTrace{id: id, start: s.window.From, duration: s.window.To.Sub(s.window.From)})
		}
	}
	_, err := s.bring(ctx, list, true)
	return err
}

// bring fetches traces, some at once, as long as there is room for their kind, and returns those that were not fetched.
func (s *tempoSession) bring(ctx context.Context, list []tempoTrace, failing bool) (rest []tempoTrace, err error) {
	for len(list) > 0 {
		n := min(atOnce, len(list))
		if s.failures >= mostFailures || ctx.Err() != nil || s.bytes >= s.limits.Bytes || !s.room(failing) {
			return list, nil
		}
		batch := list[:n]
		list = list[n:]
		if !s.v1 && !s.v2 {
			batch, list = batch[:1], append(slices.Clone(batch[1:]), list...) // the first tells which API there is
		}
		got := make([]tempoTraceAnswer, len(batch))
		var wg sync.WaitGroup
		for i, t := range batch {
			wg.Go(func() { got[i] = s.get(ctx, t) })
		}
		wg.Wait()
		for i, t := range batch {
			a := got[i]
			s.bytes += a.bytes
			s.v2, s.v1 = s.v2 || a.v2, s.v1 || a.v1
			if a.err != nil {
				s.failed(a.err, "trace "+t.id.String())
				continue
			}
			s.failures = 0
			for _, text := range a.said {
				s.missing("trace %s: %s", t.id, text)
			}
			if a.traces.SpanCount() == 0 {
				s.gone++
				continue
			}
			if _, _, err := s.take(a.traces); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// tempoTraceAnswer is a trace, or why it is not there.
type tempoTraceAnswer struct {
	traces ptrace.Traces
	bytes  int64
	said   []string
	v1, v2 bool // the API that brought it
	err    error
}

// get fetches one trace, by API v2 or, where the server has none, by v1. One that is not stored comes empty.
func (s *tempoSession) get(ctx context.Context, t tempoTrace) tempoTraceAnswer {
	v := s.seconds(t.start.Add(-blockSlack), t.start.Add(t.duration+blockSlack))
	if t.start.IsZero() {
		v = nil
	}
	empty := tempoTraceAnswer{traces: ptrace.NewTraces()}
	for _, path := range []string{"/api/v2/traces/", "/api/traces/"} {
		two := path == "/api/v2/traces/"
		if two && s.v1 && !s.v2 || !two && s.v2 {
			continue
		}
		path += t.id.String()
		body, err := s.Do(ctx, Request{Path: path, Query: v, Accept: "application/protobuf"})
		var status *StatusError
		switch {
		case errors.As(err, &status) && status.Status == http.StatusNotFound:
			continue
		case err != nil:
			return tempoTraceAnswer{err: err}
		}
		a := tempoTraceAnswer{bytes: int64(len(body)), v1: !two, v2: two}
		if a.traces, a.said, err = decodeTempo(body, two); err != nil {
			a.err = s.notATrace(path, body, err)
		}
		return a
	}
	return empty
}

// notATrace says what came instead of a trace.
func (c *Client) notATrace(path string, body []byte, err error) error {
	if len(body) > 0 && (body[0] == '<' || body[0] == '{' || body[0] == '[') {
		return c.undecodable(path, body, err)
	}
	return fmt.Errorf("%s answered %s with what is no trace (%s); check that the URL is that of a %s server", c.Name(), path, clip(err.Error(), 200), c.o.Kind)
}
