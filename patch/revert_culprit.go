package patch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remediator/remediator/localize"
)

// culprit is a change blamed for a suspect, with the words that say so.
type culprit struct {
	change *localize.Change
	why    string
}

// culprits lists the changes blamed for suspect i, best first: the one the suspect names, then those
// the ranking holds against its service or its code. A change is left to the first suspect it belongs to.
func culprits(in *Input, i int) []culprit {
	s := in.Suspects[i]
	var out []culprit
	add := func(sha, why string) {
		c := findChange(in.Changes, sha)
		if c == nil || len(out) == revertMaxOptions || slices.ContainsFunc(out, func(o culprit) bool { return o.change == c }) {
			return
		}
		for _, earlier := range in.Suspects[:i] {
			if sameSHA(earlier.Culprit, c.SHA) {
				return
			}
		}
		out = append(out, culprit{c, why})
	}
	var best float64
	for _, r := range in.Ranked {
		best = max(best, r.Score)
	}
	if s.Culprit != "" {
		why := fmt.Sprintf("commit %s is blamed for this suspect", shortSHA(s.Culprit))
		for _, r := range in.Ranked {
			if sameSHA(r.SHA, s.Culprit) {
				why = rankedWhy(r)
			}
		}
		add(s.Culprit, why)
	}
	for _, r := range in.Ranked {
		c := findChange(in.Changes, r.SHA)
		if c == nil || r.Score < revertMinShare*best || r.Score <= 0 || !concerns(in, i, r, c) {
			continue
		}
		add(r.SHA, rankedWhy(r))
	}
	return out
}

// concerns reports whether a ranked change is about suspect i: the same service, or a file
// that the suspect points to.
func concerns(in *Input, i int, r localize.RankedChange, c *localize.Change) bool {
	if s := in.Suspects[i].Service; s != "" && (r.Service == s || c.Service == s) {
		return true
	}
	if i >= len(in.Locations) {
		return false
	}
	for _, l := range in.Locations[i] {
		if slices.ContainsFunc(c.Files, func(f localize.ChangedFile) bool { return f.Path == l.File }) {
			return true
		}
	}
	return false
}

func rankedWhy(r localize.RankedChange) string {
	// A reason's text may quote the commit; only the numbers and the signals' names are kept.
	var signals []string
	for _, x := range r.Reasons {
		if n := Slug(x.Signal, '_', 30); !slices.Contains(signals, n) {
			signals = append(signals, n)
		}
	}
	why := fmt.Sprintf("the ranking of recent changes holds %.2f against commit %s", r.Score, shortSHA(r.SHA))
	if len(signals) > 0 {
		why += " (" + strings.Join(signals, ", ") + ")"
	}
	return why
}
