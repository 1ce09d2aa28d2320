package evaluate

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// column is a column of a table; numbers stand at the right.
type column struct {
	title string
	right bool
}

// table is rows of cells, for a terminal or for Markdown.
type table struct {
	columns []column
	rows    [][]string
}

// newTable makes a table; titles that end in ":" are those of numbers.
func newTable(titles ...string) *table {
	t := &table{}
	for _, s := range titles {
		t.columns = append(t.columns, column{strings.TrimSuffix(s, ":"), strings.HasSuffix(s, ":")})
	}
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write prints the table, as Markdown or in aligned columns.
func (t *table) write(w io.Writer, markdown bool) {
	if markdown {
		t.markdown(w)
		return
	}
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.title)
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i]))
		}
	}
	line := func(cells []string) {
		var b strings.Builder
		for i, s := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s))
			if t.columns[i].right {
				b.WriteString(pad + s)
			} else {
				b.WriteString(s + pad)
			}
			b.WriteString("  ")
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	var titles []string
	for _, c := range t.columns {
		titles = append(titles, c.title)
	}
	line(titles)
	for _, r := range t.rows {
		line(r)
	}
}

func (t *table) markdown(w io.Writer) {
	var titles, rule []string
	for _, c := range t.columns {
		titles = append(titles, c.title)
		if c.right {
			rule = append(rule, "---:")
		} else {
			rule = append(rule, "---")
		}
	}
	fmt.Fprintf(w, "| %s |\n| %s |\n", strings.Join(titles, " | "), strings.Join(rule, " | "))
	for _, r := range t.rows {
		cells := make([]string, len(r))
		for i, s := range r {
			cells[i] = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

func percentOf(r Rate) string {
	if r.Of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*r.Share())
}

func (r Rate) String() string { return fmt.Sprintf("%d / %d", r.Hits, r.Of) }

// Summary prints the metrics of a corpus.
func (r *Report) Summary(w io.Writer, markdown bool) {
	t := newTable("metric", "hits / of:", "share:", "95 % interval:")
	for _, name := range r.Metrics.Names() {
		rate := r.Metrics[name]
		low, high := Wilson(rate)
		t.add(name, rate.String(), percentOf(rate), fmt.Sprintf("%.0f to %.0f %%", 100*low, 100*high))
	}
	t.write(w, markdown)
}

// CaseTable prints what became of every case.
func (r *Report) CaseTable(w io.Writer, markdown bool) {
	t := newTable("case", "kind", "decision", "cause", "confidence:", "service:", "file:", "region:", "commit", "decoy named")
	for i := range r.Rows {
		row := &r.Rows[i]
		decision := row.Decision
		if row.Abstained != nil && *row.Abstained != (row.Kind == kindNone || row.Kind == kindExternal) {
			decision += " (wrong)"
		}
		commit := yesNo(row.Commit, "right", "wrong")
		if row.NoCommit != nil {
			commit = yesNo(row.NoCommit, "none, right", "wrong")
		}
		t.add(row.Case, row.Kind, decision, string(row.Answer.Cause), fmt.Sprintf("%.2f", row.Answer.Confidence),
			rankCell(row.Service), rankCell(row.File), rankCell(row.Region), commit, yesNo(row.Decoy, "yes", "no"))
	}
	t.write(w, markdown)
}

// CostTable prints what every case took. It differs from run to run.
func (r *Report) CostTable(w io.Writer, markdown bool) {
	t := newTable("case", "spans:", "log records:", "metric points:", "load:", "rank:", "allocated:", "peak heap:")
	for i := range r.Rows {
		c := &r.Costs[i]
		t.add(r.Rows[i].Case, fmt.Sprint(c.Spans), fmt.Sprint(c.Logs), fmt.Sprint(c.Points), millis(c.Load), millis(c.Rank), mebibytes(c.Allocated), mebibytes(c.Peak))
	}
	t.write(w, markdown)
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func rankCell(rank *int) string {
	switch {
	case rank == nil:
		return ""
	case *rank == 0:
		return "missed"
	}
	return fmt.Sprint(*rank)
}

func yesNo(b *bool, yes, no string) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return yes
	}
	return no
}
