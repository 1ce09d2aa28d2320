package benchmark

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
)

// Table writes the report for people at a terminal.
func (r *Report) Table(w io.Writer) error {
	if err := Header(w); err != nil {
		return err
	}
	for i := range r.Measurements {
		if err := r.Measurements[i].Line(w); err != nil {
			return err
		}
	}
	return r.PeerTable(w)
}

// Header says what the measurements are made on.
func Header(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s, %s/%s, %d cores; medians, least to most\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	return err
}

// Line writes one measurement for people at a terminal: it can stand there before the next is known.
func (m *Measurement) Line(w io.Writer) error {
	c := m.cells()
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", c[0])
	fmt.Fprintf(&b, "  %-16s %10s  (%s)  %18s  %9s each, %9s CPU", c[1], c[2], c[3], c[4]+"/s", c[5], c[6])
	if c[7] != "" {
		fmt.Fprintf(&b, "\n  %-16s %s at most, allocated %s", "memory", c[7], c[8])
	}
	if c[9] != "" {
		fmt.Fprintf(&b, "\n  %-16s %s", "target", c[9])
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// PeerTable writes how miners of log templates compare.
func (r *Report) PeerTable(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw)
	r.peerRows(func(cells ...string) { fmt.Fprintln(tw, strings.Join(cells, "\t")) })
	return tw.Flush()
}

// Markdown writes the report as the tables of docs/benchmarks.md.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	header := true
	r.rows(func(cells ...string) {
		if len(cells) == 0 {
			b.WriteString("\n")
			header = true
			return
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		if header {
			b.WriteString("| ---" + strings.Repeat(" | ---:", len(cells)-1) + " |\n")
			header = false
		}
	}, func() { header = true })
	_, err := io.WriteString(w, b.String())
	return err
}

// rows hands out the tables cell by cell; a row without cells is between two tables.
func (r *Report) rows(row func(cells ...string), table func()) {
	table()
	row("what", "items", "median", "least to most", "per second", "per item", "CPU per item", "peak memory", "allocated", "target")
	for i := range r.Measurements {
		row(r.Measurements[i].cells()...)
	}
	row()
	table()
	r.peerRows(row)
}

// cells are a measurement's cells of the table.
func (m *Measurement) cells() []string {
	peak, allocated := "", ""
	if m.Memory != nil {
		peak = fmt.Sprintf("%s, %.0f B per %s", bytesText(m.Memory.Peak), m.Memory.Peak/float64(max(m.Items, 1)), m.Unit)
		allocated = fmt.Sprintf("%s in %s pieces", bytesText(m.Memory.Allocated), countText(m.Memory.Allocations))
	}
	target := m.Target
	if m.Met != nil && !*m.Met {
		target += ", MISSED"
	}
	name := m.Name
	if m.Note != "" {
		name += " (" + m.Note + ")"
	}
	return []string{name, countText(float64(m.Items)) + " " + m.Unit + "s", secondsText(m.Seconds.Median), secondsText(m.Seconds.Least) + " to " + secondsText(m.Seconds.Most),
		countText(m.PerSecond()) + " " + m.Unit + "s", secondsText(m.Nanoseconds() / 1e9), secondsText(m.CPU.Median / float64(max(m.Items, 1))), peak, allocated, target}
}

// peerRows hands out the comparison of miners cell by cell.
func (r *Report) peerRows(row func(cells ...string)) {
	row("log templates", "lines per second", "median of runs", "templates", "grouping accuracy", "time beside this tool's")
	for i := range r.Peers {
		p := &r.Peers[i]
		ratio := ""
		if p.Ratio > 0 {
			ratio = fmt.Sprintf("%.1f times", p.Ratio)
		}
		row(p.Name, countText(p.PerSecond()), fmt.Sprintf("%s, %d runs", secondsText(p.Seconds.Median), p.Seconds.Runs), fmt.Sprint(p.Templates), fmt.Sprintf("%.3f", p.Accuracy), ratio)
	}
}

// countText groups digits by thousands.
func countText(n float64) string {
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func bytesText(n float64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", n/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", n/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", n/(1<<10))
}

func secondsText(s float64) string {
	switch {
	case s < 1e-6:
		return fmt.Sprintf("%.0f ns", s*1e9)
	case s < 1e-3:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	}
	return fmt.Sprintf("%.2f s", s)
}
