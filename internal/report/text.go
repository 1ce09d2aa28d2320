package report

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
	"github.com/remediator/remediator/telemetry"
)

// Localization prints a ranking by itself. located are its suspects with their places in the code, nil where no code
// was looked at; notes what the readers of the telemetry remarked.
func Localization(to io.Writer, res *localize.Result, located []remedy.Suspect, notes []telemetry.Note) error {
	w := &bytes.Buffer{}
	c := &remedy.Case{Cause: res.Cause, Symptom: res.Symptom, Graph: res.Graph, Path: res.Path, Changes: res.Changes, Gaps: res.Gaps}
	c.Suspects = located
	for i := range res.Suspects {
		if located != nil {
			break
		}
		s := &res.Suspects[i]
		c.Suspects = append(c.Suspects, remedy.Suspect{Rank: i + 1, Service: s.Service, Operation: s.Operation, Peer: s.Peer, Commit: s.Culprit,
			Score: s.Score, Confidence: s.Confidence, Reasons: s.Reasons, Patterns: s.Patterns})
	}
	t := &Terminal{W: w, Verbose: true, noCode: located == nil}
	t.located(c)
	for i, ch := range res.Changes {
		if i == 0 {
			fmt.Fprintln(w, "\n   changes, by suspicion")
		}
		t.line("%.2f  %s %s", ch.Score, short(ch.SHA), ch.Title)
		for _, r := range ch.Reasons {
			t.line("   - %s", r.Text)
		}
	}
	for _, n := range notes {
		t.line("note: %s (%d)", n.Text, n.Count)
	}
	for _, g := range res.Gaps {
		t.line("missing: %s", g.Text)
	}
	if res.Decision == localize.Abstain {
		fmt.Fprintln(w)
		t.line("ABSTAINED: %s", strings.Join(res.Why, "; "))
	} else {
		for _, why := range res.Why {
			t.line("caveat: %s", why)
		}
	}
	_, err := w.WriteTo(to)
	return err
}

// Decision prints a policy decision by itself.
func Decision(w io.Writer, d *policy.Decision) error {
	fmt.Fprintf(w, "%s (%d rules, bundle %s)\n", d.Outcome, len(d.Rules), short(d.Bundle))
	for _, f := range d.Findings {
		where := ""
		if f.Path != "" {
			where = f.Path + ": "
		}
		fmt.Fprintf(w, "  %s  %s  %s%s\n", f.Effect, f.Rule, plain(where), plain(f.Message))
	}
	return nil
}

// Verdict prints a replay by itself.
func Verdict(w io.Writer, name string, v *replay.Verdict) {
	fmt.Fprintf(w, "%s: %s, %s\n", name, v.Outcome, plain(v.Why))
	for _, d := range v.Differences {
		fmt.Fprintf(w, "  %s  %s %s %s: recorded %s, replayed %s", plain(d.Case), d.Target, plain(d.Pointer), d.Kind, plain(d.Recorded), plain(d.Replayed))
		if d.Likely != "" {
			fmt.Fprintf(w, " (%s)", plain(d.Likely))
		}
		fmt.Fprintln(w)
	}
	if v.Dropped > 0 {
		fmt.Fprintf(w, "  ... %d more differences\n", v.Dropped)
	}
}

// Explain tells a finished case.
func Explain(w io.Writer, c *remedy.Case) {
	t := &Terminal{W: w, Verbose: true, noDecline: true}
	for _, timing := range c.Timings {
		t.Begin(remedy.State(timing.Stage), c)
		t.End(remedy.State(timing.Stage), c, timing.Elapsed)
	}
	// A case is written down before its last stage ends, so that stage has no timing in it.
	t.Begin(remedy.Signed, c)
	t.proposal(c)
	t.noDecline = false
	t.declined(c)
	for _, s := range c.NextSteps {
		t.line("- %s", s.Text)
		if s.Command != "" {
			t.line("    %s", s.Command)
		}
	}
}

// Closing says where things are and what to do with them; self is how the reader calls this program.
func Closing(w io.Writer, c *remedy.Case, self, out string, pushed bool) {
	fmt.Fprintln(w)
	if c.Declined != nil {
		fmt.Fprintf(w, "No patch is proposed. The report says what was found and what to check by hand:\n")
		for _, s := range c.NextSteps {
			fmt.Fprintf(w, "  - %s\n", plain(s.Text))
			if s.Command != "" {
				fmt.Fprintf(w, "      %s\n", plain(s.Command))
			}
		}
		fmt.Fprintln(w)
	} else {
		kind := "Pull request"
		if !c.Verdicts.Proved || len(c.Holds) > 0 {
			kind = "Draft pull request"
		}
		fmt.Fprintf(w, "%s: %s\n", kind, c.Title)
		if pushed {
			fmt.Fprintf(w, "Branch %s was created in the repository.\n", c.Commit.Branch)
		}
		fmt.Fprintln(w)
		fmt.Fprintf(w, "  read the pull request   %s\n", filepath.Join(out, "pull-request.md"))
		fmt.Fprintf(w, "  see the commit          git -C %s show %s\n", filepath.Join(out, "repository.git"), c.Commit.Branch)
	}
	fmt.Fprintf(w, "  open the whole case     %s\n", filepath.Join(out, "report.html"))
	fmt.Fprintf(w, "  check every claim       %s verify %s\n", self, out)
}
