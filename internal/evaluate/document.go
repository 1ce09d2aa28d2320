package evaluate

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// Document is what became of one trace document.
type Document struct {
	Name     string        `json:"name"`
	Spans    int           `json:"spans"`
	Services int           `json:"services"`
	Traces   int           `json:"traces"`
	Broken   int           `json:"broken"` // traces with spans missing
	Segments int           `json:"segments"`
	Root     time.Duration `json:"root_ns"` // time of all roots
	Path     time.Duration `json:"path_ns"` // time on all critical paths
	Notes    []string      `json:"notes,omitempty"`
	Wrong    []string      `json:"wrong,omitempty"` // what a critical path must not do, and did
}

// Documents reads every trace document of a corpus and computes the critical path of each trace. There are no
// answers to compare with; what must hold of any critical path is checked (see faults).
func (t *Tool) Documents(ctx context.Context, c *Corpus) ([]Document, error) {
	if c.Content != Traces {
		return nil, fmt.Errorf("%s holds %s, no trace documents", c.Dir, c.Content)
	}
	var out []Document
	for _, id := range c.Cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ds, err := t.Spans(c.path(id))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.path(id), err)
		}
		d := Document{Name: id, Spans: len(ds.Spans)}
		services := map[string]bool{}
		for i := range ds.Spans {
			services[ds.Spans[i].Resource.Service] = true
		}
		d.Services = len(services)
		for _, n := range ds.Notes {
			d.Notes = append(d.Notes, fmt.Sprintf("%s %d", n.Code, n.Count))
		}
		for _, p := range t.Paths(&ds) {
			d.Traces++
			d.Segments += len(p.Segments)
			d.Root += p.Root.Duration
			for _, s := range p.Segments {
				d.Path += s.Duration
			}
			if p.Broken {
				d.Broken++
			}
			d.Wrong = append(d.Wrong, faults(&p, ds.Spans)...)
		}
		if d.Traces == 0 {
			d.Wrong = append(d.Wrong, "no trace was found in it")
		}
		out = append(out, d)
	}
	return out, nil
}

// faults checks what holds of every critical path (Zhang et al., CRISP, USENIX ATC 2022, section 4): it fills the
// root's time from its start to its end without gaps or overlaps, and each stretch lies within the span that it is
// of.
func faults(p *localize.TracePath, spans []telemetry.Span) []string {
	var out []string
	say := func(format string, args ...any) {
		out = append(out, fmt.Sprintf("trace %s: ", p.Trace)+fmt.Sprintf(format, args...))
	}
	at := time.Duration(0)
	byID := map[string]*telemetry.Span{}
	for i := range spans {
		if spans[i].Trace == p.Trace {
			byID[spans[i].ID.String()] = &spans[i]
		}
	}
	for n, s := range p.Segments {
		switch {
		case s.Duration <= 0:
			say("stretch %d lasts %s", n+1, s.Duration)
		case s.Offset < at:
			say("stretch %d begins %s before the one before it ends", n+1, at-s.Offset)
		case s.Offset > at:
			say("nothing accounts for %s before stretch %d", s.Offset-at, n+1)
		}
		at = s.Offset + s.Duration
		span := byID[s.Span]
		if span == nil {
			say("stretch %d is of span %s, which the trace does not have", n+1, s.Span)
			continue
		}
		from := p.Root.Start + int64(s.Offset)
		if from < span.Start || from+int64(s.Duration) > span.End() {
			say("stretch %d lies outside its span %s", n+1, s.Span)
		}
	}
	if at != p.Root.Duration {
		say("it ends after %s, the root after %s", at, p.Root.Duration)
	}
	return out
}

// DocumentTable prints what became of every document.
func DocumentTable(w io.Writer, list []Document, markdown bool) {
	t := newTable("document", "spans:", "services:", "traces:", "broken:", "stretches on the path:", "root:", "path:", "remarks of the reader", "critical path")
	for _, d := range list {
		state := "holds"
		if len(d.Wrong) > 0 {
			state = strings.Join(d.Wrong, "; ")
		}
		t.add(d.Name, fmt.Sprint(d.Spans), fmt.Sprint(d.Services), fmt.Sprint(d.Traces), fmt.Sprint(d.Broken), fmt.Sprint(d.Segments), d.Root.String(), d.Path.String(),
			strings.Join(d.Notes, ", "), state)
	}
	t.write(w, markdown)
}
