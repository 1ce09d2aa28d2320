package web

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/remediator/remediator/remedy/docket"
)

// plain makes a string fit for a page: no control characters and no direction overrides, which would
// let a service's name rewrite the sentence around it; one line; bounded.
func plain(s string) string {
	return strings.Join(strings.Fields(clip(strings.Map(visible, s), 600)), " ")
}

// name is plain for what is the name of something, so that no name fills a page.
func name(s string) string { return clip(plain(s), 80) }

// block is plain for text of several lines.
func block(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, s)
}

func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
		return -1
	}
	return r
}

// clip bounds a string by runes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count++; count > n {
			return s[:i] + "…"
		}
	}
	return s
}

// serviceOf is the service that a case is about.
func serviceOf(r *docket.Record) string {
	if r.Summary != nil && r.Summary.Service != "" {
		return r.Summary.Service
	}
	return r.Incident.Service
}

// maxTitle is longer than any title that says something.
const maxTitle = 160

// titleOf names a case before and after it was worked out.
func titleOf(r *docket.Record) string {
	if r.Summary != nil {
		if title := plain(r.Summary.Title); title != "" {
			return clip(title, maxTitle)
		}
	}
	title := or(name(r.Incident.Name), "Alert without a name")
	if service := name(r.Incident.Service); service != "" {
		title += " in " + service
	}
	return title
}

// waits says whether a person has to do something; a hold that ends by itself needs nobody.
func waits(r *docket.Record) bool {
	return r.Stage == docket.Held && (r.Hold == nil || r.Hold.Until.IsZero())
}

// whyOf says in one sentence why a case is where it is.
func whyOf(r *docket.Record) string {
	summary := ""
	if r.Summary != nil {
		summary = plain(r.Summary.Why)
	}
	switch r.Stage {
	case docket.Queued:
		if r.Failure != "" {
			return "Waits for another attempt; the last one failed: " + plain(r.Failure)
		}
		return "Waits for a worker."
	case docket.Running:
		if r.Progress == "" {
			return fmt.Sprintf("Being worked out, attempt %d.", r.Attempt)
		}
		return fmt.Sprintf("Being worked out, attempt %d: %s.", r.Attempt, plain(r.Progress))
	case docket.Held:
		if r.Hold == nil {
			return "Held."
		}
		return plain(r.Hold.Why)
	case docket.Writing:
		return or(summary, "The proposal is being written.")
	case docket.Proposed:
		return or(summary, "Proposed.")
	case docket.Merged:
		return or(summary, "Merged.")
	case docket.Refused:
		if d := r.Decision; d != nil && !d.Approve {
			said := "Rejected by " + plain(d.By)
			if d.Reason != "" {
				said += ": " + plain(d.Reason)
			}
			return said
		}
		return "The pull request was closed without a merge, which is remembered as a no."
	case docket.Declined:
		return or(summary, "Nothing is proposed.")
	case docket.Joined:
		return "Has the same cause as case " + short(r.JoinedTo) + "."
	case docket.Failed:
		return or(plain(r.Failure), "Could not be worked out.")
	}
	return summary
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

func short(hash string) string { return hash[:min(len(hash), 10)] }

// actionsOf are what it makes sense to ask for now.
func actionsOf(r *docket.Record) []string {
	open := r.Pull != nil && r.Pull.State == "open"
	patched := r.Summary != nil && r.Summary.Commit != ""
	out := []string{}
	offer := func(when bool, names ...string) {
		if when {
			out = append(out, names...)
		}
	}
	switch r.Stage {
	case docket.Held:
		offer(r.Hold.Approvable(), "approve")
		offer(true, "reject")
		offer(r.Hold == nil || r.Hold.Code != "came_back", "retry")
		offer(patched, "replay")
	case docket.Proposed:
		offer(!open || !r.Pull.Human, "retry")
		offer(open && !r.Pull.Human, "rebase")
		offer(patched, "replay")
		offer(true, "stop", "reject")
	case docket.Declined, docket.Failed, docket.Joined:
		offer(true, "retry")
	case docket.Refused:
		offer(r.Pull == nil, "retry")
	case docket.Queued, docket.Running, docket.Writing:
		offer(true, "stop")
	}
	return out
}

// ago says how long something is past, as coarsely as a reader cares.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
