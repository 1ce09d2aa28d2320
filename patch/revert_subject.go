package patch

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/remediator/remediator/localize"
)

func revertTitle(c *localize.Change) string {
	if s := safeSubject(c.Message); s != "" {
		return fmt.Sprintf("Revert %s (%s)", shortSHA(c.SHA), s)
	}
	return "Revert " + shortSHA(c.SHA)
}

// safeSubject makes a commit's subject fit for a title: whoever wrote the commit chose every character of
// it. Markup, mentions, issue references, links, addresses and long numbers go; the rest is cut.
func safeSubject(message string) string {
	const limit = 60
	subject, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	if len(subject) > 1000 {
		subject = subject[:1000]
	}
	subject = webAddress.ReplaceAllString(subject, " ")
	subject = mailAddress.ReplaceAllString(subject, " ")
	subject = longNumber.ReplaceAllString(subject, " ")
	var b strings.Builder
	for _, r := range subject {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.,:+/'", r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	words := strings.Fields(b.String())
	var out string
	for _, w := range words {
		w = strings.Trim(w, "_")
		if w == "" {
			continue
		}
		if len(out)+1+len(w) > limit {
			if out == "" {
				out = strings.ToValidUTF8(w[:limit], "")
			}
			return strings.TrimRight(out, " ,:-/+") + " ..."
		}
		if out != "" {
			out += " "
		}
		out += w
	}
	return strings.TrimSpace(out)
}

// safePath makes a path from outside fit for a message.
func safePath(p string) string {
	if len(p) > 200 {
		p = p[:200] + "..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+ ", r) {
			return r
		}
		return '?'
	}, p)
}
