package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry"
)

const (
	// pathSeparator stands between signatures in a signature path.
	pathSeparator = " > "
	// maxPathDepth bounds signature paths: beyond it they are cut and end in a digest, so that a
	// chain of ten thousand spans does not need quadratic memory.
	maxPathDepth = 64
	// maxDurations is how many duration samples of a class are kept; more add nothing
	// to a robust bound.
	maxDurations = 20
)

// traceSpans holds the spans of one trace by parent.
type traceSpans struct {
	spans    []telemetry.Span
	ids      map[telemetry.SpanID]int
	children map[telemetry.SpanID][]int
}

// groupByTrace indexes spans by trace; order within a trace is kept.
func groupByTrace(spans []telemetry.Span) map[telemetry.TraceID]*traceSpans {
	out := map[telemetry.TraceID]*traceSpans{}
	for i := range spans {
		s := &spans[i]
		t := out[s.Trace]
		if t == nil {
			t = &traceSpans{}
			out[s.Trace] = t
		}
		t.spans = append(t.spans, *s)
	}
	for _, t := range out {
		t.index()
	}
	return out
}

func (t *traceSpans) index() {
	t.ids = make(map[telemetry.SpanID]int, len(t.spans))
	t.children = make(map[telemetry.SpanID][]int, len(t.spans))
	for i := range t.spans {
		if _, dup := t.ids[t.spans[i].ID]; dup {
			continue // the same span twice, or an id made up twice: count it once
		}
		t.ids[t.spans[i].ID] = i
		t.children[t.spans[i].Parent] = append(t.children[t.spans[i].Parent], i)
	}
}

// placed is one span of an exchange at its place in the tree.
type placed struct {
	span      *telemetry.Span
	signature string
	path      string // signature path of the parent
	depth     int
}

// exchange lists the service's own spans of one exchange, parents first: what hangs below the caller's span
// without leaving the service. Work the service did because another service called it back is
// not part of it, since a stand-in calls nobody back. Service "" means every span.
// Spans whose parent never arrived count as hanging below the caller.
func (t *traceSpans) exchange(service string, caller telemetry.SpanID) []placed {
	if t == nil {
		return nil
	}
	own := func(i int) bool { return service == "" || t.spans[i].Resource.Service == service }
	seen := make([]bool, len(t.spans))
	var out []placed
	push := func(i int, path string, depth int) {
		if !seen[i] && own(i) {
			seen[i] = true
			out = append(out, placed{span: &t.spans[i], signature: t.spans[i].Signature(), path: path, depth: depth})
		}
	}
	for _, i := range t.children[caller] {
		push(i, "", 0)
	}
	if entries := len(out); entries == 0 || t.soleEntry(caller) {
		for i := range t.spans {
			p := t.spans[i].Parent
			if _, known := t.ids[p]; !known && p != caller {
				push(i, "", 0)
			}
		}
	}
	for next := 0; next < len(out); next++ {
		at := out[next]
		if len(t.children[at.span.ID]) == 0 {
			continue
		}
		path := joinPath(at.path, at.signature, at.depth)
		for _, i := range t.children[at.span.ID] {
			push(i, path, at.depth+1)
		}
	}
	return out
}

// soleEntry says whether the caller's span is the only parent outside the trace, so that
// detached spans can belong to no other exchange.
func (t *traceSpans) soleEntry(caller telemetry.SpanID) bool {
	if _, inside := t.ids[caller]; inside {
		return false
	}
	return len(t.children[caller]) > 0
}

func joinPath(path, signature string, depth int) string {
	if depth >= maxPathDepth {
		sum := sha256.Sum256([]byte(path + pathSeparator + signature))
		cut := path
		if i := strings.LastIndex(path, pathSeparator+"#"); i >= 0 {
			cut = path[:i]
		}
		return cut + pathSeparator + "#" + hex.EncodeToString(sum[:8])
	}
	if path == "" {
		return signature
	}
	return path + pathSeparator + signature
}

// critical lists the attributes whose values are part of what a service promises. The
// rest varies with instrumentation versions, hosts and payloads.
var critical = map[string]bool{
	telemetry.AttrHTTPMethod: true, telemetry.AttrHTTPRoute: true, telemetry.AttrHTTPStatus: true, telemetry.AttrErrorType: true,
	telemetry.AttrDBSystem: true, telemetry.AttrDBOperation: true, telemetry.AttrDBCollection: true, telemetry.AttrDBNamespace: true,
	telemetry.AttrMsgSystem: true, telemetry.AttrMsgDestination: true, telemetry.AttrMsgOperation: true, telemetry.AttrMsgOpName: true,
	telemetry.AttrRPCSystem: true, telemetry.AttrRPCService: true, telemetry.AttrRPCMethod: true, telemetry.AttrRPCStatus: true,
}

// treeOf folds the spans of one exchange into classes: spans with the same place, signature, status, critical attributes
// and errors are one class with a count.
func treeOf(spans []placed, redact *Redactor) Trace {
	classes := map[string]*TreeSpan{}
	// The same few names occur again and again, so each is looked through once.
	clean := map[string]string{}
	text := func(s string) string {
		if redact == nil {
			return s
		}
		out, ok := clean[s]
		if !ok {
			out = redact.Text(s)
			clean[s] = out
		}
		return out
	}
	for _, p := range spans {
		t := TreeSpan{
			Signature: text(p.signature), Parent: text(p.path), Kind: p.span.Kind.String(), Status: statusText(p.span.Status),
			Count: Count{Min: 1, Max: 1}, Links: len(p.span.Links), Errors: errorsOf(p.span),
		}
		for _, a := range p.span.Attrs {
			if critical[a.Key] {
				if t.Attributes == nil {
					t.Attributes = map[string]string{}
				}
				t.Attributes[a.Key] = text(a.Value)
			}
		}
		key := t.class()
		if c := classes[key]; c != nil {
			c.Count.Min++
			c.Count.Max++
			c.Links = max(c.Links, t.Links)
			c.addDuration(p.span.Duration)
			continue
		}
		t.addDuration(p.span.Duration)
		classes[key] = &t
	}
	return sortedTree(classes)
}

func (t *TreeSpan) addDuration(d time.Duration) {
	if len(t.Durations) < maxDurations {
		t.Durations = append(t.Durations, Duration(d))
	}
}

// path is the signature path of the span itself.
func (t *TreeSpan) path() string {
	if t.Parent == "" {
		return t.Signature
	}
	return t.Parent + pathSeparator + t.Signature
}

// class is the key of the equivalence class.
func (t *TreeSpan) class() string {
	var b strings.Builder
	b.WriteString(t.path())
	b.WriteString("\x00" + t.Status)
	for _, k := range sortedKeys(t.Attributes) {
		b.WriteString("\x00" + k + "=" + t.Attributes[k])
	}
	b.WriteString("\x00" + strings.Join(t.Errors, "\x01"))
	return b.String()
}

func sortedTree(classes map[string]*TreeSpan) Trace {
	keys := sortedKeys(classes)
	tree := Trace{Tree: make([]TreeSpan, 0, len(keys))}
	for _, k := range keys {
		tree.Tree = append(tree.Tree, *classes[k])
	}
	return tree
}

// mergeTrees unites the trees of several recordings of one exchange: a class may occur as
// rarely and as often as it did in any of them.
func mergeTrees(trees []Trace) Trace {
	classes := map[string]*TreeSpan{}
	seen := map[string]int{}
	for _, tree := range trees {
		for _, t := range tree.Tree {
			key := t.class()
			seen[key]++
			c := classes[key]
			if c == nil {
				t.Durations = slices.Clone(t.Durations)
				classes[key] = &t
				continue
			}
			c.Count.Min = min(c.Count.Min, t.Count.Min)
			c.Count.Max = max(c.Count.Max, t.Count.Max)
			c.Links = max(c.Links, t.Links)
			for _, d := range t.Durations {
				c.addDuration(time.Duration(d))
			}
		}
	}
	for key, c := range classes {
		if seen[key] < len(trees) {
			c.Count.Min = 0
		}
	}
	return sortedTree(classes)
}

func statusText(s telemetry.StatusCode) string {
	switch s {
	case telemetry.StatusOK:
		return "ok"
	case telemetry.StatusError:
		return "error"
	}
	return "unset"
}

// errorsOf lists error and exception types, never messages: those carry data.
func errorsOf(s *telemetry.Span) []string {
	var out []string
	for _, e := range s.Events {
		if e.Name == telemetry.EventException {
			if t := e.Attrs.Get(telemetry.AttrExceptionType); t != "" {
				out = append(out, t)
			}
		}
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
