package pyrecipe

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// deadlineFactor is how far beyond the healthy tail a call may go before it is given up, deadlineFloor the
// shortest time-out worth setting: below it a busy scheduler alone makes calls fail.
const (
	deadlineFactor = 3
	deadlineFloor  = 0.25
)

type callDeadline struct{}

// NewCallDeadline returns the recipe that gives an outgoing HTTP call without a time-out one: requests,
// urllib, and httpx where its default was switched off.
func NewCallDeadline() patch.Recipe { return callDeadline{} }

func (callDeadline) Name() string     { return "py-call-deadline@1" }
func (callDeadline) Rung() patch.Rung { return patch.Code }

// deadlineSeconds is max(3 × healthy p99, floor), rounded up to 50 ms.
func deadlineSeconds(p localize.Pattern) (float64, string) {
	p99 := value(p, "p99_baseline_seconds")
	if p99 == 0 {
		return 0, "how long the call takes when healthy is not recorded; without it no deadline can be chosen"
	}
	d := math.Ceil(max(deadlineFactor*p99, deadlineFloor)*20) / 20
	return d, fmt.Sprintf("healthy calls end within %.3gs (p99), so %gs is %d times that, at least %gs", p99, d, deadlineFactor, deadlineFloor)
}

func (r callDeadline) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	p, ok := pattern(in.Suspects[i], localize.PatternUnboundedCall)
	if !ok {
		return nil, nil
	}
	leave := func(why string) ([]patch.Option, []patch.Left) {
		return nil, []patch.Left{{Rung: patch.Code, Recipe: r.Name(), Why: why}}
	}
	why := ""
	for _, pl := range places(in, i) {
		s, err := open(in.Base, pl.file)
		if err != nil {
			why = err.Error()
			continue
		}
		c, err := findUnbounded(s, pl.line)
		if err != nil {
			why = fmt.Sprintf("%s:%d: %v", pl.file, pl.line, err)
			continue
		}
		seconds, text := deadlineSeconds(p)
		if seconds == 0 {
			return leave(text)
		}
		return []patch.Option{{
			ID:     "code-py-call-deadline",
			Rung:   patch.Code,
			Title:  "Bound the outgoing call in " + s.qualified(c.function),
			Why:    fmt.Sprintf("the call at %s:%d sets no time-out; %s", pl.file, s.line(c.call), text),
			Recipe: r.Name(),
			Params: map[string]string{"file": pl.file, "line": fmt.Sprint(pl.line), "seconds": short(seconds)},
			Target: pl.file + ":" + s.qualified(c.function),
			Size:   1,
		}}, nil
	}
	if why == "" {
		return nil, nil
	}
	return leave(why)
}

func (r callDeadline) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	s, err := open(in.Base, o.Params["file"])
	if err != nil {
		return nil, err
	}
	c, err := findUnbounded(s, number(o.Params["line"]))
	if err != nil {
		return nil, err
	}
	g, err := newGuard(in, o.Suspect, s, c.function, "call_deadline")
	if err != nil {
		return nil, err
	}
	seconds := o.Params["seconds"]
	edits, err := c.bound(s, g, seconds)
	if err != nil {
		return nil, err
	}
	p, err := finish(in, s, o, g, edits)
	if err != nil {
		return nil, err
	}
	p.Summary = []string{fmt.Sprintf("With the flag on, the call in %s gives up after %ss without an answer; off, it waits as before.", s.qualified(c.function), seconds)}
	p.Risks = []string{
		"Callers see the client's time-out error sooner; they have to handle it as they handle a failed call.",
		"The time-out is per connection attempt and per pause between bytes, as these clients define it; a slow trickle is not cut off.",
	}
	return p, addTest(in, p, s, g, deadlineTest(s, c, g, seconds))
}

// outgoing is a call of an HTTP client without a time-out.
type outgoing struct {
	function ts.Node
	call     ts.Node
	library  string  // "requests", "urllib", "httpx"
	timeout  ts.Node // the value of an explicit timeout=None
}

var verbs = []string{"get", "post", "put", "patch", "delete", "head", "options", "request"}

// findUnbounded finds the one unbounded call of the function at a line.
func findUnbounded(s *source, line int) (outgoing, error) {
	f := s.functionAt(line)
	if f == ts.None {
		return outgoing{}, errNoFunction
	}
	var found []outgoing
	bounded := false
	for _, call := range s.own(f, "call") {
		lib := s.clientLibrary(f, call)
		if lib == "" {
			continue
		}
		o := outgoing{function: f, call: call, library: lib, timeout: ts.None}
		args := s.children(s.child(call, "arguments"))
		explicit, hidden := false, false
		positional := 0
		for _, a := range args {
			switch {
			case s.is(a, "dictionary_splat", "list_splat"):
				hidden = true
			case s.is(a, "keyword_argument") && s.text(s.child(a, "name")) == "timeout":
				if v := s.child(a, "value"); s.is(v, "none") {
					o.timeout = v
				} else {
					explicit = true
				}
			case !s.is(a, "keyword_argument"):
				positional++
			}
		}
		switch {
		case explicit || lib == "urllib" && positional > 2:
			bounded = true
			continue
		case hidden:
			return outgoing{}, fmt.Errorf("the call on line %d takes arguments that are put together elsewhere; a time-out may be among them", s.line(call))
		case lib == "httpx" && o.timeout == ts.None:
			bounded = true // httpx gives up after 5 s by default
			continue
		}
		found = append(found, o)
	}
	if len(found) > 1 {
		at := slices.DeleteFunc(slices.Clone(found), func(o outgoing) bool { return s.line(o.call) > line || s.tree.LastLine(o.call) < line })
		if len(at) != 1 {
			return outgoing{}, fmt.Errorf("%s makes %d calls without a time-out; which of them hangs is not known", s.name(f), len(found))
		}
		found = at
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case bounded:
		return outgoing{}, fmt.Errorf("the calls in %s have a time-out already", s.name(f))
	}
	return outgoing{}, fmt.Errorf("%s calls no HTTP client that this recipe knows (requests, urllib, httpx)", s.name(f))
}

// clientLibrary names the HTTP library of a call, "" if it is no request.
func (s *source) clientLibrary(function, call ts.Node) string {
	f := s.child(call, "function")
	t := s.text(f)
	switch {
	case t == "urllib.request.urlopen" || t == "request.urlopen" && s.imported(need{"urllib", "request"}) || t == "urlopen" && s.imported(need{"urllib.request", "urlopen"}):
		return "urllib"
	}
	if !s.is(f, "attribute") || !slices.Contains(verbs, s.text(s.child(f, "attribute"))) {
		return ""
	}
	object := s.text(s.child(f, "object"))
	for _, lib := range []string{"requests", "httpx"} {
		if object == lib && importsModule(s, lib) {
			return lib
		}
		if s.madeBy(function, s.child(f, "object"), lib) {
			return lib
		}
	}
	return ""
}

var clientMakers = map[string][]string{"requests": {"Session", "session"}, "httpx": {"Client", "AsyncClient"}}

// madeBy reports whether a name, or an attribute of self, is assigned a client of the library in this file.
func (s *source) madeBy(function, object ts.Node, lib string) bool {
	if !s.is(object, "identifier", "attribute") || !importsModule(s, lib) {
		return false
	}
	for _, a := range s.all(s.tree.Root(), "assignment", "as_pattern") {
		left, right := s.child(a, "left"), s.child(a, "right")
		if s.is(a, "as_pattern") {
			left, right = s.child(a, "alias"), s.tree.First(a)
		}
		if s.text(left) != s.text(object) || !s.is(right, "call") {
			continue
		}
		if owner := s.enclosing(a, "function_definition"); s.is(object, "identifier") && owner != ts.None && owner != function {
			continue
		}
		f := s.text(s.child(right, "function"))
		for _, m := range clientMakers[lib] {
			if f == lib+"."+m || f == m && s.imported(need{lib, m}) {
				return true
			}
		}
	}
	return false
}

// bound adds the time-out. The old value stays the one that is used with the flag off: None, which is what
// requests takes for no argument, and the socket module's default for urllib.
func (o outgoing) bound(s *source, g *guard, seconds string) ([]edit, error) {
	old := "None"
	if o.library == "urllib" {
		old = "socket.getdefaulttimeout()"
		g.needs = append(g.needs, need{"socket", ""})
	}
	expr := fmt.Sprintf("%s if %s else %s", seconds, g.on, old)
	var edits []edit
	if len(g.marks) > 0 {
		st := s.statement(o.call)
		ind, err := s.indent(st)
		if err != nil {
			return nil, err
		}
		if s.binds(o.function, "call_deadline") {
			return nil, errors.New("the name call_deadline is taken")
		}
		nl, unit := s.newline(), s.unit()
		at := s.lineStart(s.tree.Start(st))
		edits = append(edits, edit{at, at, ind + "call_deadline = " + old + nl + ind + "if " + g.on + ":" + nl +
			ind + unit + "call_deadline = " + seconds + nl + g.lines(ind+unit, unit, nl)})
		expr = "call_deadline"
	}
	if o.timeout != ts.None {
		return append(edits, edit{s.tree.Start(o.timeout), s.tree.Stop(o.timeout), expr}), nil
	}
	args := s.child(o.call, "arguments")
	end := s.tree.Stop(args) - 1 // the closing parenthesis
	inside := string(s.src[s.tree.Start(args)+1 : end])
	trimmed := strings.TrimRight(inside, " \t\r\n")
	at := s.tree.Start(args) + 1 + len(trimmed)
	list := s.children(args)
	switch {
	case len(list) == 0:
		return append(edits, edit{at, at, "timeout=" + expr}), nil
	case strings.Contains(trimmed[strings.LastIndexByte(trimmed, '\n')+1:], "#"):
		return nil, errors.New("a comment ends the call's arguments")
	case strings.HasSuffix(trimmed, ",") && strings.Contains(inside[len(trimmed):], "\n"):
		first := list[len(list)-1]
		start := s.lineStart(s.tree.Start(first))
		ind := string(s.src[start:s.tree.Start(first)])
		if strings.Trim(ind, " \t") != "" {
			ind = ""
		}
		return append(edits, edit{at, at, s.newline() + ind + "timeout=" + expr + ","}), nil
	case strings.HasSuffix(trimmed, ","):
		return append(edits, edit{at, at, " timeout=" + expr}), nil
	}
	return append(edits, edit{at, at, ", timeout=" + expr}), nil
}
