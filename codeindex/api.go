package codeindex

import (
	"sort"
	"strings"

	"github.com/remediator/remediator/codeindex/extract"
)

// Declaration is one public declaration of a file.
type Declaration struct {
	Symbol    string `json:"symbol"` // "Client.Charge"
	Kind      string `json:"kind"`   // "function", "method", "type", "field", "constant", "variable"
	Signature string `json:"signature"`
	Line      int    `json:"line"`
}

// APIChange is one public declaration that is no longer what it was.
type APIChange struct {
	Path   string `json:"path"`
	Symbol string `json:"symbol"`
	Change string `json:"change"` // "removed", "signature"
	Old    string `json:"old"`
	New    string `json:"new,omitempty"`
}

// The kinds of changes to a public declaration.
const (
	Removed   = "removed"
	Signature = "signature"
)

// SyntaxError is the first place of a file that its grammar does not allow, with line and column.
type SyntaxError = extract.SyntaxError

// Supported says whether the path's language is one that this package reads.
func Supported(path string) bool { return extract.Language(path) != "" }

// CheckSyntax returns a *SyntaxError for the first error in a file, and nil for a well-formed one. A
// language that is not supported is an error of another type; ask Supported first.
func CheckSyntax(path string, src []byte) error {
	var e extract.Extractor
	return e.Check(path, src)
}

// PublicAPI lists the public declarations of a file: exported identifiers of Go, with fields and
// methods of exported types; public names of Python (what __all__ lists, where it does); exports of
// JavaScript and TypeScript; public and protected members of Java. Tests have no public interface.
// A file with syntax errors is a *SyntaxError, so that it cannot look like an empty one.
func PublicAPI(path string, src []byte) ([]Declaration, error) {
	var e extract.Extractor
	if isTest(path) {
		return nil, e.Check(path, src)
	}
	public, err := e.Public(path, src)
	if err != nil {
		return nil, err
	}
	out := make([]Declaration, len(public))
	for i, d := range public {
		out[i] = Declaration(d)
	}
	return out, nil
}

// DiffAPI lists the public declarations of old that new lacks or declares differently, by symbol.
// An old of nil is a file that is new, a new of nil one that is deleted. A file of a language that is
// not supported has no public declarations. Parameters with a default at the end of a Python,
// JavaScript or TypeScript function are no change: callers need not know of them.
func DiffAPI(path string, old, new []byte) ([]APIChange, error) {
	if !Supported(path) || old == nil {
		return nil, nil
	}
	before, err := PublicAPI(path, old)
	if err != nil {
		return nil, err
	}
	var after []Declaration
	if new != nil {
		if after, err = PublicAPI(path, new); err != nil {
			return nil, err
		}
	}
	// Java and TypeScript overload: a symbol may have several signatures.
	have := map[string][]string{}
	for _, d := range after {
		have[d.Symbol] = append(have[d.Symbol], d.Kind+" "+d.Signature)
	}
	var out []APIChange
	seen := map[APIChange]bool{}
	for _, d := range before {
		want := d.Kind + " " + d.Signature
		now, ok := have[d.Symbol]
		c := APIChange{Path: path, Symbol: d.Symbol, Change: Removed, Old: d.Signature}
		if ok {
			if contains(now, want) || compatible(path, want, now) {
				continue
			}
			c.Change = Signature
			_, c.New, _ = strings.Cut(now[0], " ")
		}
		if !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Symbol < out[j].Symbol })
	return out, nil
}

// compatible says whether one of the new signatures only adds optional parameters at the end.
func compatible(path, want string, now []string) bool {
	switch extract.Language(path) {
	case "python", "javascript", "typescript":
	default:
		return false
	}
	open := strings.LastIndexByte(want, ')')
	if open < 0 {
		return false
	}
	head, tail := want[:open], want[open:]
	for _, n := range now {
		rest, ok := strings.CutPrefix(n, head)
		if !ok || !strings.HasSuffix(rest, tail) {
			continue
		}
		optional := true
		for _, p := range strings.Split(strings.TrimPrefix(strings.TrimSuffix(rest, tail), ", "), ", ") {
			name, _, _ := strings.Cut(p, ":")
			if !strings.HasSuffix(p, "=") && !strings.HasSuffix(name, "?") && !strings.HasPrefix(p, "*") && !strings.HasPrefix(p, "...") {
				optional = false
			}
		}
		if optional {
			return true
		}
	}
	return false
}

func isTest(path string) bool {
	switch {
	case strings.HasSuffix(path, "_test.go"), strings.Contains(path, ".test."), strings.Contains(path, ".spec."), strings.Contains("/"+path, "/src/test/"):
		return true
	}
	base := path[strings.LastIndexByte(path, '/')+1:]
	return strings.HasPrefix(base, "test_") && strings.HasSuffix(base, ".py")
}
