package patch

import "strings"

// EnvFlag is the flag of a repository without a feature-flag provider: an environment
// variable REMEDIATOR_<OPERATION>_<EFFECT> that counts as on when it is exactly "true".
// Code has to read it at every call, so that a test and a replay can switch it.
func EnvFlag(operation, effect string) *Flag {
	name := strings.ToUpper(Slug("remediator_"+operation+"_"+effect, '_', 64))
	return &Flag{
		Name:     name,
		Provider: "env",
		On:       map[string]string{name: "true"},
		Off:      map[string]string{name: "false"},
		HowOn:    "set " + name + "=true in the service's environment and restart it",
		HowOff:   "unset " + name + " (or set it to false) in the service's environment and restart it",
	}
}

// Slug reduces a name that may come from telemetry to lower-case ASCII letters and digits
// joined by sep, at most limit bytes, never empty.
func Slug(s string, sep byte, limit int) string {
	var b strings.Builder
	gap := false
	for i := 0; i < len(s) && b.Len() < limit; i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if ('a' > c || c > 'z') && ('0' > c || c > '9') {
			gap = b.Len() > 0
			continue
		}
		if gap && b.Len()+1 < limit {
			b.WriteByte(sep)
		} else if gap {
			break
		}
		gap = false
		b.WriteByte(c)
	}
	if b.Len() == 0 {
		return "x"
	}
	return b.String()
}
