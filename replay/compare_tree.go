package replay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tree compares span trees by signature path. Siblings have no order: concurrency decides it. Of one path the
// variants (other status, attributes or errors) are matched exactly first; what is left on both
// sides is one changed span, what is left on one side is missing or unexpected.
func (cmp *comparison) tree() {
	recorded, replayed := byPath(cmp.c.Trace.Tree), byPath(cmp.o.Trace.Tree)
	for _, path := range sortedKeys(recorded) {
		cmp.variants(path, recorded[path], replayed[path])
	}
	for _, path := range sortedKeys(replayed) {
		if _, ok := recorded[path]; !ok {
			cmp.variants(path, nil, replayed[path])
		}
	}
}

func byPath(tree []TreeSpan) map[string][]*TreeSpan {
	out := make(map[string][]*TreeSpan, len(tree))
	for i := range tree {
		p := tree[i].path()
		out[p] = append(out[p], &tree[i])
	}
	return out
}

func (cmp *comparison) variants(path string, rec, rep []*TreeSpan) {
	if cmp.ignored("span", []string{path}) {
		return
	}
	var restRec []*TreeSpan
	rest := slices.Clone(rep)
	for _, want := range rec {
		i := slices.IndexFunc(rest, func(got *TreeSpan) bool { return cmp.changed(path, want, got) == "" })
		if i < 0 {
			restRec = append(restRec, want)
			continue
		}
		cmp.count(path, want, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	for _, want := range restRec {
		if len(rest) > 0 && want.Count.Min > 0 {
			// The nearest one: least differing.
			i := cmp.nearest(path, want, rest)
			cmp.add(Difference{Target: "span", Pointer: path, Kind: "changed", Recorded: describe(want, rest[i]), Replayed: describe(rest[i], want)})
			rest = slices.Delete(rest, i, i+1)
			continue
		}
		if want.Count.Min > 0 {
			cmp.add(Difference{Target: "span", Pointer: path, Kind: "missing", Recorded: occurrences(want.Count)})
		}
	}
	for _, got := range rest {
		cmp.add(Difference{Target: "span", Pointer: path, Kind: "unexpected", Replayed: occurrences(got.Count) + statusNote(got)})
	}
}

func (cmp *comparison) nearest(path string, want *TreeSpan, rest []*TreeSpan) int {
	best, least := 0, -1
	for i, got := range rest {
		n := strings.Count(cmp.changed(path, want, got), ",")
		if least < 0 || n < least {
			best, least = i, n
		}
	}
	return best
}

// changed names what differs between two spans of one path, "" for nothing.
func (cmp *comparison) changed(path string, a, b *TreeSpan) string {
	var what []string
	if a.Status != b.Status && !cmp.tolerated("span", []string{path, "status"}, a.Status, b.Status) {
		what = append(what, "status")
	}
	keys := sortedKeys(a.Attributes)
	for k := range b.Attributes {
		if _, ok := a.Attributes[k]; !ok {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		if x, y := a.Attributes[k], b.Attributes[k]; x != y && !cmp.tolerated("span", []string{path, "attributes", k}, x, y) {
			what = append(what, k)
		}
	}
	if !slices.Equal(a.Errors, b.Errors) && !cmp.ignored("span", []string{path, "errors"}) {
		what = append(what, "errors")
	}
	return strings.Join(what, ",")
}

func (cmp *comparison) count(path string, want, got *TreeSpan) {
	if n := got.Count; n.Min < want.Count.Min || n.Max > want.Count.Max {
		if !cmp.ignored("span", []string{path, "count"}) {
			cmp.add(Difference{Target: "span", Pointer: path, Kind: "count", Recorded: occurrences(want.Count), Replayed: occurrences(n)})
		}
	}
	if want.Links != got.Links && !cmp.ignored("span", []string{path, "links"}) {
		cmp.add(Difference{Target: "span", Pointer: path, Kind: "changed", Recorded: fmt.Sprintf("%d links", want.Links), Replayed: fmt.Sprintf("%d links", got.Links)})
	}
}

func occurrences(c Count) string {
	if c.Min == c.Max {
		return strconv.Itoa(c.Min) + "×"
	}
	return fmt.Sprintf("%d–%d×", c.Min, c.Max)
}

func statusNote(t *TreeSpan) string {
	if t.Status == "error" {
		return ", status error"
	}
	return ""
}

// describe lists what is particular about a span compared with another one.
func describe(t, other *TreeSpan) string {
	var parts []string
	if t.Status != other.Status {
		parts = append(parts, "status "+t.Status)
	}
	for _, k := range sortedKeys(t.Attributes) {
		if v := t.Attributes[k]; other.Attributes[k] != v {
			parts = append(parts, k+"="+v)
		}
	}
	for _, k := range sortedKeys(other.Attributes) {
		if _, ok := t.Attributes[k]; !ok {
			parts = append(parts, "no "+k)
		}
	}
	if !slices.Equal(t.Errors, other.Errors) {
		parts = append(parts, "errors ["+strings.Join(t.Errors, " ")+"]")
	}
	return clip(strings.Join(parts, ", "), 300)
}
