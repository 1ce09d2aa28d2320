package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// formatted is the template of a call that formats a text: fmt.Sprintf and its kin, String.format,
// util.format, "...".format(...), "...".formatted(...), strings joined with slashes.
func formatted(x *call) (string, bool) {
	switch x.callee {
	case "fmt.Sprintf", "Sprintf", "String.format", "util.format", "format", "sprintf", "fmt.Sprint", "fmt.Sprintln":
		for i := 0; i < 2; i++ { // String.format may begin with a locale
			if a, ok := x.arg(i); ok && a.kind == textual {
				return percent(a.text), true
			}
		}
	case "URI.create", "URI", "URL", "HttpUrl.parse", "Uri.parse", "httpx.URL", "yarl.URL":
		if a, ok := x.arg(0); ok && a.kind == textual {
			return a.text, true
		}
	case "url.JoinPath", "path.Join", "urljoin", "urllib.parse.urljoin", "os.path.join":
		var parts []string
		for _, a := range x.args {
			parts = append(parts, strings.Trim(a.orHole(), "/"))
		}
		if len(parts) > 0 {
			return strings.Join(parts, "/"), true
		}
	}
	return "", false
}

// percent replaces printf verbs by holes: %s, %-10.3f, %[1]d, %(name)s, %2$s.
func percent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '%' {
			b.WriteByte('%')
			i++
			continue
		}
		j := i + 1
		if j < len(s) && s[j] == '(' {
			if k := strings.IndexByte(s[j:], ')'); k > 0 {
				j += k + 1
			}
		}
		for j < len(s) && strings.IndexByte("+-# 0123456789.*[]$'", s[j]) >= 0 {
			j++
		}
		if j < len(s) && (s[j] >= 'a' && s[j] <= 'z' || s[j] >= 'A' && s[j] <= 'Z') && (j == i+1 || s[j-1] != ' ') {
			b.WriteString(facts.Hole)
			i = j
			continue
		}
		b.WriteByte('%')
	}
	return b.String()
}

// braces replaces {}, {0}, {name} and {name:>5} by holes, as str.format, slf4j and structlog do.
func braces(s string) string {
	if strings.IndexByte(s, '{') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '{' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '{' {
			b.WriteByte('{')
			i++
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 || end > 60 || strings.ContainsAny(s[i+1:i+end], "{\"\n") {
			b.WriteByte('{')
			continue
		}
		b.WriteString(facts.Hole)
		i += end
	}
	return b.String()
}
