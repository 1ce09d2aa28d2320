package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a configuration: where it is, what is wrong and how to mend it.
type Problem struct {
	Line    int    `json:"line"`   // 1-based; 0 when the place is not known
	Column  int    `json:"column"` // 1-based
	Path    string `json:"path"`   // "services.orders.test", "" for the document
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"` // an instruction, "" when the message says it all
}

// String is the problem as compilers print theirs, without the file's name.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Error is everything that is wrong with one configuration, by line.
type Error struct {
	File     string
	Problems []Problem
}

// Error lists every problem on a line of its own.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.File + ":" + p.String()
		if p.Line == 0 {
			lines[i] = e.File + ": " + p.String()
		}
	}
	return strings.Join(lines, "\n")
}

// problems collects mistakes during a walk.
type problems []Problem

func (ps *problems) add(p Problem) { *ps = append(*ps, p) }

// err returns nil when nothing was found, else an *Error about the file.
func (ps problems) err(file string) error {
	if len(ps) == 0 {
		return nil
	}
	sorted := slices.Clone(ps)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		if a.Column != b.Column {
			return a.Column - b.Column
		}
		return strings.Compare(a.Path+a.Message, b.Path+b.Message)
	})
	return &Error{File: file, Problems: sorted}
}

// nearest returns the candidate that a person most likely meant by word, or "" when none is
// near: at most a third of the longer word may differ, by the optimal string alignment distance.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", 1<<30
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if len(word) > 64 {
			return ""
		}
		if d := distance(strings.ToLower(word), c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if bestDistance > max(1, max(len(word), len(best))/3) {
		return ""
	}
	return best
}

// distance counts insertions, deletions, substitutions and swaps of neighbours (optimal string
// alignment; Boytsov, "Indexing methods for approximate dictionary searching", 2011, section 2.2).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
