package docket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/remediator/remediator/remedy"
)

// What is written outside stays below the forge's limit of 65,536 characters with room for its markers.
const (
	maxBody    = 60000
	maxComment = 8 << 10
)

// checkName is the name of the check run.
const checkName = "remediator"

// commands is what people may write in a comment.
const commands = "`/remediator explain`, `retry`, `rebase`, `replay`, `approve`, `reject`, `stop`"

// pullBody is the text of the pull request: what the case says, and how to talk to its author.
func (d *Desk) pullBody(r *Record, text string) string {
	var f strings.Builder
	f.WriteString("\n\n---\n")
	if r.approved() {
		fmt.Fprintf(&f, "Approved by %s (%s) at %s", code(r.Decision.By), remedy.Plain(r.Decision.Via), r.Decision.At.UTC().Format(time.RFC3339))
		if why := prose(r.Decision.Reason); why != "" {
			fmt.Fprintf(&f, ": %s", why)
		}
		f.WriteString(".\n\n")
	}
	if url := d.page(r); url != "" {
		fmt.Fprintf(&f, "[Case %s](%s): evidence, service graph, replay, and why each option was taken or left.\n\n", short(r.Fingerprint), url)
	}
	fmt.Fprintf(&f, "People with write access may comment %s. A commit of yours on this branch is never overwritten; closing this pull request means no, and it stays no.\n", commands)
	if most := maxBody - f.Len(); len(text) > most {
		text = text[:most]
		text = text[:strings.LastIndexByte(text, '\n')+1] + "\n(cut; the whole text is on the case's page)\n"
		if strings.Count(text, "\n```")%2 == 1 {
			text += "```\n"
		}
	}
	return strings.TrimRight(text, "\n") + f.String()
}

// code shows a name as it is: nothing in it is Markdown, a mention or a reference.
func code(s string) string {
	if s = remedy.Plain(s); s == "" {
		return "`?`"
	}
	return "`" + s + "`"
}

// prose makes a sentence fit to stand in Markdown: no markup, mention or reference is left in it.
func prose(s string) string {
	const most = 400
	var b strings.Builder
	space := false
	// Forges make links of addresses without being told to.
	s = strings.NewReplacer("://", " ", "www.", "www ").Replace(s)
	for _, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), strings.ContainsRune("/-.,:;'()%+=?", r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(r)
		case r == '_':
			b.WriteString("\\_")
		default:
			space = true
		}
	}
	return cut(b.String(), most)
}

// checkVersion names what the check run of the pull request should say; "" means that there should be none, or that it
// may stay as it is.
func checkVersion(r *Record) string {
	head := r.Pull.Head
	switch r.Stage {
	case Queued, Running:
		if r.open() {
			return "in_progress " + head
		}
	case Writing:
		if head == r.Summary.Commit {
			return "completed " + head
		}
		if r.open() {
			return "in_progress " + head
		}
	case Proposed:
		if r.Pull.Human {
			return "human " + head
		}
		return "completed " + head
	case Held, Failed, Refused:
		if r.open() {
			code := ""
			if r.Hold != nil {
				code = " " + r.Hold.Code
			}
			return string(r.Stage) + code + " " + head
		}
	}
	return ""
}

// verdict is a check run in short.
type verdict struct{ status, conclusion, title string }

// verdictOf says what the check run concludes; only what was proved for this very commit is a success.
func verdictOf(r *Record) verdict {
	switch {
	case r.Stage == Queued || r.Stage == Running || r.Stage == Writing && r.Pull.Head != r.Summary.Commit:
		return verdict{"in_progress", "", "The case is being worked out anew"}
	case r.Pull.Human || r.Pull.Head != r.Summary.Commit:
		return verdict{"completed", "neutral", "The branch carries commits that the evidence does not cover"}
	case r.Stage == Held:
		return verdict{"completed", "action_required", "Waits for a person: " + strings.ReplaceAll(r.Hold.Code, "_", " ")}
	case r.Stage == Failed:
		return verdict{"completed", "neutral", "The case could not be worked out anew"}
	case r.Stage == Refused:
		return verdict{"completed", "neutral", "Stopped by a person"}
	case r.Summary.Proved:
		return verdict{"completed", "success", "Proved: the incident is gone, nothing else changed"}
	}
	return verdict{"completed", "neutral", "Not proved in full; see what is missing"}
}

// checkRun is the check run as it should be.
func (d *Desk) checkRun(ctx context.Context, r *Record) (CheckRun, error) {
	v := verdictOf(r)
	c := CheckRun{Case: r.Fingerprint, Name: checkName, Head: r.Pull.Head, Status: v.status, Conclusion: v.conclusion, Title: v.title, DetailsURL: d.page(r)}
	cs, err := d.readCase(ctx, r)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		c.Summary = v.title + ". The files of the case were erased."
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.Summary = v.title + ".\n\n" + proofTable(cs)
	if r.Pull.Head != r.Summary.Commit {
		return c, nil
	}
	res, err := d.readResult(ctx, r)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	for _, t := range res.Lines {
		c.Annotations = append(c.Annotations, Annotation{Path: t.Path, First: t.First, Last: t.Last, Level: "notice",
			Title: "Changed by remediator", Message: "Part of the " + remedy.Plain(r.Summary.Rung) + " change by " + remedy.Plain(r.Summary.Recipe) + "; the case's page says why."})
	}
	return c, nil
}

// readCase loads case.json of the last finished run.
func (d *Desk) readCase(ctx context.Context, r *Record) (*remedy.Case, error) {
	data, err := CaseFile(ctx, d.Blobs, r, "case.json")
	if err != nil {
		return nil, err
	}
	return DecodeCase(data)
}

// DecodeCase reads a case.json. Its errors wrap [ErrDamaged].
func DecodeCase(data []byte) (*remedy.Case, error) {
	var c remedy.Case
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%w: case.json: %w", ErrDamaged, err)
	}
	if c.Schema != remedy.Schema {
		return nil, fmt.Errorf("%w: case.json has the schema %.40q", ErrDamaged, c.Schema)
	}
	return &c, nil
}

// proofTable shows what was run and what came of it, without a word of output.
func proofTable(c *remedy.Case) string {
	if c.Verdicts == nil {
		return "Nothing was proved.\n"
	}
	var b strings.Builder
	b.WriteString("| what | wanted | got |\n| --- | --- | --- |\n")
	for _, ch := range c.Verdicts.Checks {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", code(ch.Name), remedy.Plain(ch.Want), remedy.Plain(ch.Got))
	}
	for _, rp := range c.Verdicts.Replays {
		fmt.Fprintf(&b, "| replay %s, %s | %s | %s |\n", code(rp.Name), remedy.Plain(rp.Build), remedy.Plain(string(rp.Want)), remedy.Plain(string(rp.Verdict.Outcome)))
	}
	if n := len(c.Verdicts.NotProved); n > 0 {
		fmt.Fprintf(&b, "\n%d things were not proved; the pull request lists them.\n", n)
	}
	return b.String()
}
