package codeindex

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// hits gives, per lead in a query, the places it points to.
func (x *Index) hits(q *Query) [][]hit {
	var out [][]hit
	if q.File != "" || q.Function != "" || q.Namespace != "" {
		out = append(out, x.frameHits(q))
	}
	if q.Span != "" {
		out = append(out, x.spanHits(q.Span))
	}
	switch {
	case q.Peer != "":
		out = append(out, x.callHits(q))
	case q.Route != "":
		out = append(out, x.routeHits(q.Method, q.Route, 0.95))
	}
	if q.Log != "" {
		out = append(out, x.logHits(q.Log))
	}
	if q.Statement != "" {
		out = append(out, x.statementHits(q.Statement))
	}
	return out
}

// eachSite visits all sites of a kind, in the files that mention one of the words (all files when
// there are none).
func (x *Index) eachSite(kind facts.SiteKind, needles []string, visit func(entry int, f *facts.File, s *facts.Site)) {
	look := func(i int) {
		e := x.entries[i]
		if e.sites&(1<<kind) == 0 {
			return
		}
		f := e.facts()
		for n := range f.Sites {
			if f.Sites[n].Kind == kind {
				visit(i, f, &f.Sites[n])
			}
		}
	}
	if len(needles) == 0 {
		for i := range x.entries {
			look(i)
		}
		return
	}
	seen := map[int]bool{}
	for _, w := range needles {
		for _, i := range x.mentioning(w) {
			if !seen[i] {
				seen[i] = true
				look(i)
			}
		}
	}
}

// spanHits explains a span's name.
func (x *Index) spanHits(name string) []hit {
	var out []hit
	if len(name) > maxLead {
		name = name[:maxLead]
	}
	x.eachSite(facts.Span, nil, func(entry int, f *facts.File, s *facts.Site) {
		text := x.resolve(entry, s.Text)
		score, how := 0.0, ""
		switch a := agree(text, name); {
		case text == name:
			score, how = 0.95, fmt.Sprintf("span name literal %q at %s", text, s.Via)
			if text != s.Text {
				how = fmt.Sprintf("span name %q, a constant, at %s", text, s.Via)
			}
		case strings.EqualFold(text, name):
			score, how = 0.8, fmt.Sprintf("span name %q at %s, but for the case", text, s.Via)
		case a > 0.5 && strings.Contains(text, facts.Hole):
			score, how = 0.9*a, fmt.Sprintf("span name pattern %q at %s", text, s.Via)
		case a > 0.7:
			score, how = 0.5*a, fmt.Sprintf("span name %q at %s is part of %q", text, s.Via, name)
		default:
			return
		}
		out = append(out, hit{ref{entry, s.Func}, s.Line, score, how})
		if s.Handler != "" || s.HandlerFrom > 0 { // otelhttp.NewHandler(handler, name)
			out[len(out)-1].score *= 0.6
			out = append(out, x.handlerHits(entry, s, "", score, how+", which wraps this handler")...)
		}
	})
	if method, route, ok := splitOperation(name); ok && route != "" {
		out = append(out, x.routeHits(method, route, 0.9)...)
	}
	out = append(out, x.nameHits(name)...)
	return out
}

// maxLead bounds how much of a hostile text is compared.
const maxLead = 4096

// procedureHits finds what serves a remote procedure. Languages spell it differently: Lend in Go and
// Python, lend in Java and JavaScript.
func (x *Index) procedureHits(service, method string) []hit {
	var out []hit
	for _, name := range []string{method, strings.ToLower(method[:1]) + method[1:]} {
		for _, h := range x.functionHits(service, name) {
			h.score *= 0.9
			h.reason = fmt.Sprintf("method %s of the remote service %s", name, service)
			out = append(out, h)
		}
		if len(out) == 0 {
			for _, h := range x.functionHits("", name) {
				h.score *= 0.7
				h.reason = fmt.Sprintf("method %s, as the remote procedure is called", name)
				out = append(out, h)
			}
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

// nameHits reads span names that are made of code: "shop.Payments/Charge" as gRPC does,
// "OrderController.create" as agents do, "SELECT shop.orders" as database instrumentation does.
func (x *Index) nameHits(name string) []hit {
	if service, method, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/"); ok && !strings.ContainsAny(name, " {:") && strings.Count(name, "/") <= 2 && method != "" {
		if i := strings.LastIndexByte(service, '.'); i >= 0 {
			service = service[i+1:]
		}
		return x.procedureHits(service, method)
	}
	if verb, rest, ok := strings.Cut(name, " "); ok && !strings.Contains(rest, " ") && isVerb(verb) {
		table := rest[strings.LastIndexByte(rest, '.')+1:]
		var out []hit
		x.eachSite(facts.Statement, []string{table}, func(entry int, _ *facts.File, s *facts.Site) {
			text := strings.ToUpper(x.resolve(entry, s.Text))
			if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n("), strings.ToUpper(verb)) && hasWord(text, strings.ToUpper(table)) {
				out = append(out, hit{ref{entry, s.Func}, s.Line, 0.6, fmt.Sprintf("%s statement on %s", strings.ToUpper(verb), table)})
			}
		})
		return out
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 && !strings.ContainsAny(name, " /") {
		var out []hit
		for _, h := range x.functionHits(name[:i], name[i+1:]) {
			h.score *= 0.85
			h.reason = fmt.Sprintf("span name %q is that of the function", name)
			out = append(out, h)
		}
		return out
	}
	return nil
}

// logHits explains a log message or template, or the message of an error.
func (x *Index) logHits(message string) []hit {
	message = strings.TrimSpace(message)
	if len(message) > maxLead {
		message = message[:maxLead]
	}
	if len(strings.ReplaceAll(message, facts.Hole, "")) < 3 {
		return nil
	}
	var out []hit
	x.eachSite(facts.Log, words(strings.ReplaceAll(message, facts.Hole, " "), 4), func(entry int, f *facts.File, s *facts.Site) {
		text := x.resolve(entry, s.Text)
		literal := len(strings.ReplaceAll(text, facts.Hole, ""))
		a := agree(text, message)
		if a == 0 && literal >= 12 {
			// Errors are wrapped: "charge: bank: connection refused" holds the texts of several places.
			if holds(message, text) {
				a = 0.3 + 0.4*min(1, float64(literal)/float64(len(message)))
			}
		}
		if a < 0.3 || literal < 3 {
			return
		}
		how := fmt.Sprintf("log statement %q at %s", short(text), s.Via)
		if strings.Contains(strings.ToLower(s.Via), "err") && !strings.Contains(strings.ToLower(s.Via), "log") {
			how = fmt.Sprintf("error text %q at %s", short(text), s.Via)
		}
		out = append(out, hit{ref{entry, s.Func}, s.Line, 0.92 * a, how})
	})
	return out
}

func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
