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

// nameHits reads span names that are made of code: "shop.Payments/Charge" as gRPC does,
// "OrderController.create" as agents do, "SELECT shop.orders" as database instrumentation does.
func (x *Index) nameHits(name string) []hit {
	if service, method, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/"); ok && !strings.ContainsAny(name, " {:") && strings.Count(name, "/") <= 2 && method != "" {
		if i := strings.LastIndexByte(service, '.'); i >= 0 {
			service = service[i+1:]
		}
		var out []hit
		for _, h := range x.functionHits(service, method) {
			h.score *= 0.9
			h.reason = fmt.Sprintf("method %s of the remote service %s", method, service)
			out = append(out, h)
		}
		if len(out) == 0 {
			for _, h := range x.functionHits("", method) {
				h.score *= 0.7
				h.reason = fmt.Sprintf("method %s, as the remote procedure is called", method)
				out = append(out, h)
			}
		}
		return out
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

func isVerb(s string) bool {
	switch strings.ToUpper(s) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE":
		return true
	}
	return false
}

func hasWord(s, w string) bool {
	for at := 0; w != ""; {
		i := strings.Index(s[at:], w)
		if i < 0 {
			return false
		}
		i += at
		before := i == 0 || !letter(s[i-1])
		after := i+len(w) == len(s) || !letter(s[i+len(w)])
		if before && after {
			return true
		}
		at = i + 1
	}
	return false
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// routeHits explains a route by its handler, and with less certainty by its registration.
func (x *Index) routeHits(method, route string, base float64) []hit {
	if len(route) > maxLead {
		return nil
	}
	if m, r, ok := splitOperation(route); ok && r != "" {
		route = r
		if method == "" {
			method = m
		}
	}
	method = strings.ToUpper(method)
	mounts := x.mounts()
	var out []hit
	x.eachSite(facts.Route, nil, func(entry int, f *facts.File, s *facts.Site) {
		text := x.resolve(entry, s.Text)
		score, part := sameRoute(text, route)
		if score < 0.9 {
			if m, ok := mounts[x.entries[entry].path]; ok {
				for _, prefix := range m {
					if t, _ := sameRoute(join(prefix, text), route); t*0.98 > score {
						score, part, text = t*0.98, "", join(prefix, text)
					}
				}
			}
		}
		if score == 0 {
			return
		}
		switch {
		case method == "" || strings.Contains(","+s.Method+",", ","+method+","):
		case s.Method == "":
			score *= 0.9
		case method == "HEAD" && s.Method == "GET":
			score *= 0.9
		default:
			return
		}
		score *= base
		what := strings.TrimSpace(s.Method + " " + text)
		how := fmt.Sprintf("handler of the route %s, registered at %s:%d by %s", what, x.entries[entry].path, s.Line, s.Via)
		if part != "" {
			how = fmt.Sprintf("handler of %s, which agrees with %s of %s", what, part, route)
		}
		found := x.handlerHits(entry, s, method, score, how)
		out = append(out, found...)
		if len(found) == 0 {
			out = append(out, hit{ref{entry, s.Func}, s.Line, 0.7 * score, fmt.Sprintf("registration of the route %s by %s", what, s.Via)})
		} else if found[0].at != (ref{entry, s.Func}) {
			out = append(out, hit{ref{entry, s.Func}, s.Line, 0.35 * score, fmt.Sprintf("registration of the route %s by %s", what, s.Via)})
		}
	})
	return out
}

func join(prefix, route string) string {
	return strings.TrimSuffix(prefix, "/") + "/" + strings.TrimPrefix(route, "/")
}

// mounts gives, per file, the prefixes under which other files mount its routes.
func (x *Index) mounts() map[string][]string {
	out := map[string][]string{}
	x.eachSite(facts.Mount, nil, func(entry int, f *facts.File, s *facts.Site) {
		prefix := x.resolve(entry, s.Text)
		for _, name := range strings.Split(s.Handler, "|") {
			name = strings.TrimSuffix(name, "()")
			if name == "" {
				continue
			}
			for _, t := range x.mounted(entry, f, name) {
				if !contains(out[t], prefix) {
					out[t] = append(out[t], prefix)
				}
			}
		}
	})
	return out
}

// mounted finds the files whose routes a router's name stands for: the imported module, the file
// that declares the name, or the module that a text names (Django's include).
func (x *Index) mounted(entry int, f *facts.File, name string) []string {
	var out []string
	first, _, _ := strings.Cut(name, ".")
	short := lastName(name)
	for i, e := range x.entries {
		if e.sites&(1<<facts.Route) == 0 || i == entry {
			continue
		}
		tf := e.facts()
		switch {
		case imports(f, e.path, tf, first), imports(f, e.path, tf, name):
		case f.Language == "python" && strings.HasSuffix("/"+strings.TrimSuffix(e.path, ".py"), "/"+strings.ReplaceAll(name, ".", "/")):
		case f.Language == "go" && first == tf.Package && name != first:
		case declares(tf, short) && (f.Language == "go" || f.Language == "java"):
		default:
			continue
		}
		out = append(out, e.path)
	}
	return out
}

func declares(f *facts.File, name string) bool {
	for n := range f.Symbols {
		if lastName(f.Symbols[n].Name) == name {
			return true
		}
	}
	return false
}

// handlerHits finds the function that a registration names.
func (x *Index) handlerHits(entry int, s *facts.Site, method string, score float64, how string) []hit {
	e := x.entries[entry]
	f := e.facts()
	if s.HandlerFrom > 0 { // written in place
		at := enclosing(f, s.HandlerFrom)
		for n := range f.Symbols { // a closure of its own begins on the very line
			if sym := &f.Symbols[n]; sym.Kind.Callable() && sym.From == s.HandlerFrom && sym.To == s.HandlerTo {
				at = int32(n)
			}
		}
		return []hit{{ref{entry, at}, s.HandlerFrom, score, how}}
	}
	for _, name := range strings.Split(s.Handler, "|") {
		if name == "" {
			continue
		}
		// A handler in the same file under its full name, as annotations give it.
		for n := range f.Symbols {
			if f.Symbols[n].Name == name && f.Symbols[n].Kind.Callable() {
				return []hit{{ref{entry, int32(n)}, f.Symbols[n].From, score, how}}
			}
		}
		var out []hit
		call := facts.Call{Callee: name, Func: s.Func, Line: s.Line}
		for _, t := range x.targets(entry, &call) {
			tf := x.entries[t.ref.entry].facts()
			sym := &tf.Symbols[t.ref.symbol]
			if sym.Kind == facts.Class { // Django's class-based views: the methods do the work
				for n := range tf.Symbols {
					m := &tf.Symbols[n]
					if owner(m.Name) == sym.Name && m.Kind == facts.Method && httpVerb(lastName(m.Name), method) {
						out = append(out, hit{ref{t.ref.entry, int32(n)}, m.From, score, how})
					}
				}
				if len(out) > 0 {
					return out
				}
			}
			out = append(out, hit{t.ref, sym.From, score * (0.8 + 0.2*t.sure), how})
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func httpVerb(name, method string) bool {
	switch name {
	case "get", "post", "put", "delete", "patch":
		return method == "" || strings.EqualFold(name, method)
	case "list", "retrieve": // Django REST framework
		return method == "" || method == "GET"
	case "create":
		return method == "" || method == "POST"
	case "update":
		return method == "" || method == "PUT"
	case "partial_update":
		return method == "" || method == "PATCH"
	case "destroy":
		return method == "" || method == "DELETE"
	}
	return false
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

// statementHits explains a database statement.
func (x *Index) statementHits(statement string) []hit {
	if len(statement) > maxLead {
		statement = statement[:maxLead]
	}
	want := normalStatement(statement)
	if want == "" {
		return nil
	}
	var out []hit
	x.eachSite(facts.Statement, nil, func(entry int, f *facts.File, s *facts.Site) {
		text := x.resolve(entry, s.Text)
		got := normalStatement(text)
		score, how := 0.0, ""
		switch {
		case got == want:
			score, how = 0.95, "database statement"
		case agree(strings.ReplaceAll(got, "?", facts.Hole), want) > 0.8:
			score, how = 0.85, "database statement with values filled in"
		default:
			share := overlap(strings.Fields(got), strings.Fields(want))
			if share < 0.6 || !strings.HasPrefix(want, strings.SplitN(got, " ", 2)[0]) {
				return
			}
			score, how = 0.75*share, "similar database statement"
		}
		out = append(out, hit{ref{entry, s.Func}, s.Line, score, fmt.Sprintf("%s %q", how, short(strings.Join(strings.Fields(text), " ")))})
	})
	return out
}

// normalStatement is a statement in lower case, with single spaces and every value as "?".
func normalStatement(s string) string {
	var b strings.Builder
	space := func() {
		if b.Len() > 0 && !strings.HasSuffix(b.String(), " ") {
			b.WriteByte(' ')
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case strings.HasPrefix(s[i:], facts.Hole):
			b.WriteByte('?')
			i += len(facts.Hole) - 1
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			space()
		case c == '\'':
			for i++; i < len(s) && s[i] != '\''; i++ {
			}
			b.WriteByte('?')
		case c == '`' || c == '"' || c == ';':
		case c == '(' || c == ')' || c == ',' || c == '=':
			space()
			b.WriteByte(c)
			b.WriteByte(' ')
		case c == '$' && i+1 < len(s) && digit(s[i+1]), c == ':' && i+1 < len(s) && letter(s[i+1]) && (i == 0 || s[i-1] != ':'), c == '%' && i+1 < len(s) && (s[i+1] == 's' || s[i+1] == 'd' || s[i+1] == '('), c == '@' && i+1 < len(s) && letter(s[i+1]):
			if c == '%' && s[i+1] == '(' {
				for i < len(s) && s[i] != ')' {
					i++
				}
			}
			for i+1 < len(s) && letter(s[i+1]) {
				i++
			}
			b.WriteByte('?')
		case digit(c) && (i == 0 || !letter(s[i-1])):
			for i+1 < len(s) && (digit(s[i+1]) || s[i+1] == '.') {
				i++
			}
			b.WriteByte('?')
		default:
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// overlap is the share of words two statements have in common (Jaccard).
func overlap(a, b []string) float64 {
	set := map[string]bool{}
	for _, w := range a {
		set[w] = true
	}
	both, union := 0, len(set)
	seen := map[string]bool{}
	for _, w := range b {
		if seen[w] {
			continue
		}
		seen[w] = true
		if set[w] {
			both++
		} else {
			union++
		}
	}
	if union == 0 {
		return 0
	}
	return float64(both) / float64(union)
}
