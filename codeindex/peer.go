package codeindex

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// callHits explains an outgoing call by method, route and the name of what is called.
func (x *Index) callHits(q *Query) []hit {
	method, route := strings.ToUpper(q.Method), q.Route
	if m, r, ok := splitOperation(route); ok && r != "" {
		route = r
		if method == "" {
			method = m
		}
	}
	peer := plain(strings.Split(q.Peer, ":")[0])
	var out []hit
	x.eachSite(facts.Outgoing, nil, func(entry int, f *facts.File, s *facts.Site) {
		text := x.resolve(entry, s.Text)
		score, what := 0.0, ""
		if route != "" {
			if score = sameCall(text, route); score == 0 {
				return
			}
			what = fmt.Sprintf("call of %s", strings.TrimSpace(s.Method+" "+clip(text)))
		}
		switch {
		case method == "" || s.Method == method:
		case s.Method == "":
			if route == "" {
				return
			}
			score *= 0.9
		default:
			return
		}
		named := x.peerNamed(peer, entry, f, s)
		switch {
		case route != "" && named:
			score = 0.75*score + 0.2
			what += fmt.Sprintf(", near the name %s", q.Peer)
		case route != "":
			score *= 0.75
		case named:
			score, what = 0.6, fmt.Sprintf("%s call near the name %s", s.Method, q.Peer)
		default:
			return
		}
		out = append(out, hit{ref{entry, s.Func}, s.Line, score, what + " by " + s.Via})
	})
	return out
}

func clip(text string) string { return short(strings.TrimPrefix(text, facts.Hole)) }

// sameCall compares the path of a URL in code, which often begins with a variable, with a route.
func sameCall(text, route string) float64 {
	if i := strings.Index(text, "://"); i < 0 {
		text = strings.TrimPrefix(text, facts.Hole)
	}
	a, b := segments(text), segments(route)
	if len(a) == 0 {
		return 0
	}
	if score, ok := sameSegments(a, b); ok && literals(a) > 0 {
		return score
	}
	if len(a) < len(b) && literals(a) > 0 { // the base URL ends in a path
		if score, ok := sameSegments(a, b[len(b)-len(a):]); ok {
			return 0.8 * score
		}
	}
	if len(b) < len(a) && literals(b) > 0 {
		if score, ok := sameSegments(a[len(a)-len(b):], b); ok {
			return 0.8 * score
		}
	}
	return 0
}

// peerNamed says whether the name of a dependency stands at or around a call: in the URL, in what
// the call is made on, in the function's, type's, package's or file's name.
func (x *Index) peerNamed(peer string, entry int, f *facts.File, s *facts.Site) bool {
	if len(peer) < 3 {
		return false
	}
	near := []string{s.Text, s.Via, x.entries[entry].path, f.Package, x.resolve(entry, s.Text)}
	if s.Func != facts.None {
		near = append(near, f.Symbols[s.Func].Name)
	}
	for _, t := range near {
		t = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(t))
		if strings.Contains(t, peer) {
			return true
		}
	}
	return false
}
