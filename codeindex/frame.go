package codeindex

import (
	"fmt"
	"path"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// frameHits explains a stack frame, or code.* attributes: any of file, line, function, namespace.
func (x *Index) frameHits(q *Query) []hit {
	namespace, function := splitFunction(q.Namespace, q.Function)
	if q.File == "" {
		return x.functionHits(namespace, function)
	}
	base := path.Base(strings.ReplaceAll(q.File, "\\", "/"))
	files, share := x.filesLike(q.File, namespace)
	if len(files) == 0 {
		if function == "" {
			return nil
		}
		out := x.functionHits(namespace, function)
		for i := range out {
			out[i].score *= 0.8
			out[i].reason += fmt.Sprintf("; no file %s in the repository", short(q.File))
		}
		return out
	}
	var out []hit
	for _, i := range files {
		f := x.entries[i].facts()
		at := int32(facts.None)
		if q.Line > 0 {
			at = enclosing(f, int32(q.Line))
		}
		sure := 0.75 + 0.22*share
		switch {
		case function == "" && q.Line > 0:
			out = append(out, hit{ref{i, at}, int32(q.Line), sure, fmt.Sprintf("stack frame %s:%d", base, q.Line)})
		case function == "":
			out = append(out, hit{ref{i, facts.None}, 1, 0.4 * sure, "file of the frame"})
		case at != facts.None && lastName(f.Symbols[at].Name) == function,
			at != facts.None && (anonymous(function) || f.Symbols[at].Kind == facts.Closure):
			out = append(out, hit{ref{i, at}, int32(q.Line), sure + 0.02, fmt.Sprintf("stack frame %s at %s:%d", function, base, q.Line)})
		default:
			// The line does not belong to the function: the deployed commit was another one.
			found := false
			for n := range f.Symbols {
				s := &f.Symbols[n]
				if s.Kind.Callable() && lastName(s.Name) == function {
					found = true
					why := fmt.Sprintf("function %s of the frame's file", function)
					score := 0.9 * sure
					if q.Line > 0 {
						why += fmt.Sprintf("; line %d is elsewhere by now", q.Line)
						score = 0.8 * sure
					}
					out = append(out, hit{ref{i, int32(n)}, s.From, score, why})
				}
			}
			if !found && q.Line > 0 && at != facts.None {
				out = append(out, hit{ref{i, at}, int32(q.Line), 0.7 * sure, fmt.Sprintf("line %d of the frame's file; no function %s there", q.Line, short(function))})
			}
		}
	}
	return out
}

func anonymous(function string) bool {
	return function == "" || strings.HasPrefix(function, "<") || strings.HasPrefix(function, "lambda$") || function == "anonymous"
}

// filesLike finds the files with the longest common end of path, comparing whole elements; share is
// how much of the shorter path agrees.
func (x *Index) filesLike(name, namespace string) (files []int, share float64) {
	name = strings.ReplaceAll(name, "\\", "/")
	name = strings.TrimPrefix(name, "file://")
	name = path.Clean(strings.TrimPrefix(name, "webpack:///"))
	if strings.HasSuffix(name, ".pyc") {
		name = strings.TrimSuffix(name, "c")
	}
	base := path.Base(name)
	best := 0
	for i, e := range x.entries {
		if !strings.HasSuffix(e.path, base) || path.Base(e.path) != base {
			continue
		}
		n := sharedTail(e.path, name)
		// A Java frame has the file's base name only; the class says which directory.
		if n == 1 && namespace != "" {
			if f := e.facts(); f.Package != "" && namespaceFits(namespace, f.Package, "") > 0 {
				n++
			}
		}
		if n > best {
			best, files = n, nil
		}
		if n == best {
			files = append(files, i)
		}
	}
	if best == 0 {
		return nil, 0
	}
	shortest := strings.Count(name, "/") + 1
	for _, i := range files {
		shortest = min(shortest, strings.Count(x.entries[i].path, "/")+1)
	}
	return files, float64(min(best, shortest)) / float64(shortest)
}

// splitFunction separates what runtimes write in front of a function's name:
//
//	github.com/acme/shop/payments.(*Client).Charge.func1   Go
//	com.acme.shop.PaymentService$Inner.lambda$charge$0     Java
//	OrderService.create, Object.<anonymous>, async charge  JavaScript
//	shop.payments.Client.charge, Client.charge.<locals>.f  Python
func splitFunction(namespace, function string) (ns, fn string) {
	function = strings.TrimSpace(function)
	for _, prefix := range []string{"async ", "new ", "bound ", "static "} {
		function = strings.TrimPrefix(function, prefix)
	}
	if i := strings.IndexByte(function, '['); i > 0 { // type arguments, [as alias]
		if j := strings.LastIndexByte(function, ']'); j > i {
			function = strings.TrimSpace(function[:i] + function[j+1:])
		}
	}
	if i := strings.IndexByte(function, '('); i >= 0 && strings.HasSuffix(function, ")") && !strings.Contains(function, "(*") {
		function = function[:i]
	}
	// Go: everything up to the last slash is the import path; dots in it are escaped.
	dir := ""
	if i := strings.LastIndexByte(function, '/'); i >= 0 {
		dir, function = function[:i+1], function[i+1:]
	}
	function = strings.NewReplacer("(*", "", "(", "", ")", "", "-fm", "", "::", ".", "#", ".", "%2e", ".", ".<locals>", "", "<locals>.", "").Replace(function)
	parts := strings.Split(function, ".")
	// Closures belong to the function they are written in.
	for len(parts) > 1 {
		end := parts[len(parts)-1]
		if end == "" || strings.HasPrefix(end, "func") && strings.Trim(end[4:], "0123456789") == "" || strings.HasPrefix(end, "gowrap") ||
			strings.Trim(end, "0123456789") == "" || end == "<lambda>" || end == "<genexpr>" || end == "<listcomp>" {
			parts = parts[:len(parts)-1]
			continue
		}
		break
	}
	fn = parts[len(parts)-1]
	if rest, ok := strings.CutPrefix(fn, "lambda$"); ok { // lambda$charge$0
		if name, _, ok := strings.Cut(rest, "$"); ok {
			fn = name
		}
	}
	if len(parts) > 1 {
		ns = dir + strings.Join(parts[:len(parts)-1], ".")
	} else {
		ns = strings.TrimSuffix(dir, "/")
	}
	if fn == "<init>" || fn == "constructor" { // a constructor is called like its class
		if i := strings.LastIndexAny(ns+namespace, ".$"); i >= 0 {
			fn = (ns + namespace)[i+1:]
		}
	}
	if namespace != "" {
		namespace = strings.NewReplacer("(*", "", "(", "", ")", "", "::", ".", "*", "").Replace(namespace)
		if ns == "" || strings.HasSuffix(namespace, ns) {
			ns = namespace
		} else if !strings.Contains(ns, namespace) {
			ns = namespace + "." + ns
		}
	}
	return strings.ReplaceAll(ns, "$", "."), fn
}
