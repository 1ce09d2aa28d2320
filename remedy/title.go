package remedy

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// maxTitle keeps titles within the width in which Git and forges show them whole.
const maxTitle = 72

// Plain makes a name that came from outside fit for what is written into a forge or a chat.
func Plain(s string) string { return safe(s) }

// safe makes a piece of telemetry fit for a title: only what names of operations and
// services are made of passes, so that neither Markdown, mentions, references to issues nor
// control characters get through.
func safe(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)), strings.ContainsRune("/{}-_.:", r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(r)
		default:
			space = true
		}
		if b.Len() >= maxTitle {
			break
		}
	}
	return b.String()
}

// title names the case by service, operation and symptom.
func title(c *Case) string {
	service, operation := c.Symptom.Service, c.Symptom.Operation
	if service == "" && operation == "" { // telemetry says nothing: then what the alert says
		service, operation = c.Incident.Service, c.Incident.Operation
	}
	where := safe(service)
	if op := safe(operation); op != "" {
		where = strings.TrimSpace(where + " " + op)
	}
	if where == "" {
		where = "the system"
	}
	switch c.Symptom.Kind {
	case localize.SymptomErrors:
		return fit("Errors on " + where)
	case localize.SymptomLatency:
		return fit("Slow answers on " + where)
	case localize.SymptomUnknown:
		return fit("No telemetry of " + where)
	}
	return fit("No breach seen on " + where)
}

// patchTitle names the patch by the service it changes and what it does.
func patchTitle(p *patch.Patch, service string) string {
	t := safe(p.Option.Title)
	if s := safe(service); s != "" && !strings.HasPrefix(t, s) {
		t = fmt.Sprintf("%s: %s", s, t)
	}
	return fit(t)
}

func fit(s string) string {
	if len(s) <= maxTitle {
		return s
	}
	cut := s[:maxTitle-3]
	if i := strings.LastIndexByte(cut, ' '); i > maxTitle/2 {
		cut = cut[:i]
	}
	return cut + "..."
}

// sentence joins reasons into one text.
func sentence(reasons []string) string {
	if len(reasons) == 0 {
		return "the evidence is too thin"
	}
	return strings.Join(reasons, "; ")
}
