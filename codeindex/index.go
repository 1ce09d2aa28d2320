package codeindex

import (
	"bytes"
	"fmt"
	"path"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/remediator/remediator/codeindex/facts"
)

// Index is what is known of a repository at one commit. It is safe for concurrent use.
type Index struct {
	// Stats say how the index came about.
	Stats Stats

	entries  []*entry // by path
	byPath   map[string]int
	problems []Problem

	mu       sync.Mutex
	mentions map[string][]int // results of mentioning

	declared sync.Once
	names    map[string][]ref // symbols by last name
}

// Stats count what Build did.
type Stats struct {
	Files  int // indexed
	Parsed int // read and parsed
	Reused int // taken from the cache or the previous index
}

// Problem is a file that is not in the index, and why.
type Problem struct {
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Problems are the files that could not be indexed, by path.
func (x *Index) Problems() []Problem { return append([]Problem(nil), x.problems...) }

// Symbol is one declaration.
type Symbol struct {
	File     string `json:"file"`
	Name     string `json:"name"` // "Type.Method", "function"
	Kind     string `json:"kind"` // "function", "method", "class", "interface", "type", "constant", "variable", "closure"
	Language string `json:"language"`
	Package  string `json:"package,omitempty"`
	From     int    `json:"from"`
	To       int    `json:"to"`
	Exported bool   `json:"exported,omitempty"`
	Test     string `json:"test,omitempty"` // framework whose test it is: "go test", "testify", "pytest", "unittest", "jest", "junit"
}

// Receiver is the type or class a method belongs to, "" for other symbols.
func (s Symbol) Receiver() string {
	if i := strings.LastIndexByte(s.Name, '.'); i >= 0 && s.Kind == "method" {
		return s.Name[:i]
	}
	return ""
}

// Files are the paths in the index, sorted.
func (x *Index) Files() []string {
	out := make([]string, len(x.entries))
	for i, e := range x.entries {
		out[i] = e.path
	}
	return out
}

// Symbols are the declarations of a file in their order.
func (x *Index) Symbols(file string) []Symbol {
	i, ok := x.byPath[file]
	if !ok {
		return nil
	}
	f := x.entries[i].facts()
	out := make([]Symbol, len(f.Symbols))
	for n := range f.Symbols {
		out[n] = x.symbol(ref{i, int32(n)})
	}
	return out
}

// Function is the innermost function around a line.
func (x *Index) Function(file string, line int) (Symbol, bool) {
	i, ok := x.byPath[file]
	if !ok {
		return Symbol{}, false
	}
	n := enclosing(x.entries[i].facts(), int32(line))
	if n == facts.None {
		return Symbol{}, false
	}
	return x.symbol(ref{i, n}), true
}

// Lookup is the symbol of a file with the qualified name.
func (x *Index) Lookup(file, name string) (Symbol, bool) {
	for _, s := range x.Symbols(file) {
		if s.Name == name {
			return s, true
		}
	}
	return Symbol{}, false
}

// Test is one test function of the repository.
type Test struct {
	Symbol
	Style string `json:"style"`
}

// Tests are all test functions, by file and line.
func (x *Index) Tests() []Test {
	var out []Test
	for i, e := range x.entries {
		f := e.facts()
		for n := range f.Symbols {
			if style := f.Symbols[n].Test; style != "" {
				out = append(out, Test{x.symbol(ref{i, int32(n)}), style})
			}
		}
	}
	return out
}

// Site is a place that telemetry shows again.
type Site struct {
	Kind     string `json:"kind"` // "span", "route", "mount", "log", "call", "statement"
	Text     string `json:"text"` // the literal, with <*> for values
	Method   string `json:"method,omitempty"`
	Handler  string `json:"handler,omitempty"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Function string `json:"function,omitempty"`
	Via      string `json:"via,omitempty"`
}

// Sites are all sites of a kind, by file and line.
func (x *Index) Sites(kind facts.SiteKind) []Site {
	var out []Site
	for i, e := range x.entries {
		if e.sites&(1<<kind) == 0 {
			continue
		}
		f := e.facts()
		for n := range f.Sites {
			s := &f.Sites[n]
			if s.Kind != kind {
				continue
			}
			site := Site{Kind: kind.String(), Text: x.resolve(i, s.Text), Method: s.Method, Handler: s.Handler, File: e.path, Line: int(s.Line), Via: s.Via}
			if s.Func != facts.None {
				site.Function = f.Symbols[s.Func].Name
			}
			out = append(out, site)
		}
	}
	return out
}

// ref is a symbol's place: the entry and the position in its symbols.
type ref struct {
	entry  int
	symbol int32
}

func (x *Index) symbol(r ref) Symbol {
	e := x.entries[r.entry]
	f := e.facts()
	s := &f.Symbols[r.symbol]
	return Symbol{
		File: e.path, Name: s.Name, Kind: s.Kind.String(), Language: f.Language, Package: packageOf(e.path, f),
		From: int(s.From), To: int(s.To), Exported: s.Exported, Test: s.Test,
	}
}

// packageOf is the name by which people call the unit that a file belongs to.
func packageOf(name string, f *facts.File) string {
	if f.Package != "" {
		return f.Package
	}
	if f.Language == "python" {
		return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(name, ".py"), "/__init__"), "/", ".")
	}
	return path.Dir(name)
}

// enclosing is the innermost callable symbol around a line.
func enclosing(f *facts.File, line int32) int32 {
	best := int32(facts.None)
	for n := range f.Symbols {
		s := &f.Symbols[n]
		if !s.Kind.Callable() || line < s.From || line > s.To {
			continue
		}
		if best == facts.None || s.To-s.From <= f.Symbols[best].To-f.Symbols[best].From {
			best = int32(n)
		}
	}
	return best
}

// mentioning lists the entries whose facts contain a text anywhere. Searching the encoded facts is
// much cheaper than decoding them: they are a tenth of the source.
func (x *Index) mentioning(text string) []int {
	x.mu.Lock()
	defer x.mu.Unlock()
	if hits, ok := x.mentions[text]; ok {
		return hits
	}
	needle := []byte(text)
	var hits []int
	for i, e := range x.entries {
		if bytes.Contains(e.record, needle) {
			hits = append(hits, i)
		}
	}
	if x.mentions == nil || len(x.mentions) > 10000 {
		x.mentions = map[string][]int{}
	}
	x.mentions[text] = hits
	return hits
}

// named lists the symbols whose last name is the given one. The first question decodes all files:
// following calls asks for hundreds of names.
func (x *Index) named(name string) []ref {
	x.declared.Do(func() {
		var wait sync.WaitGroup
		var next atomic.Int64
		for range runtime.GOMAXPROCS(0) {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for i := next.Add(1) - 1; i < int64(len(x.entries)); i = next.Add(1) - 1 {
					x.entries[i].facts()
				}
			}()
		}
		wait.Wait()
		x.names = map[string][]ref{}
		for i, e := range x.entries {
			f := e.facts()
			for n := range f.Symbols {
				last := lastName(f.Symbols[n].Name)
				x.names[last] = append(x.names[last], ref{i, int32(n)})
			}
		}
	})
	return x.names[name]
}

func lastName(qualified string) string {
	if i := strings.LastIndexByte(qualified, '.'); i >= 0 && !strings.HasSuffix(qualified, ")") {
		return qualified[i+1:]
	}
	return qualified
}

func owner(qualified string) string {
	if i := strings.LastIndexByte(qualified, '.'); i >= 0 && !strings.HasSuffix(qualified, ")") {
		return qualified[:i]
	}
	return ""
}

// String says what is in the index, for logs.
func (x *Index) String() string {
	languages := map[string]int{}
	for _, e := range x.entries {
		languages[e.facts().Language]++
	}
	var parts []string
	for l, n := range languages {
		parts = append(parts, fmt.Sprintf("%d %s", n, l))
	}
	sort.Strings(parts)
	return fmt.Sprintf("%d files (%s)", len(x.entries), strings.Join(parts, ", "))
}
