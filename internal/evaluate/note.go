package evaluate

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Miss is one question of one case that was answered wrongly.
type Miss struct {
	Case string `json:"case"`
	What string `json:"what"` // service, file, region, commit, decision
}

func (m Miss) String() string { return m.Case + " " + m.What }

// Misses lists what was not right at once: ranks other than the first count.
func (r *Report) Misses() []Miss {
	var out []Miss
	for i := range r.Rows {
		row := &r.Rows[i]
		add := func(what string, wrong bool) {
			if wrong {
				out = append(out, Miss{row.Case, what})
			}
		}
		add("service", row.Service != nil && *row.Service != 1)
		add("file", row.File != nil && *row.File != 1)
		add("region", row.Region != nil && *row.Region != 1)
		add("commit", row.Commit != nil && !*row.Commit || row.NoCommit != nil && !*row.NoCommit)
		add("decision", row.Abstained != nil && *row.Abstained != (row.Kind == kindNone || row.Kind == kindExternal))
	}
	return out
}

// noteLine is "- CASE WHAT: why", where WHAT may name several, separated by commas.
var noteLine = regexp.MustCompile(`^- ([^\s:]+) ([a-z, ]+): (.+)$`)

// Notes are what people wrote about misses.
type Notes map[Miss]string

// ReadNotes reads a list of notes from a Markdown text; lines that begin with "- " must be notes.
func ReadNotes(text string) (Notes, error) {
	out := Notes{}
	for n, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "- ") {
			continue
		}
		m := noteLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			return nil, fmt.Errorf(`line %d is no note: write "- CASE WHAT: why", where WHAT is service, file, region, commit or decision`, n+1)
		}
		for _, what := range strings.Split(m[2], ",") {
			miss := Miss{m[1], strings.TrimSpace(what)}
			if !slices.Contains([]string{"service", "file", "region", "commit", "decision"}, miss.What) {
				return nil, fmt.Errorf("line %d: %q is none of service, file, region, commit, decision", n+1, miss.What)
			}
			if _, ok := out[miss]; ok {
				return nil, fmt.Errorf("line %d: a second note for %s", n+1, miss)
			}
			out[miss] = m[3]
		}
	}
	return out, nil
}

// Check says which misses nobody has explained, and which notes are of nothing that is missed any more.
func (n Notes) Check(misses []Miss) error {
	var without, stale []string
	for _, m := range misses {
		if n[m] == "" {
			without = append(without, m.String())
		}
	}
	for m := range maps.Keys(n) {
		if !slices.Contains(misses, m) {
			stale = append(stale, m.String())
		}
	}
	slices.Sort(stale)
	var problems []string
	if len(without) > 0 {
		problems = append(problems, "not explained: "+strings.Join(without, "; "))
	}
	if len(stale) > 0 {
		problems = append(problems, "explained, but not missed any more: "+strings.Join(stale, "; "))
	}
	if len(problems) > 0 {
		return fmt.Errorf("the notes on misses do not fit the results: %s", strings.Join(problems, ". "))
	}
	return nil
}

// MissTable prints the misses of a corpus with their notes.
func (r *Report) MissTable(w io.Writer, notes Notes, markdown bool) {
	t := newTable("case", "missed", "why")
	for _, m := range r.Misses() {
		why := notes[m]
		if why == "" {
			why = "not looked at yet"
		}
		t.add(m.Case, m.What, why)
	}
	if len(t.rows) == 0 {
		fmt.Fprintln(w, "Nothing was missed.")
		return
	}
	t.write(w, markdown)
}
