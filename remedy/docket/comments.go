package docket

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/remedy"
)

// standingComment is a comment that follows from the state of a record alone.
type standingComment struct {
	key     string
	when    func(*Record) bool
	version func(*Record) string
	body    func(context.Context, *Desk, *Record) (string, error)
}

// standing are those comments. Each exists once on a pull request; a later version takes its place.
var standing = []standingComment{
	{"comment:resolved", func(r *Record) bool { return !r.Resolved.IsZero() && r.open() && r.Stage != Writing }, constant, resolvedComment},
	{"comment:joined", func(r *Record) bool { return len(r.Members) > 0 && r.open() }, func(r *Record) string { return strconv.Itoa(len(r.Members)) }, joinedComment},
	{"comment:merged", func(r *Record) bool { return r.Stage == Merged }, constant, mergedComment},
	{"comment:human", func(r *Record) bool { return r.Pull.Human && r.open() }, constant, humanComment},
	{"comment:came_back", func(r *Record) bool { return r.Hold != nil && r.Hold.Code == cameBackCode && r.Pull.State == "merged" }, constant, cameBackComment},
	{"comment:held", func(r *Record) bool { return r.Hold != nil && r.Hold.Code != "human_commits" && r.open() }, func(r *Record) string { return r.Hold.Code + " " + r.Hold.Since.UTC().Format(time.RFC3339Nano) }, heldComment},
	{"comment:failed", func(r *Record) bool { return r.Stage == Failed && r.open() }, func(r *Record) string { return strconv.Itoa(r.Runs) }, failedComment},
	{"comment:refused", func(r *Record) bool { return r.Stage == Refused && r.Decision != nil && r.Decision.Via != pullVia }, constant, refusedComment},
}

func constant(*Record) string { return "" }

func resolvedComment(_ context.Context, _ *Desk, r *Record) (string, error) {
	return fmt.Sprintf("The alert ended at %s. That alone does not show that the cause is gone; this pull request stays open until somebody merges or closes it.", r.Resolved.UTC().Format(time.RFC3339)), nil
}

// joinedComment lists the alerts of the same cause by what they are called, as far as they are still known.
func joinedComment(ctx context.Context, d *Desk, r *Record) (string, error) {
	const most = 50
	var b strings.Builder
	fmt.Fprintf(&b, "Alerts of the same cause joined this case; no pull requests of their own are made for them (%d so far):\n\n", len(r.Members))
	for i, fp := range r.Members {
		if i == most {
			fmt.Fprintf(&b, "- and %d more\n", len(r.Members)-most)
			break
		}
		line := code(short(fp))
		if m, err := d.Store.Get(ctx, fp); err == nil {
			line += " " + code(m.Incident.Name)
			if m.Incident.Service != "" {
				line += " of " + code(m.Incident.Service)
			}
		}
		fmt.Fprintf(&b, "- %s\n", line)
	}
	return b.String(), nil
}

func mergedComment(_ context.Context, _ *Desk, r *Record) (string, error) {
	alert := "The alert is still firing; it is watched."
	if !r.Resolved.IsZero() {
		alert = fmt.Sprintf("The alert ended at %s.", r.Resolved.UTC().Format(time.RFC3339))
	}
	return "Merged. " + alert + " Should it fire again, nothing more is proposed for this cause until a person approves it.", nil
}

func humanComment(context.Context, *Desk, *Record) (string, error) {
	return "The branch carries a commit that is not this tool's. It is left alone from now on: nothing here is rebased, updated or overwritten. The signed evidence covers the commit that was proposed, not what came after it.", nil
}

func cameBackComment(_ context.Context, _ *Desk, r *Record) (string, error) {
	return "The alert fires again after this fix was merged. Nothing more is proposed for this cause until a person approves it with `/remediator approve`; `/remediator reject` ends it.", nil
}

func heldComment(_ context.Context, d *Desk, r *Record) (string, error) {
	text := "The case waits for a person (" + strings.ReplaceAll(r.Hold.Code, "_", " ") + "): " + prose(r.Hold.Why) + ". Until then this pull request stays as it is."
	if url := d.page(r); url != "" {
		text += " [Its page](" + url + ") says more."
	}
	return text, nil
}

func failedComment(_ context.Context, d *Desk, r *Record) (string, error) {
	text := "The case could not be worked out anew; this pull request stays as it is. `/remediator retry` tries again."
	if url := d.page(r); url != "" {
		text += " [Its page](" + url + ") says what went wrong."
	}
	return text, nil
}

func refusedComment(_ context.Context, _ *Desk, r *Record) (string, error) {
	what := "rejected"
	if r.Decision.Hold == stopCode {
		what = "stopped"
	}
	text := fmt.Sprintf("The case was %s by %s (%s). Nothing more is done about this cause.", what, code(r.Decision.By), remedy.Plain(r.Decision.Via))
	if why := prose(r.Decision.Reason); why != "" {
		text += " Reason: " + why + "."
	}
	return text, nil
}

// explain tells why the case is where it is, in names, numbers and outcomes.
func (d *Desk) explain(ctx context.Context, r *Record) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "Case %s is **%s**", code(short(r.Fingerprint)), strings.ReplaceAll(string(r.Stage), "_", " "))
	if r.Hold != nil {
		fmt.Fprintf(&b, " (%s): %s", strings.ReplaceAll(r.Hold.Code, "_", " "), prose(r.Hold.Why))
	}
	fmt.Fprintf(&b, ". %d notifications, first at %s", r.Alerts, r.FirstAlert.UTC().Format(time.RFC3339))
	if len(r.Members) > 0 {
		fmt.Fprintf(&b, "; %d alerts of the same cause joined", len(r.Members))
	}
	b.WriteString(".\n")
	if c, err := d.readCase(ctx, r); err == nil {
		explainCase(&b, c)
	} else if r.Summary != nil && r.Summary.Decline != "" {
		fmt.Fprintf(&b, "\nIt ended with %s.\n", code(r.Summary.Decline))
	}
	if r.Decision != nil {
		said := "Rejected"
		if r.Decision.Approve {
			said = "Approved"
		}
		fmt.Fprintf(&b, "\n%s by %s (%s).\n", said, code(r.Decision.By), remedy.Plain(r.Decision.Via))
	}
	if url := d.page(r); url != "" {
		fmt.Fprintf(&b, "\n[All of it, with the evidence](%s)\n", url)
	}
	return cut(b.String(), maxComment), nil
}

func explainCase(b *strings.Builder, c *remedy.Case) {
	for i, s := range c.Suspects {
		if i == 3 {
			break
		}
		fmt.Fprintf(b, "\n%d. %s %s", i+1, code(s.Service), code(s.Operation))
		if s.File != "" {
			fmt.Fprintf(b, " at %s", code(fmt.Sprintf("%s:%d", s.File, s.Line)))
		}
		fmt.Fprintf(b, ", confidence %.2f", s.Confidence)
		if s.Commit != "" {
			fmt.Fprintf(b, ", change %s", code(short(s.Commit)))
		}
		for k, reason := range s.Reasons {
			if k == 4 {
				break
			}
			fmt.Fprintf(b, "\n   - %s: %.4g, %.4g when healthy", code(reason.Signal), reason.Value, reason.Baseline)
		}
	}
	b.WriteString("\n")
	for _, o := range c.Options {
		fmt.Fprintf(b, "\n- %s %s: %s", code(string(o.Rung)), code(o.Recipe), strings.ReplaceAll(string(o.Outcome), "_", " "))
	}
	b.WriteString("\n\n")
	if c.Declined != nil {
		fmt.Fprintf(b, "Declined: %s.\n", code(c.Declined.Code))
		return
	}
	b.WriteString(proofTable(c))
}
