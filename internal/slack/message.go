package slack

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/slack-go/slack"

	"github.com/remediator/remediator/remedy/docket"
)

// Slack refuses a message with longer texts; https://docs.slack.dev/reference/block-kit/blocks.
const (
	maxHeader  = 150
	maxSection = 2900 // of 3000
	maxContext = 600
	maxURL     = 3000
)

// target is what a button is about. When the hold began keeps a button of an old message from deciding on
// a change that its presser never saw.
type target struct {
	Case  string    `json:"c"`
	Since time.Time `json:"s,omitzero"`
}

func targetOf(r *docket.Record) target {
	t := target{Case: r.Fingerprint}
	if r.Hold != nil {
		t.Since = r.Hold.Since
	}
	return t
}

// worthAMessage says whether people should hear of a case that they have not heard of.
func worthAMessage(r *docket.Record) bool {
	switch r.Stage {
	case docket.Held, docket.Proposed, docket.Merged, docket.Refused, docket.Declined, docket.Failed:
		return true
	}
	return false
}

// message is the text for a notification and the blocks that the channel shows.
func (c *Chat) message(r *docket.Record) (string, []slack.Block) {
	title := titleOf(r)
	label, why := state(r)
	blocks := []slack.Block{
		slack.NewHeaderBlock(plainText(title, maxHeader)),
		slack.NewSectionBlock(plainText(label+" "+why, maxSection), nil, nil),
	}
	if s := r.Summary; s != nil && s.Commit != "" && why != oneLine(s.Why) {
		proof := "Not proved: "
		if s.Proved {
			proof = "Proved: "
		}
		blocks = append(blocks, slack.NewSectionBlock(plainText(change(s)+proof+oneLine(s.Why), maxSection), nil, nil))
	}
	if d := r.Decision; d != nil {
		verb := "Rejected"
		if d.Approve {
			verb = "Approved"
		}
		text := fmt.Sprintf("%s by %s (%s)", verb, oneLine(d.By), oneLine(d.Via))
		if d.Reason != "" {
			text += ": " + oneLine(d.Reason)
		}
		blocks = append(blocks, slack.NewSectionBlock(plainText(text, maxSection), nil, nil))
	}
	blocks = append(blocks, slack.NewContextBlock("", plainText(facts(r), maxContext)))
	if buttons := c.buttons(r); len(buttons) > 0 {
		blocks = append(blocks, slack.NewActionBlock("actions", buttons...))
	}
	return escape(clip(oneLine(label+" "+title), 200)), blocks
}

func (c *Chat) buttons(r *docket.Record) []slack.BlockElement {
	var out []slack.BlockElement
	if waits(r) {
		value, _ := json.Marshal(targetOf(r)) // of a string and a time
		if r.Hold.Approvable() {
			out = append(out, slack.NewButtonBlockElement("approve", string(value), plainText("Approve", 75)).WithStyle(slack.StylePrimary))
		}
		out = append(out, slack.NewButtonBlockElement("reject", string(value), plainText("Reject", 75)).WithStyle(slack.StyleDanger))
	}
	if c.pages != "" {
		out = append(out, slack.NewButtonBlockElement("open_case", "", plainText("Open the case", 75)).WithURL(c.pages+"/cases/"+r.Fingerprint))
	}
	if p := r.Pull; p != nil && webURL(p.URL) {
		out = append(out, slack.NewButtonBlockElement("open_pull", "", plainText(fmt.Sprintf("Pull request #%d", p.Number), 75)).WithURL(p.URL))
	}
	return out
}

func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(s) <= maxURL
}

// waits says whether a person has to decide; a hold that ends by itself needs nobody.
func waits(r *docket.Record) bool {
	return r.Stage == docket.Held && (r.Hold == nil || r.Hold.Until.IsZero())
}

func titleOf(r *docket.Record) string {
	if r.Summary != nil {
		if title := oneLine(r.Summary.Title); title != "" {
			return title
		}
	}
	title := oneLine(r.Incident.Name)
	if title == "" {
		title = "Alert without a name"
	}
	if r.Incident.Service != "" {
		title += " in " + oneLine(r.Incident.Service)
	}
	return title
}

// state says where a case stands and why.
func state(r *docket.Record) (label, why string) {
	summary := ""
	if r.Summary != nil {
		summary = oneLine(r.Summary.Why)
	}
	hold := ""
	if r.Hold != nil {
		hold = oneLine(r.Hold.Why)
	}
	switch r.Stage {
	case docket.Held:
		if waits(r) {
			return "⏳ Waits for a person.", hold
		}
		return "⏸ Paused until " + r.Hold.Until.UTC().Format("2 Jan 15:04 MST") + ".", hold
	case docket.Queued:
		return "🕐 Waits for a worker.", ""
	case docket.Running:
		return "🔎 Being worked out.", ""
	case docket.Writing:
		return "✍️ The proposal is being written.", summary
	case docket.Proposed:
		if r.Pull != nil && r.Pull.Draft {
			return "🔧 Proposed as a draft.", summary
		}
		return "🔧 Proposed.", summary
	case docket.Merged:
		return "✅ Merged.", summary
	case docket.Refused:
		return "🚫 Refused.", "It is remembered as a no."
	case docket.Declined:
		if next := nextStep(r); next != "" {
			return "📄 No proposal.", summary + " Next: " + next
		}
		return "📄 No proposal.", summary
	case docket.Joined:
		return "🔗 Same cause as case " + r.JoinedTo[:min(10, len(r.JoinedTo))] + ".", ""
	case docket.Failed:
		return "⚠️ Could not be worked out.", oneLine(r.Failure)
	}
	return "", summary
}

func nextStep(r *docket.Record) string {
	if r.Summary == nil {
		return ""
	}
	return oneLine(r.Summary.Next)
}

func change(s *docket.Summary) string {
	text := "Change"
	if s.Rung != "" {
		text += ": " + oneLine(s.Rung)
	}
	if s.Service != "" {
		text += " in " + oneLine(s.Service)
	}
	return text + ". "
}

func facts(r *docket.Record) string {
	parts := []string{"severity " + oneLine(string(r.Incident.Severity)), fmt.Sprintf("%d alerts", r.Alerts)}
	if r.Alerts == 1 {
		parts[1] = "1 alert"
	}
	if r.Repository != "" {
		parts = append(parts, oneLine(r.Repository))
	}
	if !r.Resolved.IsZero() {
		parts = append(parts, "the alert has ended")
	}
	return strings.Join(append(parts, "case "+r.Fingerprint[:min(10, len(r.Fingerprint))]), " · ")
}

// plainText is text in which Slack finds neither markup nor links nor mentions.
func plainText(s string, n int) *slack.TextBlockObject {
	s = clip(oneLine(s), n)
	if s == "" {
		s = "–" // Slack refuses empty texts
	}
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

// escape keeps the text of a notification, which Slack reads as markup, from being a mention or a link.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// oneLine drops control characters and direction overrides.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)), " ")
}

// clip bounds a text in UTF-16 units, in which Slack counts.
func clip(s string, n int) string {
	units := 0
	for i, r := range s {
		w := 1
		if r > 0xffff {
			w = 2
		}
		if units+w > n-1 {
			if i+len(string(r)) == len(s) && units+w <= n {
				return s
			}
			return s[:i] + "…"
		}
		units += w
	}
	return s
}
