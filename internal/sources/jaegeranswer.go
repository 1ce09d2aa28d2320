package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry"
	"github.com/remediator/remediator/telemetry/nesting"
)

// jaegerAnswer is the answer to one query. ignored says that traces came which do not fail though failing ones were
// asked for.
type jaegerAnswer struct {
	traces  ptrace.Traces
	bytes   int64
	said    []string // remarks of the server and of the decoder
	ignored bool
	err     error
}

// search makes one query.
func (s *jaegerSession) search(ctx context.Context, q traceQuery) jaegerAnswer {
	if s.old || q.failing && s.filter == byTags {
		return s.searchOld(ctx, q)
	}
	v := url.Values{
		"query.service_name":   {q.service},
		"query.start_time_min": {q.from.UTC().Format(time.RFC3339Nano)},
		"query.start_time_max": {q.to.Add(-time.Nanosecond).UTC().Format(time.RFC3339Nano)},
		// The second name is the newer one; each version ignores the other.
		"query.num_traces":   {strconv.Itoa(q.limit)},
		"query.search_depth": {strconv.Itoa(q.limit)},
		"query.raw_traces":   {"true"}, // clocks are corrected here, by all that is known of the window
	}
	if q.failing {
		v.Set("query.attributes", `{"error":"true"}`)
	}
	return s.answer(ctx, Request{Path: "/api/v3/traces", Query: v}, q.failing)
}

// answer asks and decodes. An answer that says that there is no such trace is an empty one.
func (s *jaegerSession) answer(ctx context.Context, r Request, failing bool) jaegerAnswer {
	body, err := s.Do(ctx, r)
	if err != nil {
		var status *StatusError
		if errors.As(err, &status) && status.Status == http.StatusNotFound && (strings.Contains(status.Body, "No traces found") || strings.Contains(status.Body, "trace not found")) {
			return jaegerAnswer{traces: ptrace.NewTraces()}
		}
		return jaegerAnswer{err: err}
	}
	a := jaegerAnswer{bytes: int64(len(body))}
	if a.traces, a.said, err = decodeJaeger(body); err != nil {
		a.err = s.undecodable(r.Path, body, err)
		return a
	}
	a.ignored = failing && passesSome(a.traces)
	return a
}

// undecodable says what came instead of traces.
func (c *Client) undecodable(path string, body []byte, err error) error {
	var value json.RawMessage
	if other := c.decode(path, body, &value); other != nil {
		return other
	}
	return fmt.Errorf("%s answered %s with what is not the expected JSON (%s); check that the URL is that of a %s server", c.Name(), path, clip(err.Error(), 200), c.o.Kind)
}

// passesSome says whether a trace of the answer has not failed.
func passesSome(td ptrace.Traces) bool {
	copied := ptrace.NewTraces()
	td.CopyTo(copied)
	for _, t := range splitTraces(copied) {
		if !traceFails(t.data) {
			return true
		}
	}
	return false
}

// services asks which services there are, and by that which API the server has.
func (s *jaegerSession) services(ctx context.Context) ([]string, error) {
	var v3 struct{ Services *[]string }
	err := s.GetJSON(ctx, "/api/v3/services", nil, &v3)
	if err == nil && v3.Services != nil {
		return *v3.Services, nil
	}
	var status *StatusError
	if errors.As(err, &status) && status.Status != http.StatusNotFound && status.Status != http.StatusNotImplemented || ctx.Err() != nil {
		return nil, err
	}
	var v1 struct{ Data *[]string }
	if oldErr := s.GetJSON(ctx, "/api/services", nil, &v1); oldErr != nil {
		if err == nil {
			err = oldErr
		}
		return nil, err
	}
	if v1.Data == nil {
		return nil, fmt.Errorf("%s answered /api/services without a list of services; check that the URL is that of a Jaeger query service", s.Name())
	}
	s.old = true
	return *v1.Data, nil
}

func (s *jaegerSession) get(ctx context.Context, id string) jaegerAnswer {
	if s.old {
		return s.answer(ctx, Request{Path: "/api/traces/" + id, Query: url.Values{"raw": {"true"}}}, false)
	}
	return s.answer(ctx, Request{Path: "/api/v3/traces/" + id, Query: url.Values{"raw_traces": {"true"}}}, false)
}

// searchOld makes one query by the API of the user interface.
func (s *jaegerSession) searchOld(ctx context.Context, q traceQuery) jaegerAnswer {
	v := url.Values{
		"service": {q.service},
		"start":   {strconv.FormatInt(q.from.UnixMicro(), 10)},
		"end":     {strconv.FormatInt(q.to.UnixMicro()-1, 10)},
		"limit":   {strconv.Itoa(q.limit)},
		"raw":     {"true"},
	}
	if q.failing {
		v.Set("tags", `{"error":"true"}`)
	}
	return s.answer(ctx, Request{Path: "/api/traces", Query: v}, q.failing)
}

// decodeJaeger reads an answer of either API: one JSON value or, where the server streams, several. A value that is an
// error, or holds one beside its traces, is told in words.
func decodeJaeger(body []byte) (td ptrace.Traces, said []string, err error) {
	all := ptrace.NewTraces()
	dec := json.NewDecoder(bytes.NewReader(body))
	for n := 0; ; n++ {
		var chunk json.RawMessage
		if err := dec.Decode(&chunk); errors.Is(err, io.EOF) && n > 0 {
			return all, said, nil
		} else if err != nil {
			return all, said, err
		}
		var apart struct {
			Result, Data json.RawMessage
			Error        *struct{ Message string }
			Errors       []struct {
				Code int
				Msg  string
			}
		}
		if err := nesting.JSON(chunk); err != nil {
			return all, said, err
		}
		if err := json.Unmarshal(chunk, &apart); err != nil {
			return all, said, err
		}
		if apart.Error != nil {
			said = append(said, "the server says: "+clip(apart.Error.Message, excerpt))
		}
		for _, e := range apart.Errors[:min(len(apart.Errors), 3)] {
			said = append(said, "the server says: "+clip(e.Msg, excerpt))
		}
		switch traces := apart.Result; {
		case len(traces) > 0 && string(traces) != "null", len(apart.Data) > 0 && string(apart.Data) != "null":
		case len(said) > 0:
			if n == 0 && !dec.More() {
				return all, nil, errors.New(said[0])
			}
			continue
		case apart.Data != nil:
			continue // "data": null, which is what nothing found looks like
		default:
			return all, said, errors.New("there are neither traces nor an error in it")
		}
		part, notes, err := telemetry.DecodeTraces(chunk)
		if err != nil {
			return all, said, err
		}
		for _, note := range notes {
			said = append(said, fmt.Sprintf("%d: %s", note.Count, note.Text))
		}
		part.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	}
}
