package evaluate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/remediator/remediator/localize"
)

// Section is one part of what was measured, for people or for programs.
type Section struct {
	Page  string // name of the page it belongs to
	Title string
	About string // how to read it, in Markdown
	// Data is what programs read.
	Data any
	// Write prints it.
	Write func(w io.Writer, markdown bool)
	// Varies says that it differs from run to run: times, memory.
	Varies bool
}

// Wanted says what is to be measured of the corpora beside the labels.
type Wanted struct {
	Cases       bool // every case, and its cost
	Healthy     bool
	Ablation    bool
	Sensitivity bool
	Calibrate   bool // how far confidences can be trusted, and the calibration that fits
	LeaveOut    bool // choices made without each corpus, tested on it
}

// Print writes sections as tables, or, with format "json", as one object.
func Print(w io.Writer, sections []Section, format string) error {
	if format == "json" {
		type part struct {
			Title string `json:"title"`
			Data  any    `json:"data"`
		}
		var parts []part
		for _, s := range sections {
			parts = append(parts, part{s.Title, s.Data})
		}
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(parts)
	}
	for i, s := range sections {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if format == "markdown" {
			fmt.Fprintf(w, "## %s\n\n", s.Title)
		} else {
			fmt.Fprintf(w, "%s\n\n", s.Title)
		}
		if s.About != "" && format == "markdown" {
			fmt.Fprintf(w, "%s\n\n", s.About)
		}
		s.Write(w, format == "markdown")
	}
	return nil
}

// Quiet lists the cases of which the answers say that nothing was wrong.
func Quiet(reports []*Report) map[string]bool {
	out := map[string]bool{}
	for _, r := range reports {
		for i := range r.Rows {
			if r.Rows[i].Kind == kindNone {
				out[r.Rows[i].Case] = true
			}
		}
	}
	return out
}

// fewMade is how many made-up incidents stand for all where each is ranked in many ways.
const fewMade = 25

// affordable is how many records of one corpus are ranked over and over when each constant is moved.
const affordable = 150_000

// sparse keeps every n-th case of a corpus that is too large to be ranked hundreds of times.
func sparse(c *Corpus, r *Report) *Corpus {
	total := 0
	for _, cost := range r.Costs {
		total += cost.Spans + cost.Logs + cost.Points
	}
	step := (total + affordable - 1) / affordable
	if step <= 1 {
		return c
	}
	few := *c
	few.Cases = nil
	for i := 0; i < len(c.Cases); i += step {
		few.Cases = append(few.Cases, c.Cases[i])
	}
	return &few
}

// Measure evaluates corpora of any content and makes the sections that are wanted.
func (t *Tool) Measure(ctx context.Context, corpora []*Corpus, want Wanted) ([]Section, []*Report, error) {
	var sections []Section
	var reports []*Report
	var labelled []*Corpus
	for _, c := range corpora {
		switch c.Content {
		case Logs:
			list, err := t.Parse(ctx, c)
			if err != nil {
				return nil, nil, err
			}
			sections = append(sections, Section{Page: c.Name, Title: c.Name + ": log templates", Data: list, Write: func(w io.Writer, md bool) { ParsingTable(w, list, md) }})
		case Traces:
			list, err := t.Documents(ctx, c)
			if err != nil {
				return nil, nil, err
			}
			sections = append(sections, Section{Page: c.Name, Title: c.Name + ": trace documents", Data: list, Write: func(w io.Writer, md bool) { DocumentTable(w, list, md) }})
		default:
			r, err := t.Evaluate(ctx, c)
			if err != nil {
				return nil, nil, err
			}
			labelled, reports = append(labelled, c), append(reports, r)
			sections = append(sections, r.Sections(want.Cases)...)
		}
	}
	if len(labelled) == 0 {
		return sections, reports, nil
	}
	// Rankings by the hundred are affordable on what is recorded, and on a few of what is made up.
	var recorded, some []*Corpus
	for _, c := range labelled {
		few := *c
		if c.load != nil {
			few.Cases = c.Cases[:min(len(c.Cases), fewMade)]
		}
		some = append(some, &few)
	}
	if want.Ablation || want.Sensitivity || want.LeaveOut {
		var err error
		if some, err = t.hold(ctx, some); err != nil {
			return nil, nil, err
		}
	}
	all := make([]*Corpus, len(labelled))
	for i, c := range labelled {
		whole := *c
		whole.held = some[i].held
		all[i] = &whole
	}
	if want.Healthy {
		h, err := t.Healthy(ctx, all, Quiet(reports))
		if err != nil {
			return nil, nil, err
		}
		sections = append(sections, Section{Page: "healthy", Title: "Healthy windows", About: aboutHealthy, Data: h, Write: h.Table})
	}
	for i, c := range some {
		if c.load == nil {
			recorded = append(recorded, sparse(c, reports[i]))
		}
	}
	if want.Ablation {
		a, err := t.Ablate(ctx, some, localize.Signals())
		if err != nil {
			return nil, nil, err
		}
		sections = append(sections, Section{Page: "ablation", Title: "Each signal left out, and alone", About: aboutAblation, Data: a, Write: a.Table})
	}
	if want.Sensitivity {
		s, err := t.Sense(ctx, recorded, localize.Constants())
		if err != nil {
			return nil, nil, err
		}
		sections = append(sections, Section{Page: "sensitivity", Title: "Each constant halved and doubled", About: aboutSensitivity, Data: s, Write: func(w io.Writer, md bool) {
			s.Worst(w, md)
			fmt.Fprintln(w)
			s.Table(w, md)
		}})
	}
	if !want.Calibrate && !want.LeaveOut {
		return sections, reports, nil
	}
	samples := Samples(reports)
	if want.Calibrate {
		r := Reliable(samples)
		sections = append(sections, Section{Page: "reliability", Title: "How far confidences can be trusted", About: aboutReliability, Data: r, Write: r.Table})
	}
	if want.LeaveOut {
		h, err := t.LeaveOut(ctx, some, samples)
		if err != nil {
			return nil, nil, err
		}
		sections = append(sections, Section{Page: "leave-one-out", Title: "Each corpus left out", About: aboutLeaveOut, Data: h, Write: h.Table})
	}
	return sections, reports, nil
}

// Sections are the parts of a report.
func (r *Report) Sections(cases bool) []Section {
	summary := struct {
		Corpus  string  `json:"corpus"`
		Cases   int     `json:"cases"`
		Metrics Metrics `json:"metrics"`
		Rows    []Row   `json:"rows,omitempty"`
	}{r.Corpus, r.Cases, r.Metrics, nil}
	if cases {
		summary.Rows = r.Rows
	}
	out := []Section{{Page: r.Corpus, Title: fmt.Sprintf("%s: %d %s", r.Corpus, r.Cases, r.Content), Data: summary, Write: func(w io.Writer, md bool) {
		r.Summary(w, md)
		if cases {
			fmt.Fprintln(w)
			r.CaseTable(w, md)
		}
	}}}
	if cases {
		out = append(out, Section{Page: r.Corpus, Title: r.Corpus + ": time and memory", Data: r.Costs, Write: r.CostTable, Varies: true})
	}
	return out
}
