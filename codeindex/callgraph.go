package codeindex

import (
	"path"
	"sort"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// CallSite is one call between functions of the repository.
type CallSite struct {
	Symbol Symbol `json:"symbol"` // the caller or the callee, depending on what was asked
	File   string `json:"file"`   // where the call stands
	Line   int    `json:"line"`
	Callee string `json:"callee"` // as written
	// Confidence is below 1 where the name alone does not tell which function is meant.
	Confidence float64 `json:"confidence"`
}

// maxFanOut bounds how many candidates or callers are followed: a name that a hundred places share
// (Close, String, get) leads nowhere.
const maxFanOut = 25

// Callers are the places that call a function, by confidence, file and line.
func (x *Index) Callers(s Symbol) []CallSite {
	r, ok := x.refOf(s)
	if !ok {
		return nil
	}
	var out []CallSite
	for _, c := range x.callers(r) {
		out = append(out, x.callSite(c.from, c))
	}
	return sortCalls(out)
}

// Callees are the functions of the repository that a function calls, by confidence, file and line.
func (x *Index) Callees(s Symbol) []CallSite {
	r, ok := x.refOf(s)
	if !ok {
		return nil
	}
	var out []CallSite
	for _, c := range x.callees(r) {
		out = append(out, x.callSite(c.to, c))
	}
	return sortCalls(out)
}

func (x *Index) callSite(other ref, c edge) CallSite {
	return CallSite{Symbol: x.symbol(other), File: x.entries[c.from.entry].path, Line: int(c.line), Callee: c.callee, Confidence: c.sure}
}

func sortCalls(calls []CallSite) []CallSite {
	sort.SliceStable(calls, func(i, j int) bool {
		a, b := calls[i], calls[j]
		if a.Confidence != b.Confidence {
			return a.Confidence > b.Confidence
		}
		if a.Symbol.File != b.Symbol.File {
			return a.Symbol.File < b.Symbol.File
		}
		if a.Symbol.From != b.Symbol.From {
			return a.Symbol.From < b.Symbol.From
		}
		return a.Line < b.Line
	})
	return calls
}

func (x *Index) refOf(s Symbol) (ref, bool) {
	i, ok := x.byPath[s.File]
	if !ok {
		return ref{}, false
	}
	f := x.entries[i].facts()
	for n := range f.Symbols {
		if f.Symbols[n].Name == s.Name && int(f.Symbols[n].From) == s.From {
			return ref{i, int32(n)}, true
		}
	}
	return ref{}, false
}

type edge struct {
	from, to ref
	line     int32
	callee   string
	sure     float64
}

// callers finds the calls of a function: in the files that mention its name, those that resolve to it.
func (x *Index) callers(r ref) []edge {
	name := lastName(x.entries[r.entry].facts().Symbols[r.symbol].Name)
	if len(name) < 2 {
		return nil
	}
	var out []edge
	for _, i := range x.mentioning(name) {
		f := x.entries[i].facts()
		for n := range f.Calls {
			c := &f.Calls[n]
			if c.Func == facts.None || calleeName(c.Callee) != name || (i == r.entry && c.Func == r.symbol) {
				continue
			}
			for _, t := range x.targets(i, c) {
				if t.ref == r {
					out = append(out, edge{ref{i, c.Func}, r, c.Line, c.Callee, t.sure})
				}
			}
			if len(out) > 4*maxFanOut {
				return nil
			}
		}
	}
	return out
}

func (x *Index) callees(r ref) []edge {
	f := x.entries[r.entry].facts()
	var out []edge
	for n := range f.Calls {
		c := &f.Calls[n]
		if c.Func != r.symbol {
			continue
		}
		for _, t := range x.targets(r.entry, c) {
			if t.ref != r {
				out = append(out, edge{r, t.ref, c.Line, c.Callee, t.sure})
			}
		}
	}
	return out
}

// calleeName is the name of the function that is called, without what it is called on.
func calleeName(callee string) string {
	if i := strings.LastIndexByte(callee, '.'); i >= 0 {
		return callee[i+1:]
	}
	return callee
}

type target struct {
	ref  ref
	sure float64
}

// targets resolves a call to functions of the repository. There is no type checker here: what
// decides is the file, the package, the import and how many functions share the name.
func (x *Index) targets(entry int, c *facts.Call) []target {
	name := calleeName(c.Callee)
	if len(name) < 2 {
		return nil
	}
	on := strings.TrimSuffix(c.Callee[:len(c.Callee)-len(name)], ".")
	from := x.entries[entry]
	ff := from.facts()
	var class string
	if c.Func != facts.None {
		class = owner(ff.Symbols[c.Func].Name)
	}
	var all []target
	best := 0.0
	for _, r := range x.named(name) {
		e := x.entries[r.entry]
		f := e.facts()
		s := &f.Symbols[r.symbol]
		if !s.Kind.Callable() && s.Kind != facts.Class || f.Language != ff.Language && !(script(f.Language) && script(ff.Language)) {
			continue
		}
		if f.Test && !ff.Test {
			continue
		}
		score := x.closeness(entry, ff, class, on, r)
		if score == 0 {
			continue
		}
		best = max(best, score)
		all = append(all, target{r, score})
	}
	if len(all) == 0 || len(all) > maxFanOut && best < 0.8 {
		return nil
	}
	var out []target
	for _, t := range all {
		if t.sure == best {
			out = append(out, t)
		}
	}
	if n := len(out); n > 1 {
		for i := range out {
			out[i].sure /= float64(n)
		}
	}
	return out
}

// closeness is how likely a call of on.name in a file means the symbol.
func (x *Index) closeness(entry int, ff *facts.File, class, on string, r ref) float64 {
	from, e := x.entries[entry], x.entries[r.entry]
	f := e.facts()
	s := &f.Symbols[r.symbol]
	symbolOwner := lastName(owner(s.Name))
	sameDir := path.Dir(from.path) == path.Dir(e.path)
	samePackage := ff.Language == "go" && sameDir && ff.Package == f.Package || ff.Language == "java" && ff.Package == f.Package
	switch on {
	case "":
		switch {
		case s.Kind == facts.Method && ff.Language != "java":
			return 0
		case r.entry == entry:
			return 1
		case samePackage:
			return 0.95
		case imports(ff, e.path, f, lastName(s.Name)):
			return 0.95
		case ff.Language == "go", ff.Language == "java":
			return 0
		}
		return 0.2
	case "self", "this", "cls", "super", "super()":
		if r.entry == entry && symbolOwner == lastName(class) {
			return 1
		}
		if s.Kind == facts.Method {
			return 0.5 // inherited
		}
		return 0
	}
	last := lastName(strings.TrimSuffix(on, "()"))
	if s.Kind != facts.Method {
		// module.function, package.Function
		switch {
		case imports(ff, e.path, f, on) || imports(ff, e.path, f, last):
			return 0.95
		case symbolOwner != "" && symbolOwner == last:
			return 0.9
		case ff.Language == "go":
			return 0
		case r.entry == entry:
			return 0.6
		}
		return 0.3
	}
	// Go's receiver is an ordinary name: a call on a one-word variable within the same type's
	// methods is mostly a call on the receiver itself.
	score := 0.4
	if symbolOwner == lastName(class) && r.entry == entry && !strings.Contains(on, ".") && len(on) <= 4 {
		score = 0.9
	}
	if similar(last, symbolOwner) {
		score = 0.85
	}
	if score < 0.8 && (samePackage || sameDir) {
		score = 0.5
	}
	return score
}

// similar compares the name of a variable with that of a type: bank and BankClient, orderService and
// OrderServiceImpl.
func similar(variable, typ string) bool {
	v, t := strings.ToLower(strings.Trim(variable, "_")), strings.ToLower(typ)
	if len(v) < 3 || t == "" {
		return false
	}
	return v == t || strings.HasPrefix(t, v) || strings.HasSuffix(t, v) || len(t) >= 4 && (strings.HasPrefix(v, t) || strings.HasSuffix(v, t))
}
