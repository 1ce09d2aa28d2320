package replay

import (
	"fmt"
	"sort"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

func (b *setBuilder) downstream(i int) []Downstream {
	x := &b.exchanges[i]
	templates := map[telemetry.SpanID]string{}
	for _, p := range b.own[i] {
		templates[p.span.ID] = p.span.Attrs.Get(telemetry.AttrURLTemplate)
	}
	calls := append([]int(nil), b.made[i]...)
	sort.SliceStable(calls, func(m, n int) bool { return b.calls[calls[m]].start.Before(b.calls[calls[n]].start) })
	var out []Downstream
	for _, c := range calls {
		call := &b.calls[c]
		d := call.callOf(call.peer, templates[call.context.span], b.opts.Redactor)
		d.Offset = Duration(max(0, call.start.Sub(x.start)))
		out = append(out, d)
	}
	return out
}

// compareCalls aligns the outgoing calls of the recordings by peer, method, route and occurrence, and
// finds what varies in their requests.
func compareCalls(find *noiseFinder, recordings [][]Downstream) {
	byKey := map[string][]any{}
	at := map[string]pointer{}
	for _, calls := range recordings {
		seen := map[string]int{}
		for i := range calls {
			place := callPlace(&calls[i])
			key := place.String()
			seen[key]++
			key = fmt.Sprintf("%s\x00%d", key, seen[key])
			byKey[key] = append(byKey[key], requestValue(&calls[i].Request))
			at[key] = place
		}
	}
	for _, key := range sortedKeys(byKey) {
		if docs := byKey[key]; len(docs) > 1 {
			find.compare("request.downstream", at[key], docs)
		}
	}
}

// callPlace is the beginning of a pointer into an outgoing call: /peer/METHOD route.
func callPlace(d *Downstream) pointer {
	return pointer{d.Peer, d.Request.Method + " " + callRoute(d)}
}

func callRoute(d *Downstream) string {
	if d.Request.Route != "" {
		return d.Request.Route
	}
	return telemetry.NormalRoute(d.Request.Path)
}

// requestValue is a request as one document: {"path": [...], "query": {...}, "headers":
// {...}, "body": ...}, which is what pointers into requests point into.
func requestValue(r *Request) any {
	doc := map[string]any{"method": r.Method}
	var segments []any
	for s := range strings.SplitSeq(strings.TrimPrefix(r.Path, "/"), "/") {
		segments = append(segments, s)
	}
	doc["path"] = segments
	if r.Query != "" {
		query := map[string]any{}
		for f := range strings.SplitSeq(r.Query, "&") {
			name, value, _ := strings.Cut(f, "=")
			if old, ok := query[name]; ok {
				value = old.(string) + "," + value
			}
			query[name] = value
		}
		doc["query"] = query
	}
	if len(r.Headers) > 0 {
		doc["headers"] = headerValue(r.Headers)
	}
	if len(r.Body) > 0 {
		doc["body"] = bodyValue(r.Body)
	}
	return doc
}

func bodyValue(raw []byte) any {
	if len(raw) == 0 {
		return nil
	}
	v, err := decodeJSON(raw)
	if err != nil {
		return string(raw)
	}
	return v
}

func headerValue(h map[string]string) any {
	out := make(map[string]any, len(h))
	for k, v := range h {
		out[strings.ToLower(k)] = v
	}
	return out
}
