package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/remedy"
)

// Terminal shows a case as it moves; it implements remedy.Observer.
type Terminal struct {
	W io.Writer
	// Verbose shows the whole diff and every suspect's reasons.
	Verbose bool

	started   bool
	noCode    bool // a ranking alone has no places in code
	noDecline bool // said once at the end
}

var stageNames = map[remedy.State]string{
	remedy.Received: "Alert",
	remedy.Gathered: "Telemetry",
	remedy.Located:  "Suspects",
	remedy.Planned:  "Ladder",
	remedy.Proved:   "Proof",
	remedy.Signed:   "Proposal",
}

// Begin prints the heading of a stage.
func (t *Terminal) Begin(stage remedy.State, _ *remedy.Case) {
	if t.started {
		fmt.Fprintln(t.W)
	}
	t.started = true
	fmt.Fprintf(t.W, "== %s\n", stageNames[stage])
}

// Note prints one line of progress.
func (t *Terminal) Note(text string) { fmt.Fprintf(t.W, "   %s\n", plain(text)) }

// End prints what the stage found and how long it took.
func (t *Terminal) End(stage remedy.State, c *remedy.Case, elapsed time.Duration) {
	switch stage {
	case remedy.Received:
		t.line("%s, severity %s, firing since %s", c.Incident.Name, c.Incident.Severity, c.Incident.StartsAt.Format("2006-01-02 15:04:05 MST"))
		t.line("case %s", c.Fingerprint)
	case remedy.Gathered:
		t.line("window %s to %s", c.Evidence.From.Format("15:04:05"), c.Evidence.To.Format("15:04:05 MST"))
		for _, n := range c.Evidence.Notes {
			t.line("note: %s (%d)", n.Text, n.Count)
		}
		if len(c.Evidence.Missing) > 0 {
			t.line("not there to look at: %s", strings.Join(c.Evidence.Missing, ", "))
		}
	case remedy.Located:
		t.located(c)
	case remedy.Planned:
		t.ladder(c)
	case remedy.Proved:
		t.proof(c)
	case remedy.Signed:
		t.proposal(c)
	}
	fmt.Fprintf(t.W, "   [%s]\n", span(elapsed))
}

func (t *Terminal) line(format string, args ...any) {
	fmt.Fprintf(t.W, "   %s\n", plain(fmt.Sprintf(format, args...)))
}

func (t *Terminal) located(c *remedy.Case) {
	t.line("%s", symptom(c.Symptom))
	if len(c.Graph.Edges) > 0 {
		compared := slices.ContainsFunc(c.Graph.Edges, func(e localize.Edge) bool { return e.Seen.Baseline > 0 })
		if compared {
			fmt.Fprintln(t.W, "\n   service graph, incident (healthy)")
		} else {
			fmt.Fprintln(t.W, "\n   service graph")
		}
		for i, e := range c.Graph.Edges {
			if i == 12 {
				t.line("  ... %d more edges in the report", len(c.Graph.Edges)-i)
				break
			}
			if !compared {
				t.line("  %-34s %8.1f/s  errors %s  p95 %s  retries %.2f", e.From+" -> "+e.To, e.Calls.Incident, percent(e.Errors.Incident), seconds(e.P95.Incident), e.Retries.Incident)
				continue
			}
			t.line("  %-34s %8.1f/s (%.1f)  errors %s (%s)  p95 %s (%s)  retries %.2f (%.2f)", e.From+" -> "+e.To, e.Calls.Incident, e.Calls.Baseline,
				percent(e.Errors.Incident), percent(e.Errors.Baseline), seconds(e.P95.Incident), seconds(e.P95.Baseline), e.Retries.Incident, e.Retries.Baseline)
		}
	}
	if len(c.Path) > 0 {
		fmt.Fprintln(t.W, "\n   critical path of the exemplar trace")
		shown := longest(c.Path, maxSegments)
		for _, s := range shown {
			mark := ""
			if s.Error {
				mark = "  failed"
			}
			t.line("  +%-9s %-9s %s %s%s", span(s.Offset), span(s.Duration), s.Service, s.Operation, mark)
		}
		if left := len(c.Path) - len(shown); left > 0 {
			t.line("  ... %d shorter segments in the report", left)
		}
	}
	if len(c.Suspects) > 0 {
		fmt.Fprintf(t.W, "\n   suspects (cause: %s)\n", c.Cause)
	}
	for i, s := range c.Suspects {
		t.line("%d. %s  score %.2f  confidence %.2f", s.Rank, what(s), s.Score, s.Confidence)
		if !t.noCode {
			t.line("   at %s", place(s))
		}
		if i > 0 && !t.Verbose {
			continue
		}
		for _, r := range s.Reasons {
			t.line("   - %s", r.Text)
		}
		for _, p := range s.Patterns {
			t.line("   - pattern %s: %s", p.Kind, p.Text)
		}
		for _, l := range s.Locations[:min(len(s.Locations), 3)] {
			t.line("   - %s -> %s:%d %s (%.2f)", l.Reason, l.File, l.Line, l.Function, l.Confidence)
		}
		if s.Commit != "" {
			t.line("   - blamed change %s %s", short(s.Commit), changeTitle(c.Changes, s.Commit))
		}
	}
	for _, cv := range c.Caveats {
		t.line("caveat: %s", cv)
	}
	t.declined(c)
}

// maxSegments bounds the critical path in a terminal.
const maxSegments = 12

// longest keeps the n longest segments, in the order of time.
func longest(path []localize.PathSegment, n int) []localize.PathSegment {
	if len(path) <= n {
		return path
	}
	by := slices.Clone(path)
	slices.SortStableFunc(by, func(a, b localize.PathSegment) int { return cmp.Compare(b.Duration, a.Duration) })
	by = by[:n]
	slices.SortStableFunc(by, func(a, b localize.PathSegment) int { return cmp.Compare(a.Offset, b.Offset) })
	return by
}

func (t *Terminal) ladder(c *remedy.Case) {
	for _, o := range c.Options {
		name := o.Recipe
		if name == "" {
			name = string(o.Rung)
		}
		t.line("left: %s: %s", name, o.Why)
	}
	t.declined(c)
}

func (t *Terminal) proof(c *remedy.Case) {
	fmt.Fprintln(t.W, "\n   options, cheapest first")
	for _, o := range c.Options {
		if o.Outcome == remedy.LeftOut {
			continue
		}
		t.line("%-9s %s: %s", outcomeMarks[o.Outcome], rungNames[o.Rung], o.Title)
		t.line("          %s", firstLine(o.Why))
	}
	if p := c.Patch; p != nil {
		fmt.Fprintln(t.W, "\n   the diff")
		for _, l := range diffLines(p.Diff) {
			fmt.Fprintf(t.W, "     %s\n", strings.ReplaceAll(plain(strings.ReplaceAll(l.Text, "\t", "    ")), "\x1b", ""))
		}
	}
	if d := c.Policy; d != nil {
		fmt.Fprintf(t.W, "\n   policy: %s (%d rules)\n", d.Outcome, len(d.Rules))
		for _, f := range d.Findings {
			t.line("  %s %s: %s", f.Effect, f.Rule, f.Message)
		}
		if d.Outcome == policy.Allow {
			t.line("  no rule had anything against it")
		}
	}
	if v := c.Verdicts; v != nil {
		fmt.Fprintln(t.W, "\n   proof")
		for _, ch := range v.Checks {
			t.line("  %-7s %s%s", ch.Got, ch.Name, wanted(ch.Got, ch.Want, ch.OK))
		}
		for _, r := range v.Replays {
			t.line("  %-7s %s, %s: %s", r.Verdict.Outcome, replayName(r.Name), r.Build, r.Verdict.Why)
		}
		if v.FlagOffSame {
			t.line("  same    golden traces, flag off beside base: no difference")
		}
		for _, n := range v.NotProved {
			t.line("  not proved: %s", n)
		}
	}
	t.declined(c)
}

func (t *Terminal) proposal(c *remedy.Case) {
	if c.Commit != nil {
		t.line("%s", c.Title)
		t.line("branch %s, commit %s, signed with %s", c.Commit.Branch, short(c.Commit.SHA), c.Commit.Key)
		if len(c.Commit.Reviewers) > 0 {
			t.line("reviewers %s", strings.Join(c.Commit.Reviewers, ", "))
		}
	}
	for _, h := range c.Holds {
		t.line("a person has to decide: %s", h)
	}
}

func (t *Terminal) declined(c *remedy.Case) {
	if c.Declined == nil || t.noDecline {
		return
	}
	fmt.Fprintln(t.W)
	for i, l := range strings.Split(c.Declined.Why, "\n") {
		if i == 0 {
			l = "DECLINED: " + l
		}
		t.line("%s", l)
	}
	t.line("next: %s", c.Declined.Next)
}
