package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
)

// plain makes a string fit for one line of a terminal: no control characters, no
// direction overrides, bounded.
func plain(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > 600 {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// prose escapes a string for Markdown text. "@" is taken apart, since an escaped mention still
// notifies whoever it names.
func prose(s string) string {
	var b strings.Builder
	text := []rune(plain(s))
	for i, r := range text {
		switch {
		case r == '_' && i > 0 && i+1 < len(text) && isWord(text[i-1]) && isWord(text[i+1]):
			b.WriteRune(r) // within a word it marks nothing
		case r == '@':
			b.WriteString("(at)")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_[]|#~!", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// code sets a string in a Markdown code span, where mentions and references are inert.
func code(s string) string {
	s = strings.ReplaceAll(plain(s), "`", "'")
	s = strings.ReplaceAll(s, "|", "¦") // a bar would end a table's cell even here
	if strings.TrimSpace(s) == "" {
		return "–"
	}
	return "`" + s + "`"
}

func percent(r float64) string {
	switch {
	case r == 0:
		return "0 %"
	case r < 0.001:
		return "below 0.1 %"
	default:
		return fmt.Sprintf("%.1f %%", 100*r)
	}
}

func seconds(s float64) string { return span(time.Duration(s * float64(time.Second))) }

// span writes a duration with the precision a reader needs.
func span(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < time.Microsecond:
		return d.String()
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func short(sha string) string { return sha[:min(len(sha), 10)] }

// symptom says what users of the system noticed.
func symptom(s localize.Symptom) string {
	where := strings.TrimSpace(plain(s.Service + " " + s.Operation))
	if where == "" {
		where = "no operation"
	}
	switch s.Kind {
	case localize.SymptomErrors:
		usual := percent(s.Errors.Baseline) + " in the healthy window"
		if s.Errors.Baseline == 0 && s.Requests.Baseline == 0 && s.Requests.Incident > 0 {
			usual = "nothing is known of it when healthy"
		}
		return fmt.Sprintf("%s: %s of requests failed (%s)", where, percent(s.Errors.Incident), usual)
	case localize.SymptomLatency:
		return fmt.Sprintf("%s: the 95th percentile took %s (%s in the healthy window)", where, seconds(s.P95.Incident), seconds(s.P95.Baseline))
	case localize.SymptomUnknown:
		return "not known: no telemetry of the incident was received"
	}
	return where + ": neither errors nor latency differ from the healthy window"
}

// place names a suspect's spot in the code.
func place(s remedy.Suspect) string {
	if s.File == "" {
		return "not found in the code"
	}
	p := fmt.Sprintf("%s:%d", s.File, s.Line)
	if s.Function != "" {
		p += " " + s.Function
	}
	return p
}

// what names a suspect.
func what(s remedy.Suspect) string {
	w := strings.TrimSpace(s.Service + " " + s.Operation)
	if s.Peer != "" && s.Peer != s.Service {
		w += " -> " + s.Peer
	}
	return w
}

var rungNames = map[patch.Rung]string{
	patch.FlagOff: "turn a flag off",
	patch.Revert:  "revert the culprit",
	patch.Config:  "change a value",
	patch.Code:    "flagged code change",
}

var outcomeMarks = map[remedy.Outcome]string{
	remedy.Chosen:   "taken",
	remedy.Rejected: "rejected",
	remedy.NotTried: "not tried",
	remedy.LeftOut:  "left",
}
