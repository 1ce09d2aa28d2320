package remedy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/incident"
)

// BranchPrefix starts the names of the branches that are proposed.
const BranchPrefix = "remediator/"

// BranchName is the branch of an incident's proposal. It follows from the fingerprint alone, so that the proposal
// is found again with all state lost. A round above 0 is that of an incident which came back after its fix.
func BranchName(fingerprint string, round int) string {
	name := BranchPrefix + fingerprint[:min(len(fingerprint), 12)]
	if round > 0 {
		name += "-" + strconv.Itoa(round+1)
	}
	return name
}

// finish makes the commit, writes the case down and signs it. What is written last, the
// evidence, names everything before it by digest; so a case without evidence is an
// unfinished one.
func (r *run) finish(ctx context.Context) error {
	r.advise()
	scrub(r.c, r.Settings.Redact)
	if r.chosen != nil {
		if err := r.commit(ctx); err != nil {
			return err
		}
		if err := r.Artifacts.Put("patch.diff", []byte(r.chosen.Diff)); err != nil {
			return err
		}
		r.c.State = Proposed
	}
	// The order is that of reference: pages show the case, the evidence covers all.
	body, err := r.Pages.PullRequest(r.c)
	if err != nil {
		return err
	}
	page, err := r.Pages.Report(r.c)
	if err != nil {
		return err
	}
	text, err := encodeCase(r.c)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"case.json", text}, {"pull-request.md", body}, {"report.html", page},
		{"signing.pub", r.Key.Public().PEM()},
		{"trusted_root.json", []byte(attest.EmptyTrustedRoot)},
		{"allowed_signers", r.Key.Public().AllowedSigners(r.Settings.Committer)},
	} {
		if err := r.Artifacts.Put(f.name, f.data); err != nil {
			return err
		}
	}
	if err := r.Artifacts.Seal(r.c.Commit != nil); err != nil {
		return err
	}
	statement, err := r.statement()
	if err != nil {
		return err
	}
	bundle, err := attest.Sign(statement, r.Key)
	if err != nil {
		return fmt.Errorf("signing the evidence: %w", err)
	}
	return r.Artifacts.Put("evidence.sigstore.json", bundle)
}

// encodeCase writes a case the way case.json holds it.
func encodeCase(c *Case) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("writing the case: %w", err)
	}
	return b.Bytes(), nil
}

// commit makes the one commit of the proposal. It is dated by the alert, so that the same
// input gives the same commit.
func (r *run) commit(ctx context.Context) error {
	c := r.c
	branch := BranchName(c.Fingerprint, r.Settings.Round)
	message := commitMessage(c)
	sha, tree, err := r.Repo.Commit(ctx, NewCommit{Base: c.Base.Commit, Branch: branch, Case: c.Fingerprint, Message: message, When: c.Incident.StartsAt, Edits: r.chosen.Files})
	if err != nil {
		return fmt.Errorf("making the commit: %w", err)
	}
	var paths []string
	for _, f := range r.chosen.Files {
		paths = append(paths, f.Path)
	}
	c.Commit = &Commit{SHA: sha, Tree: tree, Parent: c.Base.Commit, Branch: branch, Message: message, Key: r.Key.Public().Fingerprint(),
		Labels: labels(c, r.service), Reviewers: r.reviewers(paths)}
	return nil
}

func (r *run) reviewers(paths []string) []string {
	out := r.Repo.Reviewers(paths)
	if len(out) == 0 {
		out = slices.Clone(r.Settings.Services[r.service].Owners)
	}
	return out
}

func labels(c *Case, service string) []string {
	out := []string{"remediator", "rung:" + strings.ReplaceAll(string(c.Patch.Option.Rung), "_", "-")}
	if s := safe(service); s != "" {
		out = append(out, "service:"+s)
	}
	if c.Incident.Severity != incident.Unknown {
		out = append(out, "severity:"+string(c.Incident.Severity))
	}
	return out
}

// commitMessage says what changes and why, for somebody who finds the commit by git blame
// in a year.
func commitMessage(c *Case) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", c.Title)
	for _, s := range c.Patch.Summary {
		fmt.Fprintf(&b, "%s\n", wrap(s))
	}
	fmt.Fprintf(&b, "\n%s\n", wrap("Proof: "+c.Verdicts.Why+"."))
	if c.Patch.Flag != nil {
		fmt.Fprintf(&b, "\n%s\n", wrap("Flag "+c.Patch.Flag.Name+", off by default."))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// wrap breaks a sentence at Git's customary width.
func wrap(s string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Fields(s) {
		if i > 0 {
			if width+1+len(word) > maxTitle {
				b.WriteByte('\n')
				width = 0
			} else {
				b.WriteByte(' ')
				width++
			}
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}

// statement is what gets signed.
func (r *run) statement() (attest.Statement, error) {
	c := r.c
	s := attest.Statement{Predicate: attest.Predicate{
		State: string(c.State), Base: c.Base.Commit,
		Incident:  attest.Incident{Fingerprint: c.Fingerprint, Name: c.Incident.Name, Severity: string(c.Incident.Severity), AlertSHA256: c.Incident.Digest},
		Telemetry: attest.Telemetry{From: c.Evidence.From, To: c.Evidence.To, Traces: c.Symptom.Exemplars},
		Builder:   attest.Builder{ID: "remediator", Version: r.Settings.Version},
	}}
	var err error
	if s.Artifacts, err = r.Artifacts.Digests(); err != nil {
		return s, err
	}
	parts := []struct {
		into *json.RawMessage
		from any
	}{{&s.Predicate.Suspects, c.Suspects}, {&s.Predicate.Plan, c.Options}}
	if c.Declined != nil {
		s.Predicate.Why = c.Declined.Why
	}
	if c.Commit != nil {
		s.Subject = attest.Subject{Commit: c.Commit.SHA, Tree: c.Commit.Tree}
		if s.Predicate.Author, err = author(&c.Patch.Patch); err != nil {
			return s, err
		}
		s.Predicate.Diff.SHA256 = c.Patch.Digest
		s.Predicate.Commit.By = attest.ByEvidenceKey
		s.Predicate.Policy.Bundle = c.Policy.Bundle
		parts = append(parts, struct {
			into *json.RawMessage
			from any
		}{&s.Predicate.Policy.Decision, c.Policy}, struct {
			into *json.RawMessage
			from any
		}{&s.Predicate.Replay, c.Verdicts.Replays})
		s.Predicate.Tests = testRuns(c.Verdicts.Checks)
	}
	for _, p := range parts {
		if *p.into, err = json.Marshal(p.from); err != nil {
			return s, fmt.Errorf("writing the statement: %w", err)
		}
	}
	return s, nil
}

// testRuns pairs what a command showed without the change with what it showed with it.
func testRuns(checks []Check) []attest.TestRun {
	var out []attest.TestRun
	for _, ch := range checks {
		if len(ch.Command) == 0 {
			continue
		}
		run := attest.TestRun{Name: ch.Name, Command: ch.Command}
		if strings.HasPrefix(ch.Name, "base ") || strings.HasSuffix(ch.Name, "without the change") {
			run.Before = ch.Got
		} else {
			run.After = ch.Got
		}
		out = append(out, run)
	}
	return out
}
