package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

// maxBody is GitHub's limit on a pull request's body, in characters, less room for a note.
const maxBody = 65536 - 1024

// PullRequest writes the body of the pull request, or of the report where a case was
// declined, for a reviewer in a hurry.
func (Pages) PullRequest(c *remedy.Case) ([]byte, error) {
	w := &bytes.Buffer{}
	fmt.Fprintf(w, "# %s\n\n", prose(c.Title))
	if c.Declined != nil {
		fmt.Fprintf(w, "**No patch is proposed:** %s.\n\n**Next:** %s.\n\n", multiline(c.Declined.Why), strings.TrimSuffix(prose(c.Declined.Next), "."))
	}
	for _, h := range c.Holds {
		fmt.Fprintf(w, "> **A person has to decide:** %s\n\n", prose(h))
	}
	whatBroke(w, c)
	whyHere(w, c)
	if c.Patch != nil {
		whatChanges(w, c)
		proved(w, c)
	}
	considered(w, c)
	if c.Patch != nil {
		turnOff(w, c)
		verify(w, c)
	}
	nextSteps(w, c)
	if w.Len() > maxBody {
		// Blocks are short, so that what is cut is a list or a table.
		cut := w.Bytes()[:maxBody]
		if i := bytes.LastIndexByte(cut, '\n'); i > 0 {
			cut = cut[:i]
		}
		return append(bytes.ToValidUTF8(cut, nil), "\n\n[cut here; the whole case stands in report.html]\n"...), nil
	}
	return w.Bytes(), nil
}

// multiline keeps the first line as prose and sets the rest, mostly a command's output, as code.
func multiline(s string) string {
	head, rest, more := strings.Cut(s, "\n")
	if !more {
		return strings.TrimSuffix(prose(head), ".")
	}
	return strings.TrimSuffix(prose(head), ":") + "\n\n" + fenced("text", rest) + "\n"
}

// maxBlock bounds one block of output in a body; the whole stands in the report.
const maxBlock = 6000

// fenced sets text as a code block that nothing in the text can close.
func fenced(lang, s string) string {
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimRight(s, "\n"), "\n") {
		if b.Len() > maxBlock {
			fmt.Fprintf(&b, "[cut after %d lines]\n", i)
			break
		}
		b.WriteString(plain(line) + "\n")
	}
	fence := "```"
	for strings.Contains(b.String(), fence) {
		fence += "`"
	}
	return fence + lang + "\n" + b.String() + fence
}

func whatBroke(w *bytes.Buffer, c *remedy.Case) {
	fmt.Fprintf(w, "## What broke\n\n%s.\n\n", prose(symptom(c.Symptom)))
	fmt.Fprintf(w, "Alert %s, severity %s, firing since %s. ", code(c.Incident.Name), c.Incident.Severity, c.Incident.StartsAt.Format("2006-01-02 15:04:05 MST"))
	fmt.Fprintf(w, "Looked at %d traces (%d failed), %d spans, %d log records and %d metric series.\n\n",
		c.Evidence.Counts.Traces, c.Evidence.Counts.FailedTraces, c.Evidence.Counts.Spans, c.Evidence.Counts.Logs, c.Evidence.Counts.Series)
	if len(c.Evidence.Missing) > 0 {
		fmt.Fprintf(w, "Not there to look at: %s.\n\n", prose(strings.Join(c.Evidence.Missing, ", ")))
	}
}

func whyHere(w *bytes.Buffer, c *remedy.Case) {
	if len(c.Suspects) == 0 {
		return
	}
	fmt.Fprint(w, "## Why here\n\n")
	s := c.Suspects[0]
	fmt.Fprintf(w, "%s, at %s (confidence %.2f, cause: %s).\n\n", code(what(s)), code(place(s)), s.Confidence, c.Cause)
	for _, r := range s.Reasons {
		fmt.Fprintf(w, "- %s\n", prose(r.Text))
	}
	for _, p := range s.Patterns {
		fmt.Fprintf(w, "- Pattern %s: %s\n", code(string(p.Kind)), prose(p.Text))
	}
	fmt.Fprintln(w)
	if s.Commit != "" {
		fmt.Fprintf(w, "Blamed change: %s %s\n\n", code(short(s.Commit)), prose(changeTitle(c.Changes, s.Commit)))
	}
	if picture := c.Graph.Mermaid(); picture != "" {
		fmt.Fprintf(w, "Who calls whom, and where it got worse (thick border: the first suspect; \"was\": when healthy):\n\n%s\n\n", fenced("mermaid", picture))
	}
	for _, cv := range c.Caveats {
		fmt.Fprintf(w, "Caveat: %s.\n\n", strings.TrimSuffix(prose(cv), "."))
	}
	if len(c.Suspects) > 1 {
		fmt.Fprint(w, "<details><summary>Other suspects</summary>\n\n| | suspect | place | score | first reason |\n| ---: | --- | --- | ---: | --- |\n")
		for _, o := range c.Suspects[1:] {
			reason := ""
			if len(o.Reasons) > 0 {
				reason = o.Reasons[0].Text
			}
			fmt.Fprintf(w, "| %d | %s | %s | %.2f | %s |\n", o.Rank, code(what(o)), code(place(o)), o.Score, prose(reason))
		}
		fmt.Fprint(w, "\n</details>\n\n")
	}
}

func changeTitle(changes []localize.RankedChange, sha string) string {
	for _, ch := range changes {
		if ch.SHA == sha {
			return ch.Title
		}
	}
	return ""
}

func whatChanges(w *bytes.Buffer, c *remedy.Case) {
	p := c.Patch
	fmt.Fprintf(w, "## What changes\n\n%s: %d lines added and %d deleted in %d files.\n\n", capital(rungNames[p.Option.Rung]), p.Added, p.Deleted, len(p.Files))
	for _, s := range p.Summary {
		fmt.Fprintf(w, "- %s\n", prose(s))
	}
	if p.Author != nil {
		fmt.Fprintf(w, "- %s\n", prose(authorship(p.Author)))
	}
	if p.Flag != nil {
		fmt.Fprintf(w, "- Guarded by the flag %s (%s), off by default: merged as it is, nothing changes until somebody turns it on.\n", code(p.Flag.Name), prose(p.Flag.Provider))
	}
	for _, t := range p.Telemetry {
		fmt.Fprintf(w, "- Adds %s, to watch it by.\n", code(t))
	}
	fmt.Fprintln(w)
	for _, r := range p.Risks {
		fmt.Fprintf(w, "Think about: %s\n\n", prose(r))
	}
}

// proved shows what was seen, and as plainly what was not.
func proved(w *bytes.Buffer, c *remedy.Case) {
	v := c.Verdicts
	fmt.Fprintf(w, "## What was proved\n\n%s.\n\n", strings.TrimSuffix(prose(capital(v.Why)), "."))
	fmt.Fprint(w, "| check | seen | |\n| --- | --- | --- |\n")
	for _, ch := range v.Checks {
		note := prose(ch.Why)
		if len(ch.Command) > 0 {
			note = strings.TrimSpace(note + " " + code(strings.Join(ch.Command, " ")))
		}
		fmt.Fprintf(w, "| %s | %s%s | %s |\n", prose(ch.Name), ch.Got, wanted(ch.Got, ch.Want, ch.OK), note)
	}
	for _, r := range v.Replays {
		fmt.Fprintf(w, "| %s, %s | %s%s | %s |\n", replayName(r.Name), prose(r.Build), r.Verdict.Outcome, wanted(string(r.Verdict.Outcome), string(r.Want), r.OK), prose(r.Verdict.Why))
	}
	if v.FlagOffSame {
		fmt.Fprint(w, "| golden traces, flag off beside base | no difference | statuses, headers, bodies, span trees and outgoing calls |\n")
	}
	fmt.Fprintf(w, "| policy | %s | bundle %s |\n\n", c.Policy.Outcome, code(short(c.Policy.Bundle)))
	for _, f := range c.Policy.Findings {
		fmt.Fprintf(w, "- Policy %s, %s: %s\n", code(f.Rule), f.Effect, prose(f.Message))
	}
	if c.Fence == "none" {
		fmt.Fprint(w, "\nThe builds ran behind limits only, without namespaces: this machine allows none.\n")
	}
	if len(v.NotProved) > 0 {
		fmt.Fprint(w, "\n### What was not proved\n\n")
		for _, n := range v.NotProved {
			fmt.Fprintf(w, "- %s\n", prose(n))
		}
	}
	fmt.Fprintln(w)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func wanted(got, want string, ok bool) string {
	if ok && got == want {
		return ", as it must be"
	}
	if ok {
		return ""
	}
	return ", wanted " + want
}

func replayName(name string) string {
	if strings.HasPrefix(name, "golden") {
		return "golden traces"
	}
	return "the incident"
}

func considered(w *bytes.Buffer, c *remedy.Case) {
	if len(c.Options) == 0 {
		return
	}
	fmt.Fprint(w, "<details><summary>Options considered, cheapest first</summary>\n\n| option | | why |\n| --- | --- | --- |\n")
	for _, o := range c.Options {
		name := rungNames[o.Rung]
		if o.Title != "" {
			name += ": " + prose(o.Title)
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", name, outcomeMarks[o.Outcome], prose(firstLine(o.Why)))
	}
	fmt.Fprint(w, "\n</details>\n\n")
}

func firstLine(s string) string {
	head, _, _ := strings.Cut(s, "\n")
	return head
}

func turnOff(w *bytes.Buffer, c *remedy.Case) {
	fmt.Fprint(w, "## How to turn it off\n\n")
	if f := c.Patch.Flag; f != nil {
		fmt.Fprintf(w, "- On: %s\n- Off: %s\n\n", prose(f.HowOn), prose(f.HowOff))
		return
	}
	fmt.Fprint(w, "Revert this commit.\n\n")
}

func verify(w *bytes.Buffer, c *remedy.Case) {
	fmt.Fprint(w, "## How to verify\n\nThe evidence is signed and can be checked offline, in the directory of the case:\n\n")
	fmt.Fprint(w, fenced("sh", "remediator verify --key signing.pub .\ncosign verify-blob-attestation --bundle evidence.sigstore.json --new-bundle-format --key signing.pub --trusted-root trusted_root.json --insecure-ignore-tlog --type "+attest.PredicateType+" patch.diff"))
	fmt.Fprintf(w, "\n\nCase %s, key %s, made by %s.\n\n", code(c.Fingerprint), code(keyOf(c)), prose(c.Tool))
}

func keyOf(c *remedy.Case) string {
	if c.Commit == nil {
		return ""
	}
	return c.Commit.Key
}

func nextSteps(w *bytes.Buffer, c *remedy.Case) {
	if len(c.NextSteps) == 0 || c.Declined == nil {
		return
	}
	fmt.Fprint(w, "## To check by hand\n\n")
	for _, s := range c.NextSteps {
		fmt.Fprintf(w, "- %s", prose(s.Text))
		if s.Command != "" {
			fmt.Fprintf(w, ": %s", code(s.Command))
		}
		fmt.Fprintln(w)
	}
}

// find returns the replay of that name, nil if it was not run.
func find(c *remedy.Case, name string) *replay.Verdict {
	if c.Verdicts == nil {
		return nil
	}
	for i := range c.Verdicts.Replays {
		if c.Verdicts.Replays[i].Name == name {
			return &c.Verdicts.Replays[i].Verdict
		}
	}
	return nil
}
