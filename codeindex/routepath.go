package codeindex

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// segments splits a route or a concrete path into its parts; parameters of every framework's
// spelling become "{}": {id}, {id:[0-9]+}, :id, <int:id>, (?P<id>...), *, holes. One that takes the
// rest of the path, however long, becomes "{*}": {rest...}, *path, **, <path:rest>, {rest:.*}.
func segments(route string) []string {
	if i := strings.Index(route, "://"); i >= 0 {
		route = route[i+3:]
		if j := strings.IndexByte(route, '/'); j >= 0 {
			route = route[j:]
		} else {
			route = ""
		}
	}
	route = strings.TrimSuffix(strings.TrimPrefix(route, "^"), "$")
	if i := strings.IndexAny(route, "?#"); i >= 0 && !strings.Contains(route, "(?") {
		route = route[:i]
	}
	var out []string
	for _, s := range splitRoute(route) {
		switch {
		case s == "" || s == "{$}":
		case isRest(s):
			out = append(out, rest)
		case isParam(s):
			out = append(out, "{}")
		default:
			out = append(out, s)
		}
	}
	return out
}

// splitRoute splits at slashes outside of brackets: a pattern within braces may have some.
func splitRoute(route string) []string {
	var out []string
	depth, from := 0, 0
	for i := 0; i < len(route); i++ {
		switch route[i] {
		case '{', '(', '<':
			depth++
		case '}', ')', '>':
			depth = max(0, depth-1)
		case '/':
			if depth == 0 {
				out = append(out, route[from:i])
				from = i + 1
			}
		}
	}
	return append(out, route[from:])
}

func isParam(s string) bool {
	return s[0] == ':' || s[0] == '*' || s[0] == '{' || s[0] == '<' || s[0] == '(' || strings.Contains(s, facts.Hole) || strings.Contains(s, "{")
}

// rest stands for any number of segments.
const rest = "{*}"

func isRest(s string) bool {
	switch {
	case s == "**", s == "(.*)", strings.HasPrefix(s, "{*"):
		return true
	case s[0] == '*':
		return len(s) > 1 // a lone * is one segment to some and many to others
	case s[0] == '{':
		return strings.HasSuffix(s, "...}") || strings.HasSuffix(s, ":.*}") || strings.HasSuffix(s, ":.+}") || strings.HasSuffix(s, ":path}")
	case s[0] == '<':
		return strings.HasPrefix(s, "<path:")
	}
	return false
}

// dynamic says whether a concrete segment looks like a value: a number, an id.
func dynamic(s string) bool {
	if s == "{}" || s == rest {
		return true
	}
	digits := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= '0' && s[i] <= '9' {
			digits++
		}
	}
	return digits == len(s) || digits >= 2 && len(s) >= 8
}

// sameRoute compares a registered route with one that telemetry shows, 0..1, and says how.
// The registered one may lack a prefix that is added elsewhere, or have one that a proxy strips.
func sameRoute(registered, seen string) (float64, string) {
	a, b := segments(registered), segments(seen)
	if score, ok := sameSegments(a, b); ok {
		return score, ""
	}
	if len(a) > 0 && len(a) < len(b) {
		if score, ok := sameSegments(a, b[len(b)-len(a):]); ok && literals(a) > 0 {
			return 0.6 * score, "its end"
		}
	}
	if len(b) > 0 && len(b) < len(a) {
		if score, ok := sameSegments(a[len(a)-len(b):], b); ok && literals(b) > 0 {
			return 0.6 * score, "its end"
		}
	}
	return 0, ""
}

func sameSegments(a, b []string) (float64, bool) {
	if n := len(a) - 1; n >= 0 && a[n] == rest && len(b) >= n && !(len(b) == len(a) && b[n] == rest) {
		score, ok := sameSegments(a[:n], b[:n])
		return 0.8 * score, ok && n > 0
	}
	// A route of nothing but parameters says nothing about which one is meant.
	if len(a) != len(b) || literals(a) == 0 && literals(b) > 0 {
		return 0, false
	}
	score := 1.0
	for i := range a {
		switch {
		case a[i] == b[i]:
		case a[i] == "{}" && dynamic(b[i]):
			score *= 0.95
		case a[i] == "{}":
			score *= 0.7
		case strings.EqualFold(a[i], b[i]):
			score *= 0.9
		default:
			return 0, false
		}
	}
	return score, true
}

func literals(segments []string) int {
	n := 0
	for _, s := range segments {
		if s != "{}" && s != rest {
			n++
		}
	}
	return n
}

// splitOperation separates "POST /orders/{id}" into method and route; ok is false for names that
// are not of that form. "HTTP POST" and a lone "POST" have a method only.
func splitOperation(name string) (method, route string, ok bool) {
	name = strings.TrimPrefix(name, "HTTP ")
	m, rest, cut := strings.Cut(name, " ")
	switch m {
	case "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS":
		if !cut {
			return m, "", true
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "/") || strings.Contains(rest, "://") {
			return m, rest, true
		}
		if strings.Contains(rest, "/") && !strings.ContainsAny(rest, " ") { // Django names routes so
			return m, "/" + strings.TrimPrefix(rest, "^"), true
		}
	}
	if strings.HasPrefix(name, "/") && !strings.Contains(name, " ") {
		return "", name, true
	}
	return "", "", false
}
